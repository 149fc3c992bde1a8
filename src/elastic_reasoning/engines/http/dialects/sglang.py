"""SGLang's native `/generate` (docs.sglang.io, "Sampling Parameters").

No seed is sent: only its deterministic mode has one for each request.
"""

from typing import Any

from msgspec import Struct

from elastic_reasoning.engines.concurrent import Sampled, Wanted
from elastic_reasoning.engines.http.dialects.dialect import FORBIDDEN, Body, Dialect, Terms, check_aborted, cut
from elastic_reasoning.untrusted.json import Count, decode


class _Reason(Struct):
    type: str
    matched: Any = None


class _Meta(Struct):
    finish_reason: _Reason
    output_token_logprobs: list[tuple[float, Count, str | None]] | None = None


class _Answer(Struct):
    meta_info: _Meta
    output_ids: list[Count] | None = None


def _ask(wanted: Wanted, terms: Terms) -> tuple[str, Body]:
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
    return "/generate", {"input_ids": list(wanted.ids), "sampling_params": params, "return_logprob": terms.logprobs}


def _read(text: str, wanted: Wanted, terms: Terms) -> Sampled:
    answer = decode(text, _Answer)
    reason, pairs = answer.meta_info.finish_reason, answer.meta_info.output_token_logprobs
    check_aborted(reason.type)
    ids = [token for _, token, _ in pairs] if pairs else list(answer.output_ids or ())
    logprobs = [logprob for logprob, _, _ in pairs] if pairs else None
    matched = reason.matched
    if type(matched) is int and matched >= 0 and ids[-1:] != [matched]:
        ids.append(matched)  # where what is stopped at is trimmed, with its log-probability
        logprobs = None
    return cut(ids, logprobs, wanted, terms, ended=reason.type == "stop", full=reason.type == "length")


SGLANG = Dialect(ids=True, answer=_Answer, ask=_ask, read=_read)
