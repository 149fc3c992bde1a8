"""What a dialect is: how a request is read, and how events are written."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Event

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """What every answer says of itself."""

    id: str
    """Letters and digits alone; a dialect puts its prefix before it."""
    created: int
    """Seconds since 1970."""
    model: str


class Writer(Protocol):
    """Writes the events of one request as a stream: each event as the server-sent events that it becomes."""

    def write(self, event: Event) -> Iterable[bytes]: ...

    def fail(self, error: ApiError) -> Iterable[bytes]:
        """What ends a stream that cannot go on."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How clients speak at one endpoint."""

    path: str
    """Of the endpoint, as /v1/chat/completions."""
    request: type[msgspec.Struct]
    """A body."""
    answer: Mapping[str, str]
    """The fields of a whole answer, and their types in JSON."""
    read: Callable[[Mapping[str, Any]], Asked]
    """What a body asks for; an `ApiError` of 400 where it asks for nothing that can be."""
    whole: Callable[[Head, Asked, Iterable[Event]], Json]
    """The answer to a request that does not stream, from all of its events."""
    writer: Callable[[Head, Asked], Writer]
    """Writes the answer to a request that streams."""
    refusal: Callable[[ApiError], Json]
    """The body that says why a request is not answered."""


def encode(value: object) -> bytes:
    """JSON; half letters, which clients refuse to read, become question marks."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        text = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        return msgspec.json.encode(json.loads(text))


def sse(value: object, event: str = "") -> bytes:
    """One server-sent event of JSON."""
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + encode(value) + b"\n\n"
