"""What is asked of an engine: a prompt, a budget, the strategy that spends it, and how tokens are drawn."""

from dataclasses import dataclass, field
from hashlib import blake2b

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import StrategyError, UsageError
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


@dataclass(frozen=True)
class Options:
    """What a strategy can be told beyond the budget. Each strategy names those that it supports.

    Attributes:
        wrap_up: text that is forced before a forced closing delimiter (`elastic`, `nothinking`).
        grace: thinking closes at the first line or sentence end among its last `grace` tokens (`elastic`).
        min_thinking: tokens that are thought at the least (`elastic`).
        wait: text that replaces a closing delimiter sampled too early (`elastic`, `s1`); without it `elastic`
            forbids the delimiter and the end of sequence until `min_thinking` tokens are sampled.
        num_waits: how often `s1` replaces the closing delimiter by `wait` ("Wait" if that is not given).
        answer_tokens: the tokens that `s1` keeps for the answer (20 as published).
        answer_text: the text that `s1` forces before the answer.
        max_total: the hard cap of `l1-max` in tokens (8192 as published).
    """

    wrap_up: str = ""
    grace: int = 0
    min_thinking: int = 0
    wait: str = ""
    num_waits: int = 0
    answer_tokens: int = 20
    answer_text: str = "\nFinal Answer:"
    max_total: int = 8192

    def __post_init__(self) -> None:
        for name in ("grace", "min_thinking", "num_waits", "answer_tokens", "max_total"):
            if getattr(self, name) < 0:
                raise StrategyError(f"{name} {getattr(self, name)}: must be 0 or more")


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
    """

    prompt: Prompt
    budget: Budget
    strategy: str = DEFAULT_STRATEGY
    options: Options = field(default_factory=Options)
    sampling: Sampling = field(default_factory=Sampling)
    sample: int = 0
    name: str = ""
