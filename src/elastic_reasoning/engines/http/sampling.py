"""A stretch of tokens from a server: asked for and read as its dialect says, and checked, not believed."""

from collections.abc import Iterator, Sequence
from math import isfinite

from elastic_reasoning.core.drive import SampleRequest, SampleResult
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.template import Template
from elastic_reasoning.engines.http.bodies import most_bytes
from elastic_reasoning.engines.http.dialects.dialect import Dialect, DialectContext, End, Part, Read
from elastic_reasoning.engines.http.pool import Session
from elastic_reasoning.engines.http.replicas import RefusedError, UnavailableError

EVENT = "data: "
"""How a line of a stream begins that holds an event."""
ROUNDING = 1e-3
"""By so much may a log-probability be above 0."""


async def sample(session: Session, dialect: Dialect, wanted: SampleRequest, context: DialectContext) -> SampleResult:
    """Ask a server for a stretch of tokens.

    Raises:
        RefusedError, UnreachableError, EngineError: as `Session.ask`; `LostIdsError`: as the dialect's `read`.
    """
    path, body = dialect.ask(wanted, context)

    def read(text: str) -> SampleResult:
        return cut(read_whole(text, dialect.read(wanted, context), context.template), wanted)

    return await session.ask(path, body, read, most_bytes(wanted.max_tokens))


def read_whole(text: str, read: Read, template: Template) -> Part:
    """All that an answer or a stream holds, put together.

    Raises:
        RefusedError: it is nothing that a model with this tokenizer can have sampled.
        UnavailableError: it breaks off.
    """
    streams = text.startswith(EVENT)
    parts = [read(event) for event in (_events(text) if streams else [text])]
    if not parts or parts[-1].end is None:
        raise UnavailableError("its answer breaks off") if streams else RefusedError("the server's answer has no end")
    ids = [token for part in parts for token in part.ids]
    logprobs: list[float] | None = []
    for part in parts:
        logprobs = None if logprobs is None or part.logprobs is None else logprobs + part.logprobs
    check_sampled(ids, logprobs, template)
    return Part(ids, logprobs, parts[-1].end)


def _events(text: str) -> Iterator[str]:
    return (line.removeprefix(EVENT) for line in text.split("\n") if line.startswith(EVENT))


def check_sampled(ids: Sequence[int], logprobs: Sequence[float] | None, template: Template) -> None:
    """Refuse what no model with this tokenizer can have sampled.

    Args:
        ids: what came back.
        logprobs: of the ids; `None` where they are not known.
        template: of the model.

    Raises:
        RefusedError: an id beyond the vocabulary, no log-probability, or not one for each id.
    """
    if not ids:
        raise RefusedError("the server answered without a single token")
    if max(ids) >= template.num_tokens:
        raise RefusedError(
            f"the server answered with id {max(ids)}, and the tokenizer has {template.num_tokens}: "
            "is it the tokenizer of the served model?"
        )
    if logprobs is None:
        return
    if len(logprobs) != len(ids):
        raise RefusedError(f"the server answered with {len(logprobs)} log-probabilities for {len(ids)} ids")
    wrong = next((value for value in logprobs if not isfinite(value) or value > ROUNDING), None)
    if wrong is not None:
        raise RefusedError(f"the server answered with a log-probability of {wrong}: none is above 0 or infinite")


def cut(part: Part, wanted: SampleRequest) -> SampleResult:
    """Ids up to the first one that is waited for; what a server wrote behind it, for want of a way to stop, is lost.

    Raises:
        RefusedError: less came back than was asked for.
        EngineError: the model ended with an id that is not known to end anything.
    """
    ids, logprobs = part.ids, part.logprobs
    limit = len(ids) if wanted.max_tokens is None else wanted.max_tokens
    found = next((number for number, token in enumerate(ids[:limit], 1) if token in wanted.watch), None)
    if found is None and part.end is End.EOS and len(ids) <= limit:
        raise EngineError(
            f"the server ended at id {ids[-1]}, where it was not asked to: "
            "is the tokenizer that of its model, with the same end-of-sequence tokens?"
        )
    if found is None and part.end is End.FULL and (wanted.max_tokens is None or len(ids) < limit):
        raise RefusedError(
            f"the server stopped after {len(ids)} of {wanted.max_tokens or 'unlimited'} tokens: its context is smaller "
            "than it says; lower the budget, or set context where it tells none"
        )
    size = found or limit
    return SampleResult(tuple(ids[:size]), None if logprobs is None else tuple(logprobs[:size]))
