"""A server's own chat endpoint, for what calls in tokens cannot do; nothing is known of its tokens here."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from elastic_reasoning.engines.http.bodies import most_bytes
from elastic_reasoning.engines.http.dialects.dialect import Body
from elastic_reasoning.engines.http.replicas import UnavailableError, UnreachableError
from elastic_reasoning.engines.http.session import Session, Tries


async def chat(session: Session, body: Body) -> AsyncGenerator[str, None]:
    """Ask a server's chat endpoint; before the first event others are tried.

    Yields:
        The events of the stream.

    Raises:
        UnreachableError: nothing answers, or the stream breaks off.
        RefusedError, EngineError: as `sample`.
    """
    path, tries, has_begun = "chat/completions", Tries(session), False
    while True:
        await tries.wait()
        try:
            async with aclosing(session.events(path, body, most_bytes(None))) as events:
                async for together in events:
                    for event in together:
                        said = session.read_event(path, event, str)
                        if not has_begun:
                            await tries.progressed()
                            has_begun = True
                        yield said
        except UnavailableError as error:
            tries.failed(path, error)
            if has_begun:
                raise UnreachableError(f"{session.base} broke off within an answer: {error}") from None
        else:
            return
