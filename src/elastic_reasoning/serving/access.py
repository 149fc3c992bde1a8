"""One HTTP request as those who run the gateway see it: who asked for what, what it came to, and how it ended."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Usage
from elastic_reasoning.serving.keys import ANYONE, Key


@dataclass(slots=True)
class Access:
    """What is known of a request so far; logs, metrics and spans are written from it, and nothing keeps it then.

    Neither keys nor, unless the operator wants them logged, prompts are in it.
    """

    id: str = field(default_factory=lambda: uuid4().hex)
    """Of the answer, too."""
    path: str = ""
    key: Key = ANYONE
    arrived: float = field(default_factory=time.monotonic)
    """By the monotonic clock."""
    model: str = ""
    """By the name that clients use; empty until it is known that there is such a model."""
    asked: Asked | None = None
    """What is asked, where prompts are logged."""
    traceparent: str = ""
    """The span of the client that this request is part of, as W3C's header has it."""
    usage: Usage = field(default_factory=Usage)
    """What it has come to, when it is over: of all its prompts, and of what had come where it did not end."""
    account: Mapping[str, Any] = field(default_factory=dict)
    """The `elastic` object, as far as it is known."""
    finish_reasons: tuple[str, ...] = ()
    """Of the samples that have ended."""
    error: ApiError | None = None
    """Why it is not answered, or not to its end."""
    is_given_up: bool = False
    """The client left before the end."""
    status: int = 0
    """Of HTTP; 0 where the client left before there was an answer."""
