"""llama.cpp's native `/completion` (tools/server/README.md).

It stops at text and not at ids, so it may write on where an id is waited for. A whole answer leaves out the
log-probabilities of the text that it stopped at; a streamed one holds them, so that it is asked for where they are
wanted. But a stream leaves out the ids of a letter that takes several tokens, but for the last one: what stands behind
the ids that are sure is then asked for again, as a whole.
"""

from typing import Any

from msgspec import Struct

from elastic_reasoning.core.drive import SampleRequest, seed_of
from elastic_reasoning.engines.http.dialects.dialect import (
    Body,
    Dialect,
    DialectContext,
    End,
    Introduction,
    LostIdsError,
    Part,
    Server,
    told,
)
from elastic_reasoning.untrusted.json import Count, decode

MOST_HELD = 64
"""Ids that are held back: with speculative decoding it counts several at once, and tells them one by one."""
ENDS = {"eos": End.EOS, "limit": End.FULL}


class _Settings(Struct):
    n_ctx: Count | None = None
    speculative: Any = None


class _Props(Struct):
    default_generation_settings: _Settings | None = None
    build_info: str = ""


class _Logprob(Struct):
    id: Count
    logprob: float


class _Answer(Struct):
    """A whole answer, a token of a stream, or its end."""

    tokens: list[Count]
    stop: bool = True
    stop_type: str = ""
    tokens_predicted: int | None = None
    completion_probabilities: list[_Logprob] = []


async def _recognise(server: Server, context: int | None) -> Introduction | None:
    props = await told(server, "/props", _Props)
    settings = props.default_generation_settings
    if settings is None:
        return None
    speculative = settings.speculative if isinstance(settings.speculative, bool) else None
    return Introduction(settings.n_ctx or None, props.build_info, speculative)


def _ask(wanted: SampleRequest, context: DialectContext) -> tuple[str, Body]:
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
    if wanted.edits:
        body["logit_bias"] = [
            [token, False if token in wanted.banned else bias] for token, bias in wanted.biases.items()
        ]
    if context.logprobs:
        body["n_probs"] = 1
    if context.logprobs or context.stream:
        body["stream"] = True
    return "/completion", body


class _Reader:
    """Reads an answer. Of a stream, ids are held back while it has counted more than it has told."""

    def __init__(self, context: DialectContext) -> None:
        self._context = context
        self._ids: list[int] = []
        self._logprobs: list[float] = []
        self._num_told = 0

    def __call__(self, text: str) -> Part:
        answer = decode(text, _Answer)
        known = answer.completion_probabilities
        if self._context.logprobs and [logprob.id for logprob in known] != answer.tokens:
            raise LostIdsError
        self._ids += answer.tokens
        self._logprobs += (logprob.logprob for logprob in known)
        self._num_told += len(answer.tokens)
        end = ENDS.get(answer.stop_type, End.ASKED) if answer.stop else None
        num_counted = answer.tokens_predicted
        if num_counted is not None and self._num_told < num_counted and (end or len(self._ids) > MOST_HELD):
            raise LostIdsError
        if end is None and (num_counted is None or self._num_told < num_counted):
            return Part([], [] if self._context.logprobs else None, None)
        ids, logprobs, self._ids, self._logprobs = self._ids, self._logprobs, [], []
        return Part(ids, logprobs if self._context.logprobs else None, end)


DIALECT = Dialect(
    name="llama.cpp",
    returns_ids=True,
    streams=True,
    ask=_ask,
    read=lambda wanted, context: _Reader(context),
    is_answer=lambda text, num_ids: bool(decode(text, _Answer)),
    recognise=_recognise,
    native_parameter="thinking_budget_tokens",
    native_budget="thinking_budget_tokens, not used: it has no solution budget",
)
