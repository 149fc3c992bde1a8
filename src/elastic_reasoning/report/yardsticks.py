"""Yardsticks as tables: in the terminal, on the page, and as plain data.

console.print(*yardstick_tables(yardsticks(records), console.width), sep="\\n")
(folder / "yardsticks.csv").write_text(to_csv(lines_of_all(yardsticks(records))), encoding="utf-8")

To add a yardstick, make it a field of `Step` or `Yardsticks` and enter it in `MEASURES`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from rich.table import Table

from elastic_reasoning.analysis.errorbars import Estimate
from elastic_reasoning.analysis.yardsticks import Step, Yardsticks
from elastic_reasoning.core.strategies import label_of
from elastic_reasoning.report.columns import with_error
from elastic_reasoning.report.layout import parts_of
from elastic_reasoning.report.names import short_names

_SHARE, _SCORE = "{:.1%}", "{:.2f}"


@dataclass(frozen=True, slots=True)
class Measure:
    """A yardstick as a column."""

    name: str
    """The field of `Yardsticks`, or of `Step`."""
    title: str
    """As tables call it."""
    help: str
    """What it is, in a few words."""
    form: str
    """How a number is written, as for `str.format`."""
    told: Literal["whole", "largest", "mean", "each"]
    """Where a line stands for all budgets: one number over all, that of the largest budget, or the mean over them;
    `each` is told of single budgets alone."""
    brief: bool = True
    """Whether the terminal shows it too."""

    def of(self, found: Yardsticks) -> Estimate | None:
        """What stands for all budgets."""
        holder = found.steps[-1] if self.told in ("largest", "each") else found
        estimate: Estimate | None = getattr(holder, self.name)
        return estimate

    def text(self, holder: Yardsticks | Step) -> str:
        """What is shown of all budgets, or of one."""
        estimate: Estimate | None = self.of(holder) if isinstance(holder, Yardsticks) else getattr(holder, self.name)
        return with_error(None, None, self.form) if estimate is None else with_error(*estimate, self.form)


MEASURES = (
    Measure("area", "area", "under accuracy over log(t + s), by its width", _SHARE, "whole"),
    Measure("reg", "REG", "mean distance to the best accuracy of all at each budget", _SHARE, "whole"),
    Measure("accuracy", "accuracy", "correct samples", _SHARE, "each", brief=False),
    Measure("tokens", "tokens", "of a sample, mean", "{:.1f}", "each", brief=False),
    Measure("ock_score", "OckScore", "accuracy in % less 10 log10(tokens / 10,000 + 1)", _SCORE, "largest"),
    Measure("e3", "E³", "accuracy in %, squared, by tokens", _SCORE, "largest"),
    Measure(
        "overthinking",
        "overthinking",
        "thinking tokens after the answer stood right, of all thinking tokens",
        _SHARE,
        "largest",
    ),
    Measure(
        "settled_overthinking",
        "after settled",
        "thinking tokens after the answer stood, right or wrong, of all thinking tokens",
        _SHARE,
        "largest",
        brief=False,
    ),
    Measure("starved", "starved", "wrong, and right at the next budget", _SHARE, "mean"),
    Measure("spoiled", "spoiled", "right, and wrong at the next budget", _SHARE, "mean", brief=False),
    Measure(
        "oracle_gain",
        "oracle",
        "what knowing each problem's accuracy at every budget would add at the same tokens, on held-out samples",
        _SHARE,
        "mean",
    ),
    Measure(
        "hindsight_gain",
        "hindsight",
        "what knowing which budgets make each sample right would add at the same tokens: an upper bound",
        _SHARE,
        "mean",
    ),
    Measure(
        "mixed_gain",
        "by lot",
        "what drawing by lot between two budgets would add at the same tokens, without any knowledge",
        _SHARE,
        "mean",
        brief=False,
    ),
)
TOLD = {"whole": "", "largest": ", at the largest budget", "mean": ", mean over the budgets"}
"""What to say of a number for all budgets, by what it is told of."""
ABOUT = (
    "area under accuracy over log(t + s); REG: mean distance to the best accuracy at each budget. At the largest "
    "budget: OckScore, E³, and thinking tokens after the answer stood right. Means over budgets: samples that one more "
    "step mends; what an oracle that knew problems (hindsight: samples) would add at the same tokens."
)
"""What the terminal says under the table."""


def names_of(found: Sequence[Yardsticks]) -> list[str]:
    """What each line is called: model and strategy, and s where the same have several."""
    models = short_names(each.model for each in found)
    same = [(each.model, each.strategy) for each in found]
    return [
        f"{models[each.model]}/{label_of(each.strategy)}" + (f"/s={each.solution}" if same.count(key) > 1 else "")
        for each, key in zip(found, same, strict=True)
    ]


def yardstick_tables(found: Sequence[Yardsticks], width: int = 80) -> list[Table | str]:
    """As many tables as a terminal of that width asks for, and what they are; nothing where there is nothing."""
    brief = [measure for measure in MEASURES if measure.brief and any(measure.of(each) for each in found)]
    if not brief:
        return []
    columns = {measure.title: [measure.text(each) for each in found] for measure in brief}
    return [*parts_of(names_of(found), columns, width, "yardsticks"), ABOUT, *left_out(found)]


def left_out(found: Sequence[Yardsticks]) -> list[str]:
    """What the numbers do not count, where there is any."""
    lines = []
    if number := sum(each.num_left_out for each in found):
        lines.append(f"{number:,} samples were not graded at every budget and are left out")
    if number := sum(each.num_unshared for each in found):
        lines.append(f"{number:,} samples have another thinking at a larger budget, not a longer one: area to E³ alone")
    return lines


def numbers_of(found: Yardsticks) -> dict[str, Any]:
    """Plain data: each estimate as NAME and NAME_se, and `steps` as a list of the same."""
    return {**_flat(found), "steps": [_flat(step) for step in found.steps]}


def lines_of_all(given: Sequence[Yardsticks]) -> list[dict[str, Any]]:
    """Plain data without lists, for CSV: for each model and strategy a line without a budget, then one for each."""
    lines = []
    for found in given:
        who = {"model": found.model, "strategy": found.strategy, "solution": found.solution}
        lines += [{**who, "budget": "", **_flat(found)}, *({**who, **_flat(step)} for step in found.steps)]
    return lines


def _flat(holder: Yardsticks | Step) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for field in fields(holder):
        value = getattr(holder, field.name)
        if field.name in NAMES:
            flat |= {field.name: value and value.value, f"{field.name}_se": value and value.se}
        elif field.name != "steps":
            flat[field.name] = value
    return flat


NAMES = frozenset(measure.name for measure in MEASURES)
