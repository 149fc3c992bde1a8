"""OpenAI's completions: POST /v1/completions.

Format: https://platform.openai.com/docs/api-reference/completions
`text` is the solution; thinking is apart, in `reasoning_content` and in `reasoning` of the same choice. A prompt is
sent as it stands, as text or as ids; where it does not open thinking, thinking is opened behind it.
"""

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from elastic_reasoning.core.segment import Phase
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.dialects.blocks import Sample
from elastic_reasoning.serving.dialects.body import (
    Penalty,
    Samples,
    Seed,
    Stops,
    Temperature,
    TopK,
    TopP,
    ignored_in,
    read_as,
)
from elastic_reasoning.serving.dialects.body import Text as StopText
from elastic_reasoning.serving.dialects.chat import ANSWER, DONE, SILENT, StreamOptions
from elastic_reasoning.serving.dialects.dialect import Dialect, Head, Json, sse
from elastic_reasoning.serving.dialects.openai import (
    account_json,
    error_body,
    head_json,
    sampling_of,
    stops_of,
    usage_json,
    whole_json,
)
from elastic_reasoning.serving.errors import ApiError, bad_request
from elastic_reasoning.serving.events import Ended, Event, Finished, Text
from elastic_reasoning.serving.limits import read_limits

Id = Annotated[int, Meta(ge=0, le=2**31 - 1)]
MOST_SAMPLES = 512
"""Of all prompts of a request together."""


class CompletionRequest(Struct, kw_only=True):
    """A completion that is asked for."""

    model: str = ""
    prompt: str | list[str | Id | list[Id]]
    n: Samples = 1
    best_of: Samples | None = None
    stop: StopText | Stops | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    seed: Seed | None = None
    logprobs: Annotated[int, Meta(ge=0, le=1)] | None = None
    """0 or 1: the log-probabilities of the tokens that were chosen."""
    echo: bool = False
    suffix: str = ""
    frequency_penalty: Penalty = 0
    presence_penalty: Penalty = 0
    logit_bias: dict[str, float] | None = None


def read(body: Mapping[str, Any]) -> Asked:
    """What a body asks for."""
    given = read_as(body, CompletionRequest)
    for name in ("echo", "suffix", "frequency_penalty", "presence_penalty", "logit_bias"):
        if getattr(given, name):
            raise bad_request(f"{name}: is not supported at this endpoint, leave it out", name, "unsupported_parameter")
    if given.best_of not in (None, given.n):
        raise bad_request(f"best_of {given.best_of}: must be n ({given.n}), every sample is returned", "best_of")
    prompts = _prompts(given.prompt)
    if len(prompts) * given.n > MOST_SAMPLES:
        raise bad_request(
            f"prompt: {len(prompts)} prompts of {given.n} samples are more than {MOST_SAMPLES}: ask for fewer", "prompt"
        )
    limits = read_limits(body)
    streaming = given.stream_options or StreamOptions()
    return Asked(
        model=given.model,
        prompts=prompts,
        limits=limits,
        sampling=sampling_of(given.temperature, given.top_p, given.top_k, given.seed),
        num_samples=given.n,
        stop=stops_of(given.stop),
        stream=given.stream,
        include_usage=bool(streaming.include_usage),
        logprobs=given.logprobs is not None,
        ignored=ignored_in(body, (*CompletionRequest.__struct_fields__, *SILENT)),
    )


def _prompts(prompt: str | list[Any]) -> tuple[str | tuple[int, ...], ...]:
    """Prompts as clients write them: a text, texts, ids, or lists of ids."""
    if isinstance(prompt, list) and prompt and all(isinstance(each, int) for each in prompt):
        return (tuple(prompt),)
    prompts = [prompt] if isinstance(prompt, str) else prompt
    if not prompts or any(isinstance(each, int) or not each for each in prompts):
        raise bad_request("prompt: must be a text, ids, or a list of either, none of them empty", "prompt")
    return tuple(each if isinstance(each, str) else tuple(each) for each in prompts)


def whole(head: Head, asked: Asked, events: Iterable[Event]) -> Json:
    """A completion."""
    return whole_json(head_json(head, "cmpl", "text_completion"), asked, events, _choice)


def _choice(asked: Asked, sample: Sample) -> Json:
    thinking = sample.text(Phase.THINKING)
    choice: Json = {"index": sample.ended.sample, "text": sample.text(Phase.SOLUTION) or ""}
    if thinking is not None:
        choice |= {"reasoning_content": thinking, "reasoning": thinking}
    return {**choice, "logprobs": _logprobs(asked, sample.ended), "finish_reason": _finish_reason(sample.ended)}


def _finish_reason(ended: Ended) -> str:
    return "length" if ended.finish_reason == "length" else "stop"


def _logprobs(asked: Asked, ended: Ended) -> Json | None:
    if not asked.logprobs or ended.logprobs is None:
        return None
    tokens = [text for text, _ in ended.logprobs]
    offsets = [0, *accumulate(len(text) for text in tokens[:-1])] if tokens else []
    values = [value for _, value in ended.logprobs]
    return {"tokens": tokens, "token_logprobs": values, "top_logprobs": None, "text_offset": offsets}


class CompletionWriter:
    """Writes chunks of a completion."""

    def __init__(self, head: Head, asked: Asked) -> None:
        self._asked = asked
        self._head = head_json(head, "cmpl", "text_completion")
        self._begin = b"data: " + msgspec.json.encode(self._head)[:-1] + b',"choices":[{"index":'

    def write(self, event: Event) -> Iterable[bytes]:
        """The chunks that an event becomes."""
        if isinstance(event, Text):
            text = msgspec.json.encode(event.text)
            thinks = event.phase is Phase.THINKING
            said = b'"text":"","reasoning_content":%b,"reasoning":%b' % (text, text) if thinks else b'"text":' + text
            yield b'%b%d,%b,"logprobs":null,"finish_reason":null}]}\n\n' % (self._begin, event.sample, said)
        elif isinstance(event, Ended):
            end = {"text": "", "logprobs": _logprobs(self._asked, event), "finish_reason": _finish_reason(event)}
            yield sse({**self._head, "choices": [{"index": event.sample, **end}]})
        elif isinstance(event, Finished):
            usage = {"usage": usage_json(event.usage)} if self._asked.include_usage else {}
            yield sse({**self._head, "choices": [], **usage, "elastic": account_json(self._asked, event.account)})
            yield DONE

    def fail(self, error: ApiError) -> Iterable[bytes]:
        """An error event, and the end of the stream."""
        yield sse(error_body(error))
        yield DONE


COMPLETIONS = Dialect("/v1/completions", CompletionRequest, ANSWER, read, whole, CompletionWriter, error_body)
