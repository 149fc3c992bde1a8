"""What a client asks for, whatever its dialect."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from elastic_reasoning.core.request import Options, Sampling
from elastic_reasoning.core.template import Message


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client says of tokens, seconds and money, and of how they are spent; `None` where it says nothing."""

    thinking: int | None = None
    """Tokens."""
    solution: int | None = None
    """Tokens."""
    max_tokens: int | None = None
    """Tokens of thinking and solution together."""
    effort: str | None = None
    """minimal, low, medium, high, xhigh or max; `none` is 0 tokens of thinking."""
    deadline_seconds: float | None = None
    max_cost: float | None = None
    """In the currency of the prices."""
    strategy: str | None = None
    """How the tokens are to be spent."""
    options: Options = field(default_factory=Options)
    """What the strategy is told beyond the budget."""
    shows_thinking: bool = True
    """Whether the answer holds the text of the thinking."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The path under which each was said: {"thinking": "reasoning.max_tokens"}."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a client."""

    model: str
    messages: tuple[Message, ...] = ()
    prompts: tuple[str | tuple[int, ...], ...] = ()
    """Prompts as they stand, in place of messages: each is text or ids."""
    tools: tuple[Message, ...] = ()
    """What the model may call, as JSON schemas of functions."""
    limits: Limits = field(default_factory=Limits)
    sampling: Sampling = field(default_factory=Sampling)
    num_samples: int = 1
    stop: tuple[str, ...] = ()
    """Texts at which the solution ends."""
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    chat_only: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that only an upstream's own chat endpoint can honour, as OpenAI's chat endpoint has them.

    `messages` is among them where a message holds more than text.
    """
    stream: bool = False
    include_usage: bool = True
    continuous_usage: bool = False
    """Whether every chunk of a stream says the usage so far."""
    arrived: float = field(default_factory=time.monotonic)
    """When it came, by the clock that deadlines are kept by."""
    logprobs: bool = False
    """Whether the log-probabilities of the solution's tokens are told."""
    ignored: tuple[str, ...] = ()
    """Parameters that mean nothing here; the answer names them."""
    echo: Mapping[str, Any] = field(default_factory=dict)
    """What an answer repeats of the request, in the dialect's own shape."""
