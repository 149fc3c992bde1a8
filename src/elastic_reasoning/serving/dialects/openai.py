"""What OpenAI's endpoints have in common."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest
from typing import Any

from elastic_reasoning.core.request import Sampling
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.dialects.blocks import Sample, gather
from elastic_reasoning.serving.dialects.dialect import Head, Json
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Ended, Event, ToolCall, Usage


def sampling_of(
    temperature: float | None, top_p: float | None, top_k: int | None = None, seed: int | None = None
) -> Sampling:
    """How tokens are to be drawn; without a seed, differently each time."""
    return Sampling(
        1.0 if temperature is None else temperature,
        1.0 if top_p is None else top_p,
        max(top_k or 0, 0),
        secrets.randbits(63) if seed is None else seed,
    )


def stops_of(stop: str | list[str] | None) -> tuple[str, ...]:
    """Texts at which the solution ends."""
    return (stop,) if isinstance(stop, str) else tuple(stop or ())


def head_json(head: Head, prefix: str, kind: str) -> Json:
    """What every answer, and every chunk of one, begins with."""
    return {"id": f"{prefix}-{head.id}", "object": kind, "created": head.created, "model": head.model}


def whole_json(begun: Json, asked: Asked, events: Iterable[Event], choice: Callable[[Asked, Sample], Json]) -> Json:
    """An answer to a request that does not stream, of what it begins with and of a choice for each sample."""
    answer = gather(events)
    return {
        **begun,
        "choices": [choice(asked, sample) for sample in answer.samples],
        "usage": usage_json(answer.finished.usage),
        "elastic": account_json(asked, answer.finished.account),
    }


def usage_json(usage: Usage) -> Json:
    """Usage as OpenAI's chat and completions endpoints write it."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def account_json(asked: Asked, account: Mapping[str, Any]) -> Json:
    """The `elastic` object, with the names of parameters that meant nothing."""
    return {**account, "ignored": list(asked.ignored)} if asked.ignored else dict(account)


def call_json(call: ToolCall) -> Json:
    """A tool call as OpenAI's chat endpoint writes it."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def token_logprobs(asked: Asked, ended: Ended) -> list[Json] | None:
    """Log-probabilities of the solution's tokens, where they are asked for and known."""
    if not asked.logprobs or ended.logprobs is None:
        return None
    pairs = zip_longest(ended.logprobs, ended.alternatives, fillvalue=())
    return [{**_token(*token), "top_logprobs": [_token(*each) for each in others]} for token, others in pairs]


def _token(text: str, logprob: float) -> Json:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def error_body(error: ApiError) -> Json:
    """An error as OpenAI writes it."""
    kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    return {
        "error": {
            "message": error.message,
            "type": kinds.get(error.status, kind),
            "param": error.param or None,
            "code": error.code or None,
            **error.details,
        }
    }
