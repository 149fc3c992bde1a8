"""Any causal language model that `AutoModelForCausalLM` loads, in one pass.

    engine = load("mini-e1")
    trace = ask(engine, "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", "24+20")

Forced tokens are fed into the same keys and values as sampled ones, nothing is computed again for the solution, and
no request waits for another's phase. Rows that end make room for waiting requests, which may come at any time.
"""

import atexit
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from typing import Any

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.ends import end_ids
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Message, Prompt, Template, resolve_template
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.families import runs_branches
from elastic_reasoning.engines.job import MAX_WAITING, Job, lent_by
from elastic_reasoning.engines.local.batch import Batch
from elastic_reasoning.engines.local.evaluating import evaluating, lock_of
from elastic_reasoning.engines.local.identity import Code, identity, modules_of
from elastic_reasoning.engines.local.loop import Loop
from elastic_reasoning.engines.local.parallel.store import SpreadStore
from elastic_reasoning.engines.local.parallel.workers import Workers
from elastic_reasoning.engines.local.self_check import choose_store
from elastic_reasoning.engines.local.store import Store, num_logits
from elastic_reasoning.engines.names import check_max_rows

FUSE_AFTER = 4096
"""Steps, by default: short of them compiling would not pay."""
MOST_STATES = 8
"""Of a model (adapters on, off, merged) for which it is kept how it is run best."""


class TransformersEngine:
    """Samples from a model on one device.

    Attributes:
        note: what a user should know of its prompts.
        capacity: its rows.

    Args:
        model: a causal language model, in any mode; it is in evaluation mode only while it computes, so that what
            it generates may be mixed with training.
        tokenizer: its tokenizer.
        template: how it marks thinking; resolved from the tokenizer if not given.
        max_rows: sequences that run together; a model on the slow path runs one at a time.
        max_waiting: walks that may wait for a row.
        graphs: on a CUDA device, whether steps are recorded as CUDA graphs, where the model's can be.
        fuse_after: how many steps are recorded before the model's layers are compiled, which fuses their small kernels;
            never if `None`. Compiling takes about as long as so many steps, and then pays with each.
        keeps_memory: on a CUDA device, whether keys, values and recorded steps stay there when there is nothing to do,
            so that the next request finds them. Whoever trains the model between its rollouts needs the memory.
        chat_template_kwargs, apply_chat_template: how messages become prompts, see `Renderer`.
        name: what the engine is called when it is shown; the name of the model's class if empty.
        workers: the other ranks of a model that is spread over devices. They are the engine's, which ends them when it
            is closed. Steps are not recorded then, and the model cannot be changed.

    Raises:
        EngineError: the model's forward does not agree with itself when run token by token, or its vocabulary is
            not the tokenizer's.
        TemplateError: no template was given and none can be resolved, or the chat template reads no such argument.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        template: Template | None = None,
        max_rows: int = 64,
        *,
        max_waiting: int = MAX_WAITING,
        graphs: bool = True,
        fuse_after: int | None = FUSE_AFTER,
        keeps_memory: bool = False,
        name: str = "",
        workers: Workers | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        apply_chat_template: bool = True,
    ) -> None:
        check_max_rows(max_rows)
        self.model = model
        self.name = name or type(model).__name__
        self.tokenizer = tokenizer
        self.max_rows = max_rows
        ends = () if template else end_ids(getattr(model, "generation_config", None), model.config)
        self.template = template or resolve_template(tokenizer, eos_ids=ends)
        self._renderer = Renderer(
            tokenizer, self.template, chat_template_kwargs, apply_chat_template=apply_chat_template
        )
        self.context: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        beyond = max(*self.template.opening.forced, *self.template.closing.forced)
        if beyond >= self._num_tokens:
            raise EngineError(
                f"the delimiters have id {beyond}, the model a vocabulary of {self._num_tokens}: "
                "tokenizer and model do not belong together"
            )
        self._graphs, self._fuse_after, self._workers = graphs and workers is None, fuse_after, workers
        self._stores: dict[Code | None, Callable[[], Store]] = {}
        with lock_of(model):
            self._choose_store(self._code())
            self._share = None if workers is None else self._weights()
            self._made_for = model.dtype, model.device
        keeps = keeps_memory and has_graphs(model)
        self._loop = Loop(model, self._next_batch, self._check, max_rows, max_waiting, keeps)
        if workers is not None:
            workers.check()
            atexit.register(self.close)

    @property
    def note(self) -> str:
        return self._renderer.note

    @property
    def capacity(self) -> int:
        return self.max_rows

    @property
    def is_well(self) -> bool:
        """Whether it can still compute: a model that is spread over devices and has lost one must be loaded again."""
        return self._workers is None or self._workers.are_there

    def __repr__(self) -> str:
        opening, closing = self.template.opening.text, self.template.closing.text
        return (
            f"TransformersEngine({self.name}, {str(self.model.dtype).removeprefix('torch.')} on {self.model.device}, "
            f"context={self.context}, max_rows={self.max_rows}, thinking={opening}...{closing})"
        )

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        """Chat messages to a prompt that offers these tools, through the tokenizer's chat template."""
        return self._renderer.prompt(messages, tools)

    @runs_branches
    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        """Take walks while others run; see `elastic_reasoning.engines.engine.Engine`.

        Raises:
            BusyError: more than `max_waiting` would wait for a row.
            EngineError: the engine is closed.
        """
        # An interrupt of a thread that was lent would leave the ranks of a model in the middle of a step.
        with nullcontext() if self._workers is None else lent_by(None):
            jobs = [Job(walk, listen, until) for walk in walks]
        self._loop.submit(jobs)
        return [job.future for job in jobs]

    def work(self, lender: object, done: Callable[[], bool]) -> None:
        """Compute in this thread; see `elastic_reasoning.engines.flow.Worker`."""
        if self._workers is None:
            self._loop.work(lender, done)

    def close(self) -> None:
        """Give up what is under way; it may be called twice. The model is its owner's, unless it has been spread."""
        self._loop.close()
        if self._workers is not None:
            self._workers.close()
            atexit.unregister(self.close)

    @property
    def _num_tokens(self) -> int:
        return num_logits(self.model)  # may be padded beyond the tokenizer's

    def _weights(self) -> tuple[Any, ...]:
        """What nobody but its owner changes of a model: buffers it may change itself, as some that turn positions."""
        return identity(self.model)[:2]

    def _code(self) -> Code | None:
        """What it hangs on whether and how the model's steps are recorded; `None` where they are not in any case."""
        return identity(self.model).code if self._graphs and has_graphs(self.model) else None

    def _choose_store(self, code: Code | None) -> None:
        """Find out how the model is run best, or remember it."""
        if code not in self._stores:
            if len(self._stores) == MOST_STATES:
                del self._stores[next(iter(self._stores))]
            with evaluating(self.model, modules_of(self.model)):
                chosen = choose_store(self.model, self.max_rows, code is not None, self._fuse_after)
            self._stores[code] = chosen
        self._chosen_for, new_store, workers = code, self._stores[code], self._workers
        self._new_store = new_store if workers is None else lambda: SpreadStore(new_store(), workers)

    def _next_batch(self, kept: Batch | None) -> Batch:
        """An empty batch for the model as it is now, which need not be as it was when one was kept.

        Raises:
            EngineError: it is spread over devices and was changed here, where only its first share is.
        """
        with lock_of(self.model):  # another engine may have its layers fused at this moment
            if self._share is not None and self._share != self._weights():
                raise EngineError("the model is spread over devices, and this share alone was changed: load it again")
            code = self._code()
            if code != self._chosen_for:
                self._choose_store(code)
                kept = None
            made_for = self.model.dtype, self.model.device
            if made_for != self._made_for:
                self._made_for, kept = made_for, None
        return kept or self._new_batch()

    def _new_batch(self) -> Batch:
        num_drawn = min(self._num_tokens, self.template.num_tokens)
        return Batch(self._new_store(), num_drawn, self.model.device, self.context)

    def _check(self, walk: Walk) -> None:
        """Fail a walk that cannot be fed to the model."""
        ids = walk.request.prompt.ids
        if walk.call is None:
            return
        if not ids and not walk.ids:
            walk.fail("the prompt is empty: give it at least one token")
        elif not 0 <= min(ids, default=0) <= max(ids, default=0) < self._num_tokens:
            walk.fail(f"the prompt has ids outside the model's vocabulary of {self._num_tokens}")


def has_graphs(model: Any) -> bool:
    """Whether steps can be recorded where a model is."""
    return bool(model.device.type == "cuda")
