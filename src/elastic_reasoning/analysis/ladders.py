"""One model and strategy at several budgets, each a step above the last, sample by sample.

    for ladder in ladders(records):
        ladder.budgets                          # ("0+20", "8+20", "24+20")
        ladder.correct.mean(axis=0)             # accuracy at each of them
        ladder.shares_thinking.mean()           # how many samples are one thinking, cut at each budget

Samples of one problem that have the same number share a thinking across budgets: the draws of a sample are the same
under every budget, and engines that own their random numbers answer every budget from the longest thinking.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elastic_reasoning.analysis.ordering import by_setting
from elastic_reasoning.analysis.spending import spent_tokens
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.core.strategies import effective
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record


@dataclass(frozen=True, slots=True)
class Ladder:
    """The samples that were graded at every one of k budgets: n of them, by problem and then by number.

    Attributes:
        model, strategy: of all.
        solution: s as text; empty where the strategy heeds the total alone.
        budgets: as the records have them, smallest first; those of one `separate` strategy differ in t alone.
        totals: tokens that each budget allows, t + s; infinite for one without a limit.
        problems: [n], the number of each sample's problem, the same in all ladders of the same records.
        correct: [n, k].
        answers: [n, k], the number of the answer's text, -1 for none.
        thinking, tokens: [n, k], sampled thinking tokens, and all tokens that a sample is charged with.
        ended: [n, k], whether thinking came to its own end, before its budget was spent.
        num_left_out: samples that lack one of the budgets, by an error or because they were not asked.
    """

    model: str
    strategy: str
    solution: str
    budgets: tuple[str, ...]
    totals: NDArray[np.float64]
    problems: NDArray[np.int64]
    correct: NDArray[np.bool_]
    answers: NDArray[np.int64]
    thinking: NDArray[np.int64]
    tokens: NDArray[np.int64]
    ended: NDArray[np.bool_]
    num_left_out: int

    @property
    def shares_thinking(self) -> NDArray[np.bool_]:
        """[n], whether the thinkings of a sample can be one, cut at each budget.

        Then a larger budget never thinks less, and no more where thinking had come to its own end.
        """
        more = np.diff(self.thinking, axis=1)
        broken = (more < 0) | ((more > 0) & self.ended[:, :-1])
        return ~np.asarray(broken.any(axis=1))

    def where(self, chosen: NDArray[np.bool_]) -> "Ladder":
        """Some of the samples."""
        rows = {name: getattr(self, name)[chosen] for name in ("problems", *GRIDS)}
        left_out = self.num_left_out + int((~chosen).sum())
        return replace(self, num_left_out=left_out, **rows)


GRIDS = ("correct", "answers", "thinking", "tokens", "ended")


def ladders(records: Iterable[Record]) -> list[Ladder]:
    """Every model and strategy that was run at two budgets or more which make a difference to it, as ladders.

    A strategy whose budgets bound both phases apart has a ladder for each s, over t; one that heeds the total alone has
    one over t + s. Budgets that are the same to a strategy count once. Where the budget is no bound (a length is asked
    for, or it is ignored) there is none.
    """
    groups: dict[tuple[str, str, float | None], dict[float, tuple[Setting, Records]]] = {}
    for setting, group in by_setting(Records.of(records).graded()).items():
        heeded, bounds = effective(setting.strategy, setting.budget)
        t, s = (inf if part is None else float(part) for part in (heeded.thinking, heeded.solution))
        if bounds not in ("separate", "total"):
            continue
        is_separate = bounds == "separate"
        steps = groups.setdefault((setting.model, setting.strategy, s if is_separate else None), {})
        steps.setdefault(t if is_separate else t + s, (setting, group))
    found = [_ladder([steps[place] for place in sorted(steps)]) for steps in groups.values() if len(steps) > 1]
    return [ladder for ladder in found if len(ladder.problems)]


def _ladder(steps: list[tuple[Setting, Records]]) -> Ladder:
    setting, _ = steps[0]
    heeded, bounds = effective(setting.strategy, setting.budget)
    groups = [group for _, group in steps]
    width = 1 + max(int(group["sample"].max()) for group in groups)
    keys = [group["problem"].astype(np.int64) * width + group["sample"] for group in groups]
    shared = reduce(np.intersect1d, keys)
    places = [np.argsort(key)[np.searchsorted(np.sort(key), shared)] for key in keys]
    rows = [group.where(place) for group, place in zip(groups, places, strict=True)]

    def grid(column: str) -> NDArray[Any]:
        return np.stack([each[column] for each in rows], axis=1)

    return Ladder(
        setting.model,
        setting.strategy,
        str(heeded).partition("+")[2] if bounds == "separate" else "",
        tuple(str(each.budget) for each, _ in steps),
        np.array([inf if each.budget.total is None else each.budget.total for each, _ in steps], np.float64),
        problems=shared // width,
        correct=grid("correct"),
        answers=grid("answer"),
        thinking=grid("num_thinking_tokens"),
        tokens=np.stack([spent_tokens(each) for each in rows], axis=1),
        ended=~grid("budget_hit"),
        num_left_out=len(reduce(np.union1d, keys)) - len(shared),
    )
