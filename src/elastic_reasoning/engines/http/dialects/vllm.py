"""vLLM's `/v1/completions` with `return_token_ids` (vLLM 0.32): a stretch of tokens, or all in one pass."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from elastic_reasoning.core.drive import SampleRequest, seed_of
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.request import Request, Sampling
from elastic_reasoning.core.wire import to_wire
from elastic_reasoning.engines.http.dialects.dialect import (
    NO_PLUG_IN,
    Body,
    Dialect,
    DialectContext,
    End,
    Findings,
    OnePass,
    Part,
    Read,
    Server,
    check_aborted,
    check_budgets,
    probe,
)
from elastic_reasoning.engines.http.replicas import RefusedError
from elastic_reasoning.untrusted.json import Count, decode

ENDS = {"stop": End.EOS, "length": End.FULL, None: None}


class _Logprobs(Struct):
    token_logprobs: list[float]


class _Choice(Struct):
    token_ids: list[Count] | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Completion(Struct):
    """As much of an answer, or of an event, as is read."""

    choices: Annotated[list[_Choice], Meta(min_length=1)]


def _body(request: Request, ids: Sequence[int], max_tokens: int | None, seed: int, context: DialectContext) -> Body:
    """Every setting is sent: what is left out a server takes from the model's generation configuration."""
    sampling = request.sampling
    if max_tokens is None:  # vLLM takes it for 16
        raise RefusedError("the server does not tell its context: give a finite budget, or set context")
    body: Body = {
        "model": context.model,
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
        "stream": context.stream,
    }
    return {**body, "logprobs": 0} if context.logprobs else body


def _ask(wanted: SampleRequest, context: DialectContext) -> tuple[str, Body]:
    seed = seed_of(wanted.request, wanted.position)
    body = _body(wanted.request, wanted.ids, wanted.max_tokens, seed, context)
    body["stop_token_ids"] = sorted(wanted.watch)
    if wanted.edits:
        body["logit_bias"] = {str(token): bias for token, bias in wanted.biases.items()}
    return "completions", body


def _ask_one_pass(request: Request, max_tokens: int | None, context: DialectContext) -> tuple[str, Body]:
    body = _body(request, request.prompt.ids, max_tokens, seed_of(request), context)
    return "completions", {**body, "vllm_xargs": to_wire(request)}


def _read_part(text: str) -> Part:
    choice = decode(text, _Completion).choices[0]
    check_aborted(choice.finish_reason)
    if choice.token_ids is None:
        raise RefusedError("the server answered without the ids that it was asked for")
    logprobs = None if choice.logprobs is None else choice.logprobs.token_logprobs
    return Part(choice.token_ids, logprobs, ENDS.get(choice.finish_reason, End.ASKED))


def _read(wanted: SampleRequest, context: DialectContext) -> Read:
    return _read_part


async def _examine(server: Server, context: DialectContext) -> Findings:
    return Findings(
        plug_in=await _has_plug_in(server, context),
        missing=f"{NO_PLUG_IN}; install elastic-reasoning[vllm] beside vLLM",
        native=await _has_native_budget(server, context),
        speculative=await _speculates(server),
    )


async def _has_plug_in(server: Server, context: DialectContext) -> bool:
    """Whether a wrong budget is refused, and right ones come back as they were asked for."""
    wanted = probe(context, Sampling(temperature=0), 2).request
    path, body = _ask_one_pass(wanted, 1, context)
    try:
        await server.ask(path, {**body, "vllm_xargs": {"thinking_budget": -1}}, str)
        return False
    except RefusedError as error:
        if error.status != 400:
            return False
    try:
        await check_budgets(server, context, ONE_PASS)
    except (RefusedError, EngineError):
        return False
    return True


async def _has_native_budget(server: Server, context: DialectContext) -> bool:
    """Whether it takes a `thinking_token_budget`, for which it wants a reasoning parser."""
    path, body = _ask(probe(context, Sampling(temperature=0), 1), context)
    try:
        await server.ask(path, {**body, "thinking_token_budget": 1}, lambda text: decode(text, _Completion))
    except RefusedError:
        return False
    return True


async def _speculates(server: Server) -> bool | None:
    """Its counters name speculative decoding where it is on."""
    try:
        metrics = await server.ask("/metrics", None, str)
    except (RefusedError, EngineError):  # it may be closed to us
        return None
    return "spec_decode" in metrics if "vllm:" in metrics else None


ONE_PASS = OnePass(_ask_one_pass, lambda: _read_part, chat_parameter="vllm_xargs")
DIALECT = Dialect(
    name="vllm",
    returns_ids=True,
    streams=True,
    ask=_ask,
    read=_read,
    is_answer=lambda text, num_ids: bool(decode(text, _Completion).choices[0].token_ids),
    examine=_examine,
    one_pass=ONE_PASS,
    native_parameter="thinking_token_budget",
    native_budget=(
        "thinking_token_budget, not used: it has no solution budget, charges what stands behind the opening delimiter "
        "in the prompt, lets an end of sequence in thinking end without an answer, and starts anew where thinking is "
        "opened again"
    ),
)
