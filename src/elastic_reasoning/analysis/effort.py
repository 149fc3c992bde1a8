"""What low, medium and high effort mean for each model, as a file that a person can read and edit.

    save_efforts(Path("budgets.yaml"), {"mini-e1": calibrate(read_records(folder))})
    efforts = read_efforts(Path("budgets.yaml"))["mini-e1"].efforts
    efforts["low"].budget                          # "24+20"
    efforts["low"].measured.share_of_best          # 0.91, on problems that had no part in the choice

`elastic_reasoning.analysis.calibrate` makes them from records.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from msgspec import Meta, Struct, field, to_builtins

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import UsageError, unknown
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.records.files import write_atomically
from elastic_reasoning.untrusted.json import Count, MalformedError
from elastic_reasoning.untrusted.yaml import MOST_LETTERS, convert_known, load_yaml

EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")
"""The names that clients have for efforts, the least first; `none` turns thinking off and needs no budget."""
FORMAT = 1
HEADER = """\
# What efforts mean for each model: tokens for thinking + tokens for the solution. Written by elastic recommend --save.
# Budgets may be edited, and efforts and models added; lines of comment are lost when the file is saved again.
"""

Share = Annotated[float, Meta(ge=0, le=1)]
Length = Annotated[float, Meta(ge=0)]


class Lengths(Struct, frozen=True):
    """Quantiles of a number of tokens: half of the samples had at most p50."""

    p50: Count
    p90: Count
    p95: Count
    p99: Count
    p99_5: Count = field(name="p99.5")


class Measured(Struct, frozen=True):
    """What is known of an effort.

    Attributes:
        wanted_share_of_best: of the best accuracy, in 0 to 1: what was asked of the choice.
        share_of_best, share_interval: what it is on the measured problems, with the 95 % interval.
        accuracy, accuracy_se, interval: share of correct samples on the measured problems, its standard error
            clustered by problem, and the 95 % interval.
        mean_tokens: sampled tokens a sample on the measured problems.
        thinking_tokens, solution_tokens: lengths over all samples under this budget.
        budget_hit_rate, cut_rate: share of all samples whose thinking, whose solution its budget ended: where it is not
            0, lengths would be larger under a larger budget.
        num_samples: of the lengths and rates.
    """

    wanted_share_of_best: Share
    share_of_best: Length
    share_interval: tuple[float, float]
    accuracy: Share
    accuracy_se: Length
    interval: tuple[Share, Share]
    mean_tokens: Length
    thinking_tokens: Lengths
    solution_tokens: Lengths
    budget_hit_rate: Share
    cut_rate: Share
    num_samples: Count

    @property
    def is_kept(self) -> bool:
        """Whether all of the interval reaches the wanted share."""
        return self.share_interval[0] >= self.wanted_share_of_best

    @property
    def is_missed(self) -> bool:
        """Whether none of the interval reaches the wanted share."""
        return self.share_interval[1] < self.wanted_share_of_best


class Effort(Struct, frozen=True, omit_defaults=True):
    """A budget, as text, and what is known of it; nothing where a person has chosen it."""

    budget: str
    measured: Measured | None = None


class Best(Struct, frozen=True):
    """The best of the budgets, by its accuracy on the problems to choose on; its accuracy on the measured ones.

    Attributes:
        is_largest: whether no larger budget was measured, so that a larger one might be better still.
    """

    budget: str
    accuracy: Share
    interval: tuple[Share, Share]
    is_largest: bool


class Source(Struct, frozen=True):
    """Which records it is from.

    Attributes:
        records: name of their folder.
        task, split, created: as in their manifest.
        weights: hash of the model's weights, empty where they were not local.
        held_out: measured on other problems than those chosen on.
        num_chosen_on, num_measured_on: problems.
    """

    records: str
    task: str
    split: str
    created: str
    weights: str
    held_out: bool
    num_chosen_on: Count
    num_measured_on: Count


class ModelEfforts(Struct, frozen=True, omit_defaults=True):
    """What efforts mean for one model.

    Attributes:
        strategy: how the budgets are spent.
        efforts: by name, one of `EFFORTS`.
        best, source: what they were chosen by; nothing where a person has chosen them.

    Raises:
        ValueError: an effort or strategy is not known, or a budget is not finite.
    """

    strategy: str
    efforts: dict[str, Effort]
    best: Best | None = None
    source: Source | None = None

    def __post_init__(self) -> None:
        find_strategy(self.strategy)
        for name, effort in self.efforts.items():
            if name not in EFFORTS:
                raise UsageError(unknown("effort", name, EFFORTS))
            if Budget.parse(effort.budget).total is None:
                raise UsageError(f"effort {name}: budget {effort.budget!r} must be finite, as 1024+512")


class _File(Struct, frozen=True):
    """The whole file."""

    version: int
    models: dict[str, ModelEfforts]


def read_efforts(path: Path) -> dict[str, ModelEfforts]:
    """The efforts of each model.

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    try:
        with path.open(encoding="utf-8") as file:
            found = convert_known(load_yaml(file.read(MOST_LETTERS + 1)), _File)
    except OSError as error:
        raise UsageError(f"cannot read budgets {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"budgets {path}: not YAML: it is not UTF-8") from None
    except MalformedError as error:
        raise UsageError(f"budgets {path}: {error}") from None
    if found.version != FORMAT:
        raise UsageError(f"budgets {path}: version {found.version}, this version reads {FORMAT}: save it again")
    return found.models


def save_efforts(path: Path, models: Mapping[str, ModelEfforts]) -> None:
    """Write the efforts of some models; a file that is there keeps those of all others.

    Raises:
        UsageError: the file that is there holds something else, or it cannot be written.
    """
    kept = read_efforts(path) if path.exists() else {}
    plain = to_builtins(_File(FORMAT, {**kept, **models}))
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    try:
        write_atomically(path, HEADER + text)
    except OSError as error:
        raise UsageError(f"cannot write budgets {path}: {error.strerror}; name a file that can be written") from None
