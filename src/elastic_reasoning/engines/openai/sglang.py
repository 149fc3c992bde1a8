"""SGLang's native `/generate` (docs.sglang.io, "Sampling Parameters").

No seed is sent: only its deterministic mode has one for each request.
"""

import json

from elastic_reasoning.engines.concurrent import Sampled, Wanted
from elastic_reasoning.engines.openai.dialects import FORBIDDEN, Body, Dialect, Terms, check_aborted, cut


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
    answer = json.loads(text)
    meta = answer["meta_info"]
    reason = meta["finish_reason"]
    check_aborted(reason["type"])
    pairs = meta.get("output_token_logprobs")
    ids = [pair[1] for pair in pairs] if pairs else list(answer["output_ids"])
    logprobs = [pair[0] for pair in pairs] if pairs else None
    matched = reason.get("matched")
    if isinstance(matched, int) and ids[-1:] != [matched]:
        ids.append(matched)  # where what is stopped at is trimmed
    return cut(ids, logprobs, wanted, ended=reason["type"] == "stop", full=reason["type"] == "length")


SGLANG = Dialect(ids=True, ask=_ask, read=_read)
