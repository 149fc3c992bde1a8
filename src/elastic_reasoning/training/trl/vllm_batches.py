"""An engine on the synchronous vLLM that TRL holds within a trainer: all rollouts of a process in one batch."""

from collections.abc import Coroutine, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import coroutine
from typing import Any

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.template import Message, Prompt, Template
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.vllm.answers import answer


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request to vLLM: ids of prompt and completion so far, and vLLM's `SamplingParams`."""

    ids: Sequence[int]
    params: Any


@coroutine
def _ask(ids: Sequence[int], params: Any) -> Generator[_Asked, Any, Any]:
    """Hand a request to whoever drives the walk, and wait for what comes of it."""
    return (yield _Asked(ids, params))


class BatchEngine:
    """Generates for all walks together with a synchronous vLLM.

    What can be kept in one pass is asked for in the first batch. Walks that go by calls have their next call in each
    batch, until all are at their ends.

    Attributes:
        note: what its user should know of how budgets are kept; empty where that is in one pass.

    Args:
        generation: TRL's `VLLMGeneration`.
        tokenizer: the model's.
        template: how it marks thinking.
        in_one_pass: whether the plug-in knows the template's delimiters.
    """

    def __init__(self, generation: Any, renderer: Renderer, in_one_pass: bool) -> None:
        self.tokenizer = renderer.tokenizer
        self.template: Template = renderer.template
        self._renderer = renderer
        self._generation = generation
        self._in_one_pass = in_one_pass
        self.context: int = generation.llm.llm_engine.model_config.max_model_len
        self.note = "" if in_one_pass else "delimiters that the tokenizer does not name: two calls for each request"

    def prompt(self, messages: Sequence[Message], tools: Sequence[Message] = ()) -> Prompt:
        """Chat messages to a prompt that offers these tools, through the tokenizer's chat template."""
        return self._renderer.prompt(messages, tools)

    def run(self, walks: Iterable[Walk]) -> Iterator[Trace]:
        """Bring walks to their ends; collective among the processes that share a model, whatever each brings.

        Raises:
            EngineError: vLLM has failed.
        """
        if self._generation.tensor_parallel_size > 1:  # what is left of the training step may not meet vLLM's traffic
            self._generation.accelerator.wait_for_everyone()
        self._wake_up()
        traces = self._traces(walks)
        if self._generation.enable_sleep_mode:
            self._generation.llm.sleep(level=2)
            self._generation._llm_weights_sleeping = True
        return iter(traces)

    def close(self) -> None:
        """Stop vLLM."""
        self._generation.llm.llm_engine.engine_core.shutdown()

    def _wake_up(self) -> None:
        """As TRL does: sleeping takes the weights away, so that they must be handed over again."""
        if self._generation.enable_sleep_mode:
            if self._generation._llm_weights_sleeping:
                self._generation.sync_weights()
            self._generation.llm.wake_up(tags=["kv_cache"])

    def _traces(self, walks: Iterable[Walk]) -> list[Trace]:
        traces: list[Trace] = []
        waiting: list[tuple[Coroutine[_Asked, Any, Trace], _Asked]] = []

        def go_on(run: Coroutine[_Asked, Any, Trace], outcome: Any) -> None:
            try:
                asked = run.throw(outcome) if isinstance(outcome, Exception) else run.send(outcome)
            except StopIteration as end:
                traces.append(end.value)
            else:
                waiting.append((run, asked))

        for walk in walks:
            go_on(answer(walk, _ask, self.context, self._in_one_pass), None)
        while (outcomes := self._generate([asked for _, asked in waiting])) is not None:
            answered, waiting = waiting, []
            for (run, _), outcome in zip(answered, outcomes, strict=True):
                go_on(run, outcome)
        return traces

    def _generate(self, asked: list[_Asked]) -> list[Any] | None:
        """One batch: completions in their order, an error for a request that is at fault; `None` where nobody asks.

        Processes that share a model all ask it for the same: what any of them asks. Each keeps its own.
        """
        shares, rank = [asked], 0
        if self._generation.tensor_parallel_size > 1:
            from torch import distributed

            group = self._generation.tp_group
            shares = [[] for _ in range(self._generation.tensor_parallel_size)]
            distributed.all_gather_object(shares, asked, group=group)
            rank = distributed.get_rank(group=group)
        if not any(shares):
            return None
        outcomes = self._batch([one for share in shares for one in share])
        start = sum(len(share) for share in shares[:rank])
        return outcomes[start : start + len(asked)]

    def _batch(self, asked: list[_Asked]) -> list[Any]:
        from vllm.exceptions import VLLMValidationError
        from vllm.inputs import TokensPrompt

        llm = self._generation.llm
        outcomes: list[Any] = []
        try:
            for one in asked:
                try:
                    llm.enqueue([TokensPrompt(prompt_token_ids=list(one.ids))], one.params, use_tqdm=False)
                    outcomes.append(None)
                except VLLMValidationError as error:
                    outcomes.append(error)
            completions = iter(llm.wait_for_completion(use_tqdm=False))
        except Exception as error:  # whatever it is, this vLLM has ended with it
            raise EngineError(f"vLLM has failed: {' '.join(str(error).split())[:300]}") from error
        return [next(completions).outputs[0] if outcome is None else outcome for outcome in outcomes]
