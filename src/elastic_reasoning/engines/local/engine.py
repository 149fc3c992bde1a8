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
from elastic_reasoning.engines.local.evaluating import evaluating
from elastic_reasoning.engines.local.loop import Loop
from elastic_reasoning.engines.local.parallel.store import SpreadStore
from elastic_reasoning.engines.local.parallel.workers import Workers
from elastic_reasoning.engines.local.self_check import choose_store
from elastic_reasoning.engines.local.store import num_logits
from elastic_reasoning.engines.names import check_max_rows

FUSE_AFTER = 4096
"""Steps, by default: short of them compiling would not pay."""


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
            is closed. Steps are not recorded then.

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
        self._num_tokens = num_logits(model)  # may be padded beyond the tokenizer's
        beyond = max(*self.template.opening.forced, *self.template.closing.forced)
        if beyond >= self._num_tokens:
            raise EngineError(
                f"the delimiters have id {beyond}, the model a vocabulary of {self._num_tokens}: "
                "tokenizer and model do not belong together"
            )
        with evaluating(model, model.modules()):
            recorded = graphs and model.device.type == "cuda" and workers is None
            new_store = choose_store(model, max_rows, recorded, fuse_after)
        self._new_store = new_store if workers is None else lambda: SpreadStore(new_store(), workers)
        self._workers = workers
        keeps = keeps_memory and model.device.type == "cuda"
        self._loop = Loop(model, self._new_batch, self._check, max_rows, max_waiting, keeps)
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
