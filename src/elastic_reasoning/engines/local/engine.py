"""Any causal language model that `AutoModelForCausalLM` loads, in one pass.

    engine = load("mini-e1")
    trace = ask(engine, "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", "24+20")

Forced tokens are fed into the same keys and values as sampled ones, nothing is computed again for the solution, and
no request waits for another's phase. Rows that end make room for waiting requests.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.ends import end_ids
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.template import Message, Prompt, Template, resolve_template
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.local.batch import Batch, num_logits
from elastic_reasoning.engines.local.self_check import choose_store
from elastic_reasoning.engines.names import check_max_rows

ADMIT_SHARE = 8
"""New rows are prefilled together once this share (1/8) of the rows is free."""


class TransformersEngine:
    """Samples from a model on one device.

    Attributes:
        note: what a user should know of its prompts.

    Args:
        model: a causal language model, in any mode; it is in evaluation mode only while it computes, so that runs
            may be interleaved, closed early, and mixed with training.
        tokenizer: its tokenizer.
        template: how it marks thinking; resolved from the tokenizer if not given.
        max_rows: sequences that run together; a model on the slow path runs one at a time.
        chat_template_kwargs, apply_chat_template: how messages become prompts, see `Renderer`.
        name: what the engine is called when it is shown; the name of the model's class if empty.

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
        name: str = "",
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
        with evaluating(model.modules()):
            self._new_store = choose_store(model, max_rows)

    @property
    def note(self) -> str:
        return self._renderer.note

    def __repr__(self) -> str:
        opening, closing = self.template.opening.text, self.template.closing.text
        return (
            f"TransformersEngine({self.name}, {str(self.model.dtype).removeprefix('torch.')} on {self.model.device}, "
            f"context={self.context}, max_rows={self.max_rows}, thinking={opening}...{closing})"
        )

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        """Chat messages to a prompt that offers these tools, through the tokenizer's chat template."""
        return self._renderer.prompt(messages, tools)

    def run(self, walks: Iterable[Walk], listen: Callable[[Cursor], None] | None = None) -> Iterator[Trace]:
        """Bring walks to their ends, and yield their traces as they finish.

        Args:
            walks: taken one by one as rows get free.
            listen: called with a row's cursor after every token that is sampled for it.

        Raises:
            EngineError: the memory does not do for so many rows.
        """
        num_drawn = min(self._num_tokens, self.template.num_tokens)
        batch = Batch(self._new_store(), num_drawn, self.model.device, self.context)
        modules = list(self.model.modules())
        waiting = iter(walks)
        more = True
        while more or batch.rows:
            done: list[Walk] = []
            if more and (not batch.rows or batch.num_free * ADMIT_SHARE >= batch.max_rows):
                wanted = batch.num_free
                taken = list(islice(waiting, wanted))
                more = len(taken) == wanted
                ready = [walk for walk in taken if self._ready(walk)]
                if ready:
                    with self._computing(modules):
                        batch.admit(ready, every_token=listen is not None)
                done = [walk for walk in taken if walk.call is None]
            if batch.rows and not done:
                done = self._decode(batch, modules, listen)
            yield from (walk.trace() for walk in done)

    def close(self) -> None:
        """Nothing is held beyond the model, which is its owner's."""

    def _decode(self, batch: Batch, modules: list[Any], listen: Callable[[Cursor], None] | None) -> list[Walk]:
        """Go on until at least one walk is over."""
        done: list[Walk] = []
        with self._computing(modules):
            while not done:
                events = batch.step()
                if len(events):
                    done = batch.wake(events, listen)
        return done

    @contextmanager
    def _computing(self, modules: list[Any]) -> Iterator[None]:
        try:
            with evaluating(modules):
                yield
        except torch.OutOfMemoryError as error:
            raise EngineError(
                f"the memory of {self.model.device} does not do for max_rows {self.max_rows}: lower max_rows"
            ) from error

    def _ready(self, walk: Walk) -> bool:
        """Whether a walk has something to sample and can be fed to the model."""
        ids = walk.request.prompt.ids
        if walk.call is None:
            return False
        if not ids and not walk.ids:
            walk.fail("the prompt is empty: give it at least one token")
        elif not 0 <= min(ids, default=0) <= max(ids, default=0) < self._num_tokens:
            walk.fail(f"the prompt has ids outside the model's vocabulary of {self._num_tokens}")
        return walk.call is not None


@contextmanager
def evaluating(modules: Iterable[Any]) -> Iterator[None]:
    """Modules in evaluation mode; each is back in its own mode afterwards."""
    training = [module for module in modules if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
