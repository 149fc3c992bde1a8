"""SGLang's native `/generate` (docs.sglang.io, "Sampling Parameters"): a stretch of tokens, or all in one pass.

No seed is sent: only its deterministic mode has one for each request. Each event of a stream holds all ids so far, or
the new ones alone, as the server was started; how many there are it says in any case.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from elastic_reasoning.core.drive import SampleRequest
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
    Introduction,
    OnePass,
    Part,
    Read,
    Server,
    check_aborted,
    check_budgets,
    probe,
    told,
)
from elastic_reasoning.engines.http.replicas import RefusedError
from elastic_reasoning.untrusted.json import Count, decode

ENDS = {"stop": End.EOS, "length": End.FULL}
BUDGET = "elastic"
"""What our plug-in reads of `custom_params`."""
FLAG = "--enable-custom-logit-processor"


class _Info(Struct):
    speculative_algorithm: str | UnsetType | None = UNSET
    version: str = ""


class _Reason(Struct):
    type: str
    matched: Any = None


class _Meta(Struct):
    finish_reason: _Reason | None
    completion_tokens: Count | None = None
    output_token_logprobs: list[tuple[float, Count, str | None]] | None = None


class _Answer(Struct):
    meta_info: _Meta
    output_ids: list[Count] | None = None


async def _recognise(server: Server, context: int | None) -> Introduction | None:
    for path in ("/get_server_info", "/server_info"):
        info = await told(server, path, _Info)
        if info.speculative_algorithm is not UNSET:
            # It samples at most max_model_len - 2 - prompt tokens (Scheduler.init_req_max_new_tokens).
            return Introduction(context and context - 2, info.version, bool(info.speculative_algorithm))
    return None


def _body(request: Request, ids: Sequence[int], context: DialectContext, **params: Any) -> Body:
    """Every setting is sent: what is left out a server takes from the model's generation configuration."""
    sampling = request.sampling
    settings = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k or -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "skip_special_tokens": False,
    }
    return {
        "input_ids": list(ids),
        "sampling_params": {**settings, **params},
        "return_logprob": context.logprobs,
        "stream": context.stream,
    }


def _ask(wanted: SampleRequest, context: DialectContext) -> tuple[str, Body]:
    params: Body = {"max_new_tokens": wanted.max_tokens, "stop_token_ids": sorted(wanted.watch)}
    if wanted.edits:
        params["logit_bias"] = {str(token): bias for token, bias in wanted.biases.items()}
    return "/generate", _body(wanted.request, wanted.ids, context, **params)


def _ask_one_pass(request: Request, max_tokens: int | None, context: DialectContext) -> tuple[str, Body]:
    values = {BUDGET: to_wire(request)}
    return "/generate", _body(request, request.prompt.ids, context, max_new_tokens=max_tokens, custom_params=values)


def _reader() -> Read:
    """Reads one answer."""
    num_read = 0

    def read(text: str) -> Part:
        nonlocal num_read
        answer = decode(text, _Answer)
        reason, pairs = answer.meta_info.finish_reason, answer.meta_info.output_token_logprobs
        ids = [token for _, token, _ in pairs] if pairs else list(answer.output_ids or ())
        logprobs = [logprob for logprob, _, _ in pairs] if pairs else None
        if reason is not None:
            check_aborted(reason.type)
            if type(reason.matched) is int and reason.matched >= 0 and ids[-1:] != [reason.matched]:
                ids.append(reason.matched)  # where what is stopped at is trimmed, with its log-probability
                logprobs = None
        num_new = len(ids) if answer.meta_info.completion_tokens is None else answer.meta_info.completion_tokens
        num_new -= num_read
        num_read += num_new
        start = max(0, len(ids) - num_new)
        end = None if reason is None else ENDS.get(reason.type, End.ASKED)
        return Part(ids[start:], None if logprobs is None else logprobs[start:], end)

    return read


async def _examine(server: Server, context: DialectContext) -> Findings:
    if not await _refuses_wrong_budgets(server, context):
        return Findings(missing=f"{NO_PLUG_IN}; install elastic-reasoning beside SGLang, and start it with {FLAG}")
    try:
        await check_budgets(server, context, ONE_PASS)
    except RefusedError as error:
        return Findings(missing=str(error))
    except EngineError as error:
        return Findings(missing=f"its plug-in marks thinking otherwise, or does not keep budgets ({error})")
    return Findings(plug_in=True)


async def _refuses_wrong_budgets(server: Server, context: DialectContext) -> bool:
    """Whether our plug-in is there, be it of use or not; without it nobody reads what would be wrong."""
    path, body = _ask(probe(context, Sampling(temperature=0), 1), context)
    body["sampling_params"]["custom_params"] = {BUDGET: {"thinking_budget": -1}}
    try:
        await server.ask(path, body, str)
    except RefusedError as error:
        return error.status == 400
    return False


ONE_PASS = OnePass(_ask_one_pass, _reader)
DIALECT = Dialect(
    name="sglang",
    returns_ids=True,
    streams=True,
    ask=_ask,
    read=lambda wanted, context: _reader(),
    is_answer=lambda text, num_ids: bool(decode(text, _Answer)),
    recognise=_recognise,
    examine=_examine,
    one_pass=ONE_PASS,
    native_budget=(
        "thinking_budget, not used: it has no solution budget, and is ignored where the server was not set up"
    ),
)
