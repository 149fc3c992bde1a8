"""What happens to a request, as every dialect is told of it.

Started, then for each sample Text and ToolCall as they come and one Ended; then Finished.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from elastic_reasoning.core.segment import Phase


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a request, of all its samples together."""

    prompt: int = 0
    cached: int = 0
    """Of the prompt, those that an upstream says it had."""
    completion: int = 0
    """All tokens of the completions: sampled and forced, thinking and solution."""
    reasoning: int = 0
    """Sampled thinking tokens."""

    def plus(self, other: "Usage") -> "Usage":
        """Both together; the prompt counts once."""
        return Usage(
            max(self.prompt, other.prompt),
            max(self.cached, other.cached),
            self.completion + other.completion,
            self.reasoning + other.reasoning,
        )

    def beside(self, other: "Usage") -> "Usage":
        """Both together, of different prompts."""
        return replace(self.plus(other), prompt=self.prompt + other.prompt, cached=self.cached + other.cached)


@dataclass(frozen=True, slots=True)
class Started:
    """The request is admitted: from now on it is answered."""

    num_prompt_tokens: int
    account: Mapping[str, Any]
    """The `elastic` object as far as it is known: budgets as understood, and by which name."""


@dataclass(frozen=True, slots=True)
class Text:
    """More text of a sample: of its thinking (forced wrap-up text too) or of its solution."""

    sample: int
    phase: Phase
    """THINKING or SOLUTION."""
    text: str
    num_tokens: int
    """Tokens that have come since the text before; the text of some may still be held back."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A whole tool call of a sample."""

    sample: int
    number: int
    id: str
    name: str
    arguments: str
    """JSON."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A sample is over."""

    sample: int
    finish_reason: str
    """stop, length or tool_calls."""
    usage: Usage
    account: Mapping[str, Any]
    """The sample's part of the `elastic` object."""
    stop: str | None = None
    """The client's stop text that ended it."""
    logprobs: Sequence[tuple[str, float]] | None = None
    """The solution's tokens and their log-probabilities, where they are asked for and known."""
    alternatives: Sequence[Sequence[tuple[str, float]]] = ()
    """What else was likely in place of each of them, where an upstream tells."""


@dataclass(frozen=True, slots=True)
class Finished:
    """All samples are over."""

    usage: Usage
    account: Mapping[str, Any] = field(default_factory=dict)
    """The `elastic` object."""


Event = Started | Text | ToolCall | Ended | Finished
