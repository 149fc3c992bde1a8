"""A request that only an upstream's own chat endpoint can answer: its stream, told as the events of any other answer.

One upstream answers it, from its first token to its last.
"""

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from msgspec import Struct, field

from elastic_reasoning.core.errors import ElasticError
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Prompt
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.http.replicas import RefusedError
from elastic_reasoning.serving.accounting import ended, started, total
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.backend import Backend
from elastic_reasoning.serving.budgets import Plan
from elastic_reasoning.serving.chat_body import chat_body
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Ended, Event, Finished, Started, Text, ToolCall, Usage
from elastic_reasoning.serving.meter import Meter
from elastic_reasoning.untrusted.json import Count, MalformedError, decode


class _Function(Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(Struct):
    index: int = 0
    id: str | None = None
    function: _Function = field(default_factory=_Function)


class _Delta(Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None


class _Token(Struct):
    token: str
    logprob: float
    top_logprobs: "list[_Token]" = field(default_factory=list)


class _Logprobs(Struct):
    content: list[_Token] | None = None


class _Choice(Struct):
    index: Count = 0
    delta: _Delta = field(default_factory=_Delta)
    finish_reason: str | None = None
    stop_reason: Any = None
    token_ids: list[Count] | None = None
    logprobs: _Logprobs | None = None


class _Details(Struct):
    cached_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class _Usage(Struct):
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    prompt_tokens_details: _Details | None = None


class _Chunk(Struct):
    """As much of an event as is read."""

    choices: list[_Choice] = field(default_factory=list)
    usage: _Usage | None = None
    prompt_token_ids: list[Count] | None = None


class _Sample:
    """What has come of one sample."""

    def __init__(self, number: int, shows_thinking: bool) -> None:
        self.number = number
        self.ids: list[int] = []
        self.texts = {Phase.THINKING: "", Phase.SOLUTION: ""}
        self.calls: dict[int, _Call] = {}
        self.logprobs: list[_Token] = []
        self._shows_thinking = shows_thinking

    def take(self, choice: _Choice) -> Iterator[Text]:
        """What a client sees of it."""
        delta, ids = choice.delta, choice.token_ids or ()
        self.ids += ids
        thinking = delta.reasoning_content or delta.reasoning or ""
        for phase, text in ((Phase.THINKING, thinking), (Phase.SOLUTION, delta.content or "")):
            self.texts[phase] += text
            if text:
                is_shown = phase is Phase.SOLUTION or self._shows_thinking
                yield Text(self.number, phase, text if is_shown else "", len(ids))
        if delta.content and choice.logprobs is not None:
            self.logprobs += choice.logprobs.content or ()
        for call in delta.tool_calls or ():
            known = self.calls.setdefault(call.index, _Call(function=_Function("", "")))
            known.id = known.id or call.id
            known.function.name = (known.function.name or "") + (call.function.name or "")
            known.function.arguments = (known.function.arguments or "") + (call.function.arguments or "")

    def told_calls(self) -> Iterator[ToolCall]:
        """Its tool calls, now that they are whole."""
        for number, call in enumerate(self.calls.values()):
            name, arguments = call.function.name or "", call.function.arguments or ""
            yield ToolCall(self.number, number, call.id or f"call_{self.number}_{number}", name, arguments)


async def pass_through(
    backend: Backend, asked: Asked, plan: Plan, prompt: Prompt, meter: Meter
) -> AsyncGenerator[Event, None]:
    """Answer a request by the upstream's chat endpoint; arguments, events and errors as of `answer`."""
    engine = backend.engine
    assert isinstance(engine, OpenAIEngine)  # a prompt was made
    body, kept_by = chat_body(engine, backend.config, asked, plan, prompt)
    reading = _Reading(backend, asked, plan, prompt, kept_by, meter)
    try:
        async with aclosing(engine.chat(body, prompt.ids)) as chunks:
            async for chunk in chunks:
                for event in reading.take(decode(chunk, _Chunk)):
                    yield event
        for event in reading.end():
            yield event
    except RefusedError as error:
        status = error.status if error.status is not None and 400 <= error.status < 500 else 502
        raise ApiError(status, f"the upstream: {error}", code="upstream_refused") from None
    except MalformedError as error:
        raise ApiError(502, f"the upstream's answer cannot be read: {error}", code="upstream_error") from None
    except ElasticError as error:
        raise ApiError(503, str(error), code="upstream_unavailable") from None


class _Reading:
    """A stream of the upstream, as events."""

    def __init__(self, backend: Backend, asked: Asked, plan: Plan, prompt: Prompt, kept_by: str, meter: Meter) -> None:
        self._backend, self._asked, self._plan, self._prompt = backend, asked, plan, prompt
        self._kept_by, self._meter = kept_by, meter
        self._began = time.monotonic()
        self._has_started = False
        self._samples = [_Sample(number, asked.limits.shows_thinking) for number in range(asked.num_samples)]
        self._ends: dict[int, Ended] = {}
        self._usage: _Usage | None = None

    def take(self, chunk: _Chunk) -> Iterator[Event]:
        """What one event of the upstream says."""
        if chunk.prompt_token_ids:
            self._prompt = self._backend.raw(tuple(chunk.prompt_token_ids), bool(self._asked.tools))
        if not self._has_started:
            self._has_started = True
            yield Started(len(self._prompt.ids), {**started(self._plan), "kept_by": self._kept_by})
        self._usage = chunk.usage or self._usage
        for choice in chunk.choices:
            if choice.index >= len(self._samples):
                raise RefusedError(f"the server answered with sample {choice.index}, which was not asked for")
            sample = self._samples[choice.index]
            self._meter.took(len(choice.token_ids) if choice.token_ids is not None else 1)
            yield from sample.take(choice)
            if choice.finish_reason is not None and sample.number not in self._ends:
                yield from sample.told_calls()
                end = self._ends[sample.number] = self._ended(sample, choice)
                yield replace(end, **_logprobs(sample)) if self._asked.logprobs else end

    def end(self) -> Iterator[Event]:
        """The stream is over.

        Raises:
            RefusedError: before it was whole.
        """
        if len(self._ends) < len(self._samples):
            raise RefusedError("the server's answer has no end")
        usage, account = total(list(self._ends.values()), self._plan)
        if self._usage is not None:
            details = self._usage.prompt_tokens_details or _Details()
            cached, completion = details.cached_tokens or 0, self._usage.completion_tokens
            usage = Usage(self._usage.prompt_tokens, cached, completion, usage.reasoning)
        yield Finished(usage, account)

    def _ended(self, sample: _Sample, choice: _Choice) -> Ended:
        stop = choice.stop_reason if choice.stop_reason in self._asked.stop else None
        reason = choice.finish_reason or "stop"
        trace = self._trace(sample)
        seconds = time.monotonic() - self._began
        if trace is None:
            return self._counted(sample, reason, stop, seconds)
        found = ended(sample.number, trace, self._plan, stop, seconds)
        return Ended(sample.number, reason, found.usage, {**found.account, "kept_by": self._kept_by}, stop)

    def _trace(self, sample: _Sample) -> Trace | None:
        """What it was, token by token; `None` where the upstream does not tell."""
        if not sample.ids or not self._prompt.ids:
            return None
        plan, engine = self._plan, self._backend.engine
        request = Request(self._prompt, plan.budget, plan.strategy, plan.options, self._asked.sampling, sample.number)
        try:
            return replay(request, sample.ids, engine.template, engine.context, end=engine.template.eos)
        except ElasticError:  # a stop text, a deadline, a grammar: not all of them leave their marks
            return None

    def _counted(self, sample: _Sample, reason: str, stop: str | None, seconds: float) -> Ended:
        """Tokens as the tokenizer counts them in the texts."""
        encode, budget = self._backend.engine.template.encode, self._plan.budget
        calls = "".join(call.function.arguments or "" for call in sample.calls.values())
        thinking, solution = (
            len(encode(sample.texts[Phase.THINKING])),
            len(encode(sample.texts[Phase.SOLUTION] + calls)),
        )
        is_spent = budget.thinking is not None and thinking >= budget.thinking
        account = {
            "thinking_tokens": thinking,
            "solution_tokens": solution,
            "thinking_ended_by": "tokens" if is_spent else "model",
            "solution_ended_by": "tokens" if reason == "length" else "stop" if stop else "model",
            "seconds": round(seconds, 4),
            "kept_by": self._kept_by,
            "counted_by": "tokenizer",
        }
        completion = len(sample.ids) or thinking + solution
        return Ended(sample.number, reason, Usage(len(self._prompt.ids), 0, completion, thinking), account, stop)


def _logprobs(sample: _Sample) -> dict[str, Any]:
    """The solution's tokens with their log-probabilities, and what else was likely there."""
    pairs = [(each.token, each.logprob) for each in sample.logprobs]
    return {
        "logprobs": pairs,
        "alternatives": [[(top.token, top.logprob) for top in each.top_logprobs] for each in sample.logprobs],
    }
