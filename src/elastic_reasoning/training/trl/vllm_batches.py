"""An engine on the synchronous vLLM that TRL holds within a trainer: all rollouts of a process in one batch."""

import sys
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.drive import next_request
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.replay import retrace
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Message, Prompt, Template
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.job import Job
from elastic_reasoning.engines.vllm.answers import Asked, ask_stretch, ask_whole, fail, read


class BatchEngine:
    """Generates for all walks together with a synchronous vLLM.

    What can be kept in one pass is asked for in the first batch. Walks that go by calls have their next call in each
    batch, until all are at their ends.

    Attributes:
        note: what its user should know of how budgets are kept; empty where that is in one pass.
        capacity: whatever there is makes one batch.

    Args:
        generation: TRL's `VLLMGeneration`.
        tokenizer: the model's.
        template: how it marks thinking.
        in_one_pass: whether the plug-in knows the template's delimiters.
    """

    capacity = sys.maxsize

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

    def submit(
        self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None
    ) -> list[Future[Walk]]:
        """Bring walks to their ends, before it returns; collective among the processes that share a model.

        Where vLLM has failed, that is the exception of the futures.
        """
        jobs = [Job(walk, listen, until, plug_in=self._in_one_pass) for walk in walks]
        if self._generation.tensor_parallel_size > 1:  # what is left of the training step may not meet vLLM's traffic
            self._generation.accelerator.wait_for_everyone()
        self._wake_up()
        error = None
        try:
            self._answer(jobs)
        except EngineError as failure:
            error = failure
        if self._generation.enable_sleep_mode:
            self._generation.llm.sleep(level=2)
            self._generation._llm_weights_sleeping = True
        for job in jobs:
            job.finish(error)
        return [job.future for job in jobs]

    def close(self) -> None:
        """Stop vLLM."""
        self._generation.llm.llm_engine.engine_core.shutdown()

    def _wake_up(self) -> None:
        """As TRL does: sleeping takes the weights away, so that they must be handed over again."""
        if self._generation.enable_sleep_mode:
            if self._generation._llm_weights_sleeping:
                self._generation.sync_weights()
            self._generation.llm.wake_up(tags=["kv_cache"])

    def _answer(self, jobs: Sequence[Job]) -> None:
        whole = {job for job in jobs if job.in_one_pass}
        cursors = {job: Cursor(job.walk, job.listen, job.until) for job in jobs if job not in whole}
        while True:
            going = [job for job in jobs if job in whole or not cursors[job].done]
            asked = [
                ask_whole(job.walk, self.context)
                if job in whole
                else ask_stretch(next_request(cursors[job]), self.context)
                for job in going
            ]
            outcomes = self._generate(asked)
            if outcomes is None:
                return
            for job, one, outcome in zip(going, asked, outcomes, strict=True):
                if isinstance(outcome, Exception):
                    fail(job.walk, outcome)
                    continue
                sampled = read(outcome, one)
                if job in whole:
                    retrace(job.walk, sampled.ids, logprobs=sampled.logprobs, end=self.template.eos)
                else:
                    cursors[job].wake(sampled.ids, sampled.logprobs)
            cursors |= {job: Cursor(job.walk, job.listen) for job in whole}
            whole = set()

    def _generate(self, asked: list[Asked]) -> list[Any] | None:
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

    def _batch(self, asked: list[Asked]) -> list[Any]:
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
