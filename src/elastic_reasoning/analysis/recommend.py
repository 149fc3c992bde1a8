"""Which thinking and solution budget to use, given a total or an accuracy.

    choice = recommend(read_records(folder), total=1536)
    choice.budget, choice.accuracy, choice.interval     # "1024+512", 0.41, (0.33, 0.49)

The best of many settings owes a part of its lead to luck. So that this part is not reported, the choice is made on
one half of the problems and measured on the other, unless the problems are validation problems.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from statistics import fmean
from typing import Any

from elastic_reasoning.analysis.errorbars import Z95, clustered_se, interval, paired_means
from elastic_reasoning.analysis.metrics import by_setting
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import RecordsError, UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.core.strategies import find_strategy, names_of
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.manifest import Manifest
from elastic_reasoning.records.record import Record

FEWEST = 4
"""Problems that a choice needs: two to choose on, two to measure on."""

Graded = Mapping[str, Records]
"""The graded records of each problem, under one budget."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A budget, what it reaches, and how sure that is.

    Attributes:
        wanted_total, wanted_accuracy: what was asked, one of them.
        model, strategy, budget: the choice.
        total_tokens: of the budget.
        mean_total_tokens: sampled tokens a sample on the measured problems.
        accuracy, accuracy_se, interval: share of correct samples on the measured problems, its standard error
            clustered by problem, and the 95 % interval.
        held_out: measured on other problems than those chosen on. If not, both were all the problems of the
            validation split, and the accuracy of a choice among several is a little too high.
        num_chosen_on, num_measured_on: problems.
        accuracy_chosen_on: the accuracy that decided, which luck has part in.
        num_candidates: budgets that could have been chosen.
        runner_up: the budget that would have been chosen next, `None` for a single candidate.
        runner_up_accuracy: on the measured problems.
        difference, difference_se: accuracy of the choice less that of the runner-up, paired over the measured
            problems.
        clear: for a total, whether the choice is better than the runner-up by more than 1.96 standard errors; for an
            accuracy, whether all of the interval reaches it.
    """

    wanted_total: int | None
    wanted_accuracy: float | None
    model: str
    strategy: str
    budget: str
    total_tokens: int
    mean_total_tokens: float
    accuracy: float
    accuracy_se: float
    interval: tuple[float, float]
    held_out: bool
    num_chosen_on: int
    num_measured_on: int
    accuracy_chosen_on: float
    num_candidates: int
    runner_up: str | None
    runner_up_accuracy: float | None
    difference: float | None
    difference_se: float | None
    clear: bool

    @property
    def setting(self) -> Setting:
        """The choice as a whole."""
        return Setting.of(self.model, self.strategy, self.budget)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the setting spelled out: mini/elastic/24+20."""
        return {"setting": str(self.setting), **asdict(self)}


def recommend(
    run: tuple[Manifest, Iterable[Record]],
    total: int | None = None,
    accuracy: float | None = None,
    model: str = "",
    strategy: str = DEFAULT_STRATEGY,
) -> Recommendation:
    """The best budget of at most `total` tokens, or the cheapest that reaches `accuracy`.

    The best has the highest accuracy; among equals the smallest total counts, then the fewest sampled tokens. The
    cheapest has the smallest total, then the fewest sampled tokens. Only problems count that were graded under every
    candidate.

    Args:
        run: what `read_records` gives.
        total: tokens of thinking and solution together.
        accuracy: in 0 to 1.
        model: may be left out where the records are of one.
        strategy: one whose budget is a bound.

    Raises:
        UsageError: not one of total and accuracy, a value that cannot be, or no such records.
        RecordsError: nothing fits, or there are too few problems.
    """
    manifest, records = run
    if (total is None) == (accuracy is None):
        raise UsageError("give either a total of tokens or an accuracy: --total 1536, or --accuracy 0.4")
    if accuracy is not None and not 0 < accuracy <= 1:
        raise UsageError(f"accuracy {accuracy:g}: must be a share above 0 and up to 1, as 0.4")
    model, budgets = _budgets(Records.of(records), model, strategy)
    if total is not None:
        smallest = min(budgets, key=_total)
        budgets = {budget: graded for budget, graded in budgets.items() if _total(budget) <= total}
        if not budgets:
            raise RecordsError(
                f"no budget of at most {total} tokens was measured: the smallest of {model} under {strategy} is "
                f"{smallest}, {_total(smallest)} in all; give a larger total, or sweep a smaller budget"
            )
    choosing, measuring = _split(_shared(budgets, manifest), held_out=manifest.split != "validation")
    ranked = sorted(budgets, key=lambda budget: _merit(budget, budgets[budget], choosing, accuracy))
    if accuracy is not None:
        reaching = [budget for budget in ranked if _accuracy(budgets[budget], choosing) >= accuracy]
        if not reaching:
            best = max(ranked, key=lambda budget: _accuracy(budgets[budget], choosing))
            raise RecordsError(
                f"no budget reaches an accuracy of {accuracy:g} on the {len(choosing)} problems to choose on: {model} "
                f"under {strategy} comes to {_accuracy(budgets[best], choosing):.3f} at {best}; "
                "give a lower accuracy, or sweep larger budgets"
            )
        ranked = reaching
    return _measured(model, strategy, ranked, budgets, choosing, measuring, total, accuracy)


def _budgets(records: Records, model: str, strategy: str) -> tuple[str, dict[str, Graded]]:
    """The model, and its graded records under each finite budget of a strategy."""
    if find_strategy(strategy).bounds not in ("separate", "total"):
        bounded = ", ".join(names_of(lambda each: each.bounds in ("separate", "total")))
        raise UsageError(f"strategy {strategy!r}: its budget bounds nothing, so there is none to name; use {bounded}")
    settings = records.settings
    models = list(dict.fromkeys(setting.model for setting in settings))
    if not model and len(models) > 1:
        raise UsageError(f"the records are of {len(models)} models: name one with --model ({', '.join(models)})")
    model = model or (models or [""])[0]
    found: dict[str, Graded] = {
        str(each.budget): group.graded().by_problem()
        for each, group in by_setting(records).items()
        if (each.model, each.strategy) == (model, strategy) and each.budget.total is not None
    }
    if not found:
        has = ", ".join(dict.fromkeys(f"{each.model}/{each.strategy}" for each in settings)) or "nothing"
        raise UsageError(f"no records of {model} under {strategy} with a finite budget: there are {has}")
    return model, found


def _total(budget: str) -> int:
    return Budget.parse(budget).total or 0


def _shared(budgets: Mapping[str, Graded], manifest: Manifest) -> list[str]:
    """The problems that were graded under every candidate."""
    problems = sorted(set.intersection(*(set(graded) for graded in budgets.values())))
    needed = FEWEST if manifest.split != "validation" else FEWEST // 2
    if len(problems) < needed:
        raise RecordsError(
            f"{len(problems)} problems were graded under all of {len(budgets)} budgets, and at least {needed} are "
            "needed: finish the sweep, or sweep more problems"
        )
    return problems


def _split(problems: Sequence[str], held_out: bool) -> tuple[list[str], list[str]]:
    """The problems to choose on and those to measure on: halves by a hash of their names, or all for both."""
    if not held_out:
        return list(problems), list(problems)
    shuffled = sorted(problems, key=lambda problem: sha256(problem.encode("utf-8", "backslashreplace")).digest())
    middle = len(shuffled) // 2
    return shuffled[:middle], shuffled[middle:]


def _merit(budget: str, graded: Graded, problems: Sequence[str], accuracy: float | None) -> tuple[float, int, float]:
    """A key that sorts the best first: by accuracy where a total is given, by cost where an accuracy is."""
    first = -_accuracy(graded, problems) if accuracy is None else 0.0
    return first, _total(budget), _tokens(graded, problems)


def _grades(graded: Graded, problems: Sequence[str]) -> list[list[float]]:
    return [graded[problem]["correct"].astype(float).tolist() for problem in problems]


def _tokens(graded: Graded, problems: Sequence[str]) -> float:
    """Sampled tokens a sample."""
    return fmean(num for problem in problems for num in graded[problem]["num_sampled_tokens"].tolist())


def _accuracy(graded: Graded, problems: Sequence[str]) -> float:
    return fmean(grade for grades in _grades(graded, problems) for grade in grades)


def _measured(
    model: str,
    strategy: str,
    ranked: Sequence[str],
    budgets: Mapping[str, Graded],
    choosing: Sequence[str],
    measuring: Sequence[str],
    wanted_total: int | None,
    wanted_accuracy: float | None,
) -> Recommendation:
    """The first of the ranked budgets, measured beside the second."""
    best, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    grades = _grades(budgets[best], measuring)
    accuracy, se = _accuracy(budgets[best], measuring), clustered_se(grades) or 0.0
    within = interval(accuracy, se, len(measuring))
    means = None if second is None else paired_means(_grades(budgets[second], measuring), grades)
    lead = means is None or means.difference > Z95 * (means.se or 0.0)
    return Recommendation(
        wanted_total=wanted_total,
        wanted_accuracy=wanted_accuracy,
        model=model,
        strategy=strategy,
        budget=best,
        total_tokens=_total(best),
        mean_total_tokens=_tokens(budgets[best], measuring),
        accuracy=accuracy,
        accuracy_se=se,
        interval=within,
        held_out=choosing != measuring,
        num_chosen_on=len(choosing),
        num_measured_on=len(measuring),
        accuracy_chosen_on=_accuracy(budgets[best], choosing),
        num_candidates=len(ranked),
        runner_up=second,
        runner_up_accuracy=None if means is None else means.a,
        difference=None if means is None else means.difference,
        difference_se=None if means is None else means.se,
        clear=lead if wanted_accuracy is None else within[0] >= wanted_accuracy,
    )
