"""One request on its way: walks are given to an engine, and what comes of them is told as events.

Nothing here knows a dialect. Whoever closes the generator gives up the walks, and the engine stops at once.
"""

import time
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.errors import BusyError, ElasticError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.template import Prompt
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.serving.accounting import ended, solution_logprobs, started, total
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.backend import Backend
from elastic_reasoning.serving.budgets import Plan
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Ended, Event, Finished, Started, Text, ToolCall
from elastic_reasoning.serving.mailbox import Mailbox
from elastic_reasoning.serving.meter import Meter
from elastic_reasoning.serving.progress import Progress, Promise
from elastic_reasoning.serving.text import Detokenizer, Stops
from elastic_reasoning.serving.tool_calls import Calls

Arrival = tuple[int, Delta | Walk | BaseException]
"""A sample, and what came of it: new tokens, its walk when it is over, or what failed it."""


class _Sample:
    """One sample of a request: its walk, and its text as it comes."""

    def __init__(self, number: int, walk: Walk, asked: Asked) -> None:
        self.number, self.walk = number, walk
        self._hidden = () if asked.limits.shows_thinking else (Phase.THINKING,)
        self.stops = Stops(asked.stop)
        self.calls = Calls(number, walk.template.decode, asked.tools)
        self.future: Future[Walk] | None = None
        self._decode = walk.template.decode
        self._eos = walk.template.eos
        self._phase: Phase | None = None
        self._text = Detokenizer(self._decode)
        self._num_tokens = 0

    def take(self, delta: Delta) -> list[Text | ToolCall]:
        """What a client sees of new tokens: neither delimiters nor the end of sequence, and tool calls as a whole."""
        phase = Phase.THINKING if delta.phase is Phase.WRAP_UP else delta.phase
        texts = self.end() if phase is not self._phase else []
        if phase is not self._phase:
            self._phase, self._text = phase, Detokenizer(self._decode)
        self._num_tokens += len(delta.ids)
        ids = delta.ids[:-1] if delta.ids and delta.ids[-1] in self._eos else delta.ids
        if phase is Phase.TOOL:
            self.calls.add(ids)
        if phase not in (Phase.THINKING, Phase.SOLUTION) or phase in self._hidden:
            return texts
        return [*texts, *self._shown(self._text.add(ids))]

    def end(self) -> list[Text | ToolCall]:
        """What was held back of the phase so far."""
        if self._phase is Phase.TOOL:
            self._num_tokens = 0
            return self.calls.end()
        if self._phase not in (Phase.THINKING, Phase.SOLUTION):
            return []
        if self._phase in self._hidden:  # its tokens are told all the same
            return [self._told("")]
        texts = self._shown(self._text.end())
        held = self.stops.end() if self._phase is Phase.SOLUTION else ""
        return [*texts, *([Text(self.number, self._phase, held, 0)] if held else [])]

    def _shown(self, text: str) -> list[Text]:
        assert self._phase is not None
        if self._phase is Phase.SOLUTION:
            text = self.stops.add(text)
            if self.stops.found is not None:
                self.walk.interrupt(Finish.STOP)
        return [self._told(text)] if text else []

    def _told(self, text: str) -> Text:
        assert self._phase is not None
        num_tokens, self._num_tokens = self._num_tokens, 0
        return Text(self.number, self._phase, text, num_tokens)


async def answer(
    backend: Backend, asked: Asked, plan: Plan, prompt: Prompt, meter: Meter
) -> AsyncGenerator[Event, None]:
    """Answer a request that is admitted. The meter is told of all tokens as they come.

    Yields:
        Started, then Text and Ended for each sample, then Finished.

    Raises:
        ApiError: it cannot be answered: before `Started` as a refusal, later because an upstream was lost.
    """
    began = time.monotonic()
    mailbox: Mailbox[Arrival] = Mailbox()
    samples = [_new_sample(backend, asked, plan, prompt, number) for number in range(asked.num_samples)]
    for sample in samples:
        if sample.walk.error is not None:
            raise ApiError(400, sample.walk.error, code="cannot_be_run")
    seconds = asked.limits.deadline_seconds
    promise = None if seconds is None else Promise(asked.arrived, seconds)
    progresses = backend.deadlines.admit([sample.walk for sample in samples], promise)
    is_whole = False
    try:
        for sample, progress in zip(samples, progresses, strict=True):
            _submit(backend, sample, progress, mailbox)
        yield Started(len(prompt.ids), started(plan))
        ends: list[Ended] = []
        while len(ends) < len(samples):
            arrivals = await mailbox.get()
            meter.took(_num_tokens(arrivals))
            for number, arrived in _joined(arrivals):
                sample = samples[number]
                if isinstance(arrived, Delta):
                    for text in sample.take(arrived):
                        yield text
                    continue
                if isinstance(arrived, BaseException):
                    raise _failure(arrived)
                if arrived.error is not None:
                    raise ApiError(502, arrived.error, code="upstream_error")
                if arrived.segments and arrived.segments[-1].finish is Finish.ABORT:
                    raise ApiError(503, "the model was closed before the answer's end", code="shutting_down")
                for text in sample.end():
                    yield text
                ends.append(_ended(sample, progresses[number], arrived, plan, began))
                yield replace(ends[-1], logprobs=solution_logprobs(arrived.trace())) if asked.logprobs else ends[-1]
        is_whole = True
        yield Finished(*total(ends, plan))
    finally:
        backend.deadlines.release(progresses)
        for sample in samples:
            if sample.future is not None:
                sample.future.cancel()
        if not is_whole:  # nobody reads what there is: it was made all the same
            num_aside = sum(sample.walk.num_aside + _num_probed(sample.walk) for sample in samples)
            meter.took(_num_tokens(mailbox.rest()) + num_aside)


def _num_tokens(arrivals: Sequence[Arrival]) -> int:
    return sum(len(arrived.ids) for _, arrived in arrivals if isinstance(arrived, Delta))


def _num_probed(walk: Walk) -> int:
    """Tokens of probes that are over, which no listener is told of."""
    walks = walk.branches or [walk]
    return sum(len(probe.segment.ids) for one in walks for probe in one.probes)


def _joined(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """What came together, the tokens of one segment in one delta: they are decoded and written at once."""
    joined: list[Arrival] = []
    for number, arrived in arrivals:
        before, last = joined[-1] if joined else (None, None)
        if isinstance(arrived, Delta) and isinstance(last, Delta) and before == number and _go_on(last, arrived):
            joined[-1] = number, replace(arrived, ids=last.ids + arrived.ids, logprobs=None)
        else:
            joined.append((number, arrived))
    return joined


def _go_on(one: Delta, other: Delta) -> bool:
    return not one.last and one.phase is other.phase and one.sampled == other.sampled


def _ended(sample: _Sample, progress: Progress, walk: Walk, plan: Plan, began: float) -> Ended:
    progress.learn_lengths()
    seconds = time.monotonic() - began
    return ended(sample.number, walk.trace(), plan, sample.stops.found, seconds, progress.account(), sample.calls)


def _new_sample(backend: Backend, asked: Asked, plan: Plan, prompt: Prompt, number: int) -> _Sample:
    request = Request(prompt, plan.budget, plan.strategy, plan.options, asked.sampling, number)
    return _Sample(number, Walk(request, backend.engine.template, backend.engine.context), asked)


def _submit(backend: Backend, sample: _Sample, progress: Progress, mailbox: Mailbox[Arrival]) -> None:
    number = sample.number

    def listen(delta: Delta) -> None:
        progress.tell(delta)  # here: a client that reads slowly makes no model slow
        mailbox.put((number, delta))

    try:
        [sample.future] = backend.engine.submit([sample.walk], listen)
    except BusyError as error:
        raise ApiError(429, str(error), code="busy", headers={"Retry-After": "1"}) from None
    except ElasticError as error:
        raise ApiError(503, str(error), code="unavailable") from None
    sample.future.add_done_callback(partial(_over, mailbox, number, progress))


def _over(mailbox: Mailbox[Arrival], number: int, progress: Progress, future: Future[Walk]) -> None:
    if future.cancelled():
        return
    failure = future.exception()
    if failure is None:
        progress.end()
    mailbox.put((number, future.result() if failure is None else failure))


def _failure(failure: BaseException) -> BaseException:
    if isinstance(failure, ElasticError):
        return ApiError(503, str(failure), code="upstream_unavailable")
    return failure
