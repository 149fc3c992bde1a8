"""A stretch of tokens from a server: asked for and read as its dialect says, checked, and handed on as it comes."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import isfinite

from elastic_reasoning.core.drive import SampleRequest, SampleResult
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Template
from elastic_reasoning.engines.http.bodies import most_bytes
from elastic_reasoning.engines.http.dialects.dialect import (
    Body,
    Dialect,
    DialectContext,
    End,
    LostIdsError,
    Part,
    Read,
)
from elastic_reasoning.engines.http.replicas import RefusedError, UnavailableError
from elastic_reasoning.engines.http.session import Session, Tries
from elastic_reasoning.engines.one_pass import BrokenOffError

ROUNDING = 1e-3
"""By so much may a log-probability be above 0."""
SPARE_EVENTS = 64
"""Events of a stream beside one for each token."""
NUM_WHOLE = 64
"""Tokens that are asked for as a whole, where a stream has left out some, before it is streamed again."""


async def sample(
    session: Session, dialect: Dialect, request: SampleRequest, context: DialectContext
) -> AsyncGenerator[SampleResult, None]:
    """Ask a server for a stretch of tokens.

    An answer that breaks off is asked for again from what stands: nothing is lost, and nothing comes twice. What a
    server writes behind an id that is waited for, for want of a way to stop, is handed on too, in another part.

    Args:
        session: of the request.
        dialect: how the server is asked.
        request: what is wanted.
        context: whether it is streamed, and what else the dialect must know.

    Yields:
        Ids as they come; one that is waited for ends a part.

    Raises:
        RefusedError: the server finds fault with the request, or answers with less than was asked for, or with what
            cannot have been sampled.
        UnreachableError: as `Session.ask`.
        EngineError: likewise; or the model ended with an id that is not known to end anything.
    """
    rest, is_whole, tries = request, False, Tries(session)
    while rest.max_tokens != 0:
        how = replace(context, logprobs=False, stream=False) if is_whole else context
        asked = _shortened(rest) if is_whole and context.stream else rest
        path, body = dialect.ask(asked, how)
        answer, held = Answer(asked, context.template), list[SampleResult]()
        try:
            parts = read_parts(session, tries, path, body, dialect.read(asked, how), asked.max_tokens)
            async with aclosing(parts):
                async for part in parts:
                    held += answer.take(part)
                    while how.stream and held:
                        yield held.pop(0)
            answer.check_end()
            done, is_whole = asked is rest or not answer.is_full, False
        except UnavailableError as error:
            done = False
            tries.failed(path, error)
        except LostIdsError:
            done, is_whole = False, True
        for piece in held:
            yield piece
        if done:
            return
        rest = rest.after(answer.ids)


def _shortened(request: SampleRequest) -> SampleRequest:
    most = request.max_tokens
    return replace(request, max_tokens=NUM_WHOLE if most is None else min(most, NUM_WHOLE))


async def sample_whole(
    session: Session, dialect: Dialect, request: Request, context: DialectContext, max_tokens: int | None
) -> AsyncGenerator[SampleResult, None]:
    """Ask a server with our plug-in for a whole completion.

    Args:
        session, dialect, context: as for `sample`.
        request: what is asked.
        max_tokens: the most that it can have, forced ones among them.

    Yields:
        Ids as they come, forced ones among them.

    Raises:
        BrokenOffError: it broke off after some had come.
        RefusedError, UnreachableError, EngineError: as `sample`.
    """
    assert dialect.one_pass is not None
    path, body = dialect.one_pass.ask(request, max_tokens, context)
    tries, num = Tries(session), 0
    while True:
        try:
            async with aclosing(read_parts(session, tries, path, body, dialect.one_pass.read(), max_tokens)) as parts:
                async for part in parts:
                    check_sampled(part.ids, part.logprobs, context.template)
                    num += len(part.ids)
                    yield SampleResult(tuple(part.ids), None if part.logprobs is None else tuple(part.logprobs))
        except UnavailableError as error:
            tries.failed(path, error)
            if num:
                raise BrokenOffError from None
        else:
            return


async def read_parts(
    session: Session, tries: Tries, path: str, body: Body, read: Read, num_tokens: int | None
) -> AsyncGenerator[Part, None]:
    """One try: what an answer, or each event of a stream, says.

    Raises:
        RefusedError: there is more of it than there may be for so many tokens; as `Session.events`, and as `read`.
        UnavailableError: it breaks off, or as `Session.events`.
        LostIdsError: as `read`.
    """
    await tries.wait()
    num_events, end = 0, None
    read_event = session.read_event if body.get("stream") else session.read
    async with aclosing(session.events(path, body, most_bytes(num_tokens))) as events:
        async for together in events:
            num_events += len(together)
            if num_tokens is not None and num_events > num_tokens + SPARE_EVENTS:
                raise RefusedError(
                    f"the server's answer is longer than {num_tokens} tokens, and was not read to its end"
                )
            part, failure = _read_together(together, partial(read_event, path, read=read))
            if part.ids:
                await tries.progressed()
            end = part.end or end
            yield part
            if failure is not None:
                raise failure
    if end is None:
        streamed = body.get("stream")
        raise UnavailableError("its answer breaks off") if streamed else RefusedError("the server's answer has no end")


def _read_together(events: list[str], read: Read) -> tuple[Part, Exception | None]:
    """What these events say up to the first that cannot be read, and why that one cannot."""
    ids, logprobs, end = list[int](), list[float](), None
    has_logprobs = True
    failure: Exception | None = None
    try:
        for event in events:
            part = read(event)
            ids += part.ids
            if part.logprobs is not None:
                logprobs += part.logprobs
            elif part.ids:
                has_logprobs = False
            end = part.end or end
    except Exception as error:
        failure = error
    return Part(ids, logprobs if has_logprobs else None, end), failure


class Answer:
    """What has come of an answer so far.

    Attributes:
        ids: what was handed on.

    Args:
        request: what was asked for.
        template: of the model.
    """

    def __init__(self, request: SampleRequest, template: Template) -> None:
        self._request, self._template = request, template
        self.ids: list[int] = []
        self._end: End | None = None
        self._is_cut = False

    @property
    def is_full(self) -> bool:
        """Whether all tokens that were asked for are there."""
        return self._request.max_tokens is not None and len(self.ids) >= self._request.max_tokens

    def take(self, part: Part) -> list[SampleResult]:
        """Check what has come; what counts of it, in pieces that end with an id that is waited for.

        Raises:
            RefusedError: it is nothing that a model with this tokenizer can have sampled.
        """
        check_sampled(part.ids, part.logprobs, self._template)
        self._end = part.end
        limit = self._request.max_tokens
        room = len(part.ids) if limit is None else limit - len(self.ids)
        ids, logprobs = part.ids[:room], part.logprobs
        self.ids += ids
        self._is_cut = len(part.ids) > room
        ends = [number for number, token in enumerate(ids, 1) if token in self._request.watch]
        bounds = [0, *ends, *([len(ids)] if ids and len(ids) not in ends else [])]
        return [
            SampleResult(tuple(ids[start:end]), None if logprobs is None else tuple(logprobs[start:end]))
            for start, end in pairwise(bounds)
        ]

    def check_end(self) -> None:
        """Refuse an answer that ends where it was not asked to.

        Raises:
            RefusedError: nothing came back, or less than was asked for.
            EngineError: the model ended with an id that is not known to end anything.
        """
        ids, limit = self.ids, self._request.max_tokens
        if not ids:
            raise RefusedError("the server answered without a single token")
        if ids[-1] in self._request.watch or self._is_cut:
            return
        if self._end is End.EOS:
            raise EngineError(
                f"the server ended at id {ids[-1]}, where it was not asked to: "
                "is the tokenizer that of its model, with the same end-of-sequence tokens?"
            )
        if self._end is End.FULL and not self.is_full:
            raise RefusedError(
                f"the server stopped after {len(ids)} of {limit or 'unlimited'} tokens: its context is smaller "
                "than it says; lower the budget, or set context where it tells none"
            )


def check_sampled(ids: Sequence[int], logprobs: Sequence[float] | None, template: Template) -> None:
    """Refuse what no model with this tokenizer can have sampled.

    Args:
        ids: what came back.
        logprobs: of the ids; `None` where they are not known.
        template: of the model.

    Raises:
        RefusedError: an id beyond the vocabulary, no log-probability, or not one for each id.
    """
    if ids and max(ids) >= template.num_tokens:
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
