"""What is asked of an engine: a prompt, a budget, the strategy that spends it, and how tokens are drawn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.template import Prompt

DEFAULT_STRATEGY = "elastic"
"""How a budget is spent where nothing is said of it."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        temperature: 0 is greedy; log-probabilities are then those at temperature 1.
        top_p: keep the most likely tokens whose probabilities reach this sum, in (0, 1].
        top_k: keep this many of the most likely tokens; 0 keeps all.
        seed: with `Request.sample` and the position in the completion, the key of every draw.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise UsageError(f"temperature {self.temperature}: must be 0 (greedy) or more")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"top_p {self.top_p}: must be above 0 and at most 1")
        if self.top_k < 0:
            raise UsageError(f"top_k {self.top_k}: must be 0 (off) or more")


def derived_seed(*parts: object) -> int:
    """A seed for each sequence of numbers and names, so that what they stand for shares no random numbers."""
    return int.from_bytes(blake2b(" ".join(map(str, parts)).encode(), digest_size=8).digest(), "big")


Value = str | int
OptionValues = dict[str, Value]
"""Options as a field of a configuration has them."""


class Options(Mapping[str, Value]):
    """What a strategy is told beyond the budget, by name: Options(wrap_up="Time is up.", grace=16).

    What is not given has the default of the strategy, which says what it can be told (`Strategy.options`).
    """

    __slots__ = ("_given",)

    def __init__(self, given: Mapping[str, Value] | None = None, /, **more: Value) -> None:
        self._given = {**(given or {}), **more}

    def __getitem__(self, name: str) -> Value:
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def __hash__(self) -> int:
        return hash(frozenset(self._given.items()))

    def __repr__(self) -> str:
        return f"Options({', '.join(f'{name}={value!r}' for name, value in self._given.items())})"


@dataclass(frozen=True, slots=True)
class Request:
    """One completion to make.

    Attributes:
        prompt: the prompt's ids, and whether they already open thinking.
        budget: tokens for thinking and for the solution.
        strategy: a name in `elastic_reasoning.core.strategies.STRATEGIES`.
        options: what the strategy is told beyond the budget.
        sampling: how tokens are drawn.
        sample: which of several samples of one prompt this is; part of the key of every draw.
        name: the caller's own name for it, handed back with the trace.
        deadline_seconds: the answer is to be complete so many seconds after the request has arrived at the server;
            `None` for whenever it is. Our vLLM plug-in alone keeps it; others refuse such a request.
    """

    prompt: Prompt
    budget: Budget
    strategy: str = DEFAULT_STRATEGY
    options: Options = field(default_factory=Options)
    sampling: Sampling = field(default_factory=Sampling)
    sample: int = 0
    name: str = ""
    deadline_seconds: float | None = None
