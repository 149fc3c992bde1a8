"""vLLM's `/v1/completions` with `return_token_ids` (vLLM 0.32): a stretch of tokens, or all in one pass."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.wire import to_wire
from elastic_reasoning.engines.concurrent import Sampled, Wanted, seed_of
from elastic_reasoning.engines.http.dialects.dialect import (
    FORBIDDEN,
    Body,
    Dialect,
    Terms,
    check_aborted,
    check_sampled,
    cut,
)
from elastic_reasoning.engines.http.replicas import RefusedError
from elastic_reasoning.untrusted.json import Count, decode


class _Logprobs(Struct):
    token_logprobs: list[float]


class _Choice(Struct):
    token_ids: list[Count] | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class Completion(Struct):
    """As much of an answer as is read."""

    choices: Annotated[list[_Choice], Meta(min_length=1)]


def _body(request: Request, ids: Sequence[int], max_tokens: int | None, seed: int, terms: Terms) -> Body:
    """Every setting is sent: what is left out a server takes from the model's generation configuration."""
    sampling = request.sampling
    if max_tokens is None:  # vLLM takes it for 16
        raise RefusedError("the server does not tell its context: give a finite budget, or set context")
    body: Body = {
        "model": terms.model,
        "prompt": list(ids),
        "max_tokens": max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "seed": seed,
        "return_token_ids": True,
        "skip_special_tokens": False,
    }
    return {**body, "logprobs": 0} if terms.logprobs else body


def _ask(wanted: Wanted, terms: Terms) -> tuple[str, Body]:
    seed = seed_of(wanted.request, wanted.position)
    body = _body(wanted.request, wanted.ids, wanted.max_tokens, seed, terms)
    body["stop_token_ids"] = sorted(wanted.watch)
    if wanted.banned:
        body["logit_bias"] = {str(token): FORBIDDEN for token in sorted(wanted.banned)}
    return "completions", body


def _read(text: str, wanted: Wanted, terms: Terms) -> Sampled:
    ids, logprobs, reason = _choice(text)
    return cut(ids, logprobs, wanted, terms, ended=reason == "stop", full=reason == "length")


def _choice(text: str) -> tuple[list[int], list[float] | None, str | None]:
    choice = decode(text, Completion).choices[0]
    check_aborted(choice.finish_reason)
    if choice.token_ids is None:
        raise RefusedError("the server answered without the ids that it was asked for")
    logprobs = None if choice.logprobs is None else choice.logprobs.token_logprobs
    return choice.token_ids, logprobs, choice.finish_reason


def ask_one_pass(request: Request, max_tokens: int | None, terms: Terms) -> tuple[str, Body]:
    """A whole completion from a vLLM server that has our plug-in."""
    body = _body(request, request.prompt.ids, max_tokens, seed_of(request), terms)
    return "completions", {**body, "vllm_xargs": to_wire(request)}


def read_one_pass(text: str, template: Template) -> Sampled:
    """Every id of the completion, forced ones among them."""
    ids, logprobs, _ = _choice(text)
    check_sampled(ids, logprobs, template)
    return Sampled(tuple(ids), None if logprobs is None else tuple(logprobs))


VLLM = Dialect(ids=True, answer=Completion, ask=_ask, read=_read)
