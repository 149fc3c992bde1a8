"""llama.cpp's native `/completion` (tools/server/README.md).

It stops at text and not at ids, so it may write on where an id is waited for. It leaves out the log-probabilities of
the text that it stops at, so none are asked for.
"""

from msgspec import Struct

from elastic_reasoning.engines.concurrent import Sampled, Wanted, seed_of
from elastic_reasoning.engines.openai.dialects import Body, Dialect, Id, Terms, cut
from elastic_reasoning.untrusted.json import decode


class _Answer(Struct):
    tokens: list[Id]
    stop_type: str = ""


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
    answer = decode(text, _Answer)
    ended, full = answer.stop_type == "eos", answer.stop_type == "limit"
    return cut(answer.tokens, None, wanted, terms, ended=ended, full=full)


LLAMA_CPP = Dialect(ids=True, answer=_Answer, ask=_ask, read=_read)
