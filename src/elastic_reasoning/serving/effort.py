"""What an effort means here: a budget that was calibrated for the model, or that of a table for all models.

    efforts = Efforts({"low": Budget(24, 20)}, "budgets.yaml")
    efforts.find("minimal", None)     # Meant("low", 24, 20): the nearest name that the file has

`elastic recommend --save` calibrates them. Without a file, the table says how many tokens inspect_ai thinks for an
effort, and which share of what there is OpenRouter thinks: the lesser of both, so that efforts differ on small models
and under small totals too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from elastic_reasoning.analysis.effort import EFFORTS, Measured, ModelEfforts, read_efforts
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.serving.config import GatewayConfig

DEFAULT_THINKING: Mapping[str, tuple[int, int]] = {
    "minimal": (2048, 10),
    "low": (4096, 20),
    "medium": (10_000, 50),
    "high": (16_000, 80),
    "xhigh": (32_000, 95),
    "max": (64_000, 100),
}
"""Thinking tokens of an effort, and percent of all tokens that there are, before the reserve for the answer: those of
inspect_ai (`reasoning_effort` for models that take a number of tokens), and of OpenRouter, each with its next step."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What an effort means."""

    name: str
    """Of the effort whose budget it is."""
    thinking: int
    solution: int | None = None
    """`None` where the effort does not say."""
    strategy: str | None = None
    """How the budget is to be spent, where it was measured so."""


@dataclass(frozen=True, slots=True)
class Efforts:
    """The efforts of one model."""

    budgets: Mapping[str, Budget] = field(default_factory=dict)
    """By name; empty for the default table."""
    source: str = "default table"
    """What an answer calls the file that they are from."""
    strategy: str | None = None
    """That they were measured with."""
    measured: Measured | None = None
    """What is known of the one that was measured on most samples: how long solutions are, among others."""

    @classmethod
    def calibrated(cls, efforts: ModelEfforts, source: str) -> "Efforts":
        """Those of a file."""
        budgets = {name: Budget.parse(effort.budget) for name, effort in efforts.efforts.items()}
        measured = [effort.measured for effort in efforts.efforts.values() if effort.measured is not None]
        most = max(measured, key=lambda each: each.num_samples, default=None)
        return cls(budgets, source, efforts.strategy, most)

    def find(self, name: str, total: int | None) -> Meant:
        """The budget of an effort.

        A name that the file lacks has the budget of the next lesser one, and the least one's where there is none.

        Args:
            name: one of `EFFORTS`.
            total: tokens that there are for thinking and solution, `None` for no limit.
        """
        if not self.budgets:
            thinking, percent = DEFAULT_THINKING[name]
            return Meant(name, thinking if total is None else min(thinking, total * percent // 100))
        known = [each for each in EFFORTS if each in self.budgets]
        lesser = [each for each in known if EFFORTS.index(each) <= EFFORTS.index(name)]
        nearest = lesser[-1] if lesser else known[0]
        budget = self.budgets[nearest]
        return Meant(nearest, budget.thinking or 0, budget.solution, self.strategy)


def efforts_of(config: GatewayConfig) -> dict[str, Efforts]:
    """The efforts of each model that is served, by the name that clients use.

    Raises:
        UsageError: the file of budgets cannot be read, or is about none of the models.
    """
    if not config.budgets:
        return dict.fromkeys(config.models, Efforts())
    path = Path(config.budgets)
    calibrated = read_efforts(path)
    found = {}
    for name, model in config.models.items():
        efforts = calibrated.get(name) or calibrated.get(model.model)
        found[name] = Efforts() if efforts is None else Efforts.calibrated(efforts, path.name)
    if not any(efforts.budgets for efforts in found.values()):
        raise UsageError(
            f"budgets {path}: has the efforts of {', '.join(calibrated) or 'no model'}, "
            f"and of none that is served: {', '.join(found)}"
        )
    return found
