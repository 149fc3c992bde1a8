"""llama.cpp's native `/completion` (tools/server/README.md).

It stops at text and not at ids, so it may write on where an id is waited for. It leaves out the log-probabilities of
the text that it stops at, so none are asked for.
"""

import json

from elastic_reasoning.engines.concurrent import Sampled, Wanted, seed_of
from elastic_reasoning.engines.openai.dialects import Body, Dialect, Terms, cut


def _ask(wanted: Wanted, terms: Terms) -> tuple[str, Body]:
    sampling = wanted.request.sampling
    body: Body = {
        "prompt": list(wanted.ids),
        "n_predict": -1 if wanted.max_tokens is None else wanted.max_tokens,
        "samplers": ["temperature", "top_k", "top_p"],
        "temperature": sampling.temperature,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "seed": seed_of(wanted.request, wanted.position) % (2**32 - 1),  # the largest one asks for a random seed
        "return_tokens": True,
        "cache_prompt": True,
    }
    if wanted.stop_texts:
        # It stops at text alone. A special token has none unless it is preserved.
        body |= {"stop": list(wanted.stop_texts), "preserved_tokens": list(wanted.stop_texts)}
    if wanted.banned:
        body["logit_bias"] = [[token, False] for token in sorted(wanted.banned)]
    return "/completion", body


def _read(text: str, wanted: Wanted, terms: Terms) -> Sampled:
    answer = json.loads(text)
    ids, stop = list(answer["tokens"]), answer["stop_type"]
    return cut(ids, None, wanted, ended=stop == "eos", full=stop == "limit")


LLAMA_CPP = Dialect(ids=True, ask=_ask, read=_read)
