"""SGLang's native `/generate` (docs.sglang.io, "Sampling Parameters").

No seed is sent: only its deterministic mode has one for each request. Each event of a stream holds all ids so far, or
the new ones alone, as the server was started; how many there are it says in any case.
"""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from elastic_reasoning.core.drive import SampleRequest
from elastic_reasoning.engines.http.dialects.dialect import (
    FORBIDDEN,
    Body,
    Dialect,
    DialectContext,
    End,
    Introduction,
    Part,
    Read,
    Server,
    check_aborted,
    told,
)
from elastic_reasoning.untrusted.json import Count, decode

ENDS = {"stop": End.EOS, "length": End.FULL}


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


def _ask(wanted: SampleRequest, context: DialectContext) -> tuple[str, Body]:
    sampling = wanted.request.sampling
    params: Body = {
        "max_new_tokens": wanted.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k or -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "stop_token_ids": sorted(wanted.watch),
        "skip_special_tokens": False,
    }
    if wanted.banned:
        params["logit_bias"] = {str(token): FORBIDDEN for token in sorted(wanted.banned)}
    return "/generate", {
        "input_ids": list(wanted.ids),
        "sampling_params": params,
        "return_logprob": context.logprobs,
        "stream": context.stream,
    }


def _read(wanted: SampleRequest, context: DialectContext) -> Read:
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


DIALECT = Dialect(
    name="sglang",
    returns_ids=True,
    streams=True,
    ask=_ask,
    read=_read,
    is_answer=lambda text, num_ids: bool(decode(text, _Answer)),
    recognise=_recognise,
    native_budget=(
        "thinking_budget, not used: it has no solution budget, and is ignored where the server was not set up"
    ),
)
