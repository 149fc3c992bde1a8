"""llama.cpp's native `/completion` (tools/server/README.md).

It stops at text and not at ids, so it may write on where an id is waited for. A whole answer leaves out the
log-probabilities of the text that it stopped at; a streamed one holds them, so that it is asked for where they are
wanted. But a stream leaves out the ids of a letter that takes several tokens, but for the last one: an answer with
such a letter is asked for again as a whole.
"""

from msgspec import Struct

from elastic_reasoning.engines.concurrent import Sampled, Wanted, seed_of
from elastic_reasoning.engines.http.dialects.dialect import Body, Dialect, LostIdsError, Terms, cut
from elastic_reasoning.engines.http.replicas import UnavailableError
from elastic_reasoning.untrusted.json import Count, decode

EVENT = "data: "
"""How a line of a stream begins that holds an event."""


class _Answer(Struct):
    tokens: list[Count]
    stop_type: str = ""


class _Logprob(Struct):
    id: Count
    logprob: float


class _Event(Struct):
    """A token of a stream, or its end."""

    tokens: list[Count]
    stop: bool
    stop_type: str = ""
    tokens_predicted: int = 0
    completion_probabilities: list[_Logprob] = []


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
    if terms.logprobs:
        body |= {"stream": True, "n_probs": 1}
    return "/completion", body


def _read(text: str, wanted: Wanted, terms: Terms) -> Sampled:
    if terms.logprobs:
        ids, logprobs, stop_type = _streamed(text)
    else:
        answer = decode(text, _Answer)
        ids, logprobs, stop_type = answer.tokens, None, answer.stop_type
    return cut(ids, logprobs, wanted, terms, ended=stop_type == "eos", full=stop_type == "limit")


def _streamed(text: str) -> tuple[list[int], list[float], str]:
    """The ids of a stream, their log-probabilities, and why it ended."""
    lines = [line.removeprefix(EVENT) for line in text.split("\n") if line.startswith(EVENT)]
    events = [decode(line, _Event) for line in lines]
    if not events or not events[-1].stop:
        raise UnavailableError("its answer breaks off")
    ids = [token for event in events for token in event.tokens]
    known = [logprob for event in events for logprob in event.completion_probabilities]
    if len(ids) < events[-1].tokens_predicted or [logprob.id for logprob in known] != ids:
        raise LostIdsError
    return ids, [logprob.logprob for logprob in known], events[-1].stop_type


LLAMA_CPP = Dialect(ids=True, answer=_Answer, ask=_ask, read=_read)
