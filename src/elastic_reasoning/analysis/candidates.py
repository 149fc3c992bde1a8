"""The budgets of one model and strategy that a choice is made among, and the problems that it is made and measured on.

    found = candidates(read_records(folder), model="mini-e1")
    found.accuracy("24+20", found.choosing)     # 0.85, decides
    found.accuracy("24+20", found.measuring)    # 0.83, is reported

The best of many settings owes a part of its lead to luck. So that this part is not reported, a choice is made on one
half of the problems and measured on the other, unless the problems are validation problems.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from statistics import fmean

from elastic_reasoning.analysis.ordering import by_setting
from elastic_reasoning.analysis.spending import spent_tokens
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import RecordsError, UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.core.strategies import find_strategy, names_of
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.manifest import Manifest
from elastic_reasoning.records.record import Record

FEWEST = 4
"""Problems that a choice needs: two to choose on, two to measure on."""

Graded = Mapping[str, Records]
"""The graded records of each problem, under one budget."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What can be chosen.

    Attributes:
        model, strategy: of all of them.
        budgets: as text, smallest first, with what was graded under each.
        choosing, measuring: problems that were graded under every budget.
        held_out: whether they are other problems. If not, both are all the problems of a validation split, and the
            accuracy of a choice among several is a little too high.
    """

    model: str
    strategy: str
    budgets: Mapping[str, Graded]
    choosing: Sequence[str]
    measuring: Sequence[str]
    held_out: bool

    def grades(self, budget: str, problems: Sequence[str]) -> list[list[float]]:
        """For each problem 1 for every correct sample and 0 for every other."""
        return [self.budgets[budget][problem]["correct"].astype(float).tolist() for problem in problems]

    def accuracy(self, budget: str, problems: Sequence[str]) -> float:
        """Share of correct samples."""
        return fmean(grade for grades in self.grades(budget, problems) for grade in grades)

    def tokens(self, budget: str, problems: Sequence[str]) -> float:
        """All sampled tokens a sample, those of probes and other branches among them."""
        return fmean(num for problem in problems for num in spent_tokens(self.budgets[budget][problem]).tolist())

    def cost(self, budget: str) -> tuple[int, float]:
        """A key that sorts the cheapest first: by the most that it takes, then by the sampled tokens."""
        return most_of(budget, self.budgets[budget]), self.tokens(budget, self.choosing)


def total_of(budget: str) -> int:
    """Both parts of a finite budget, in tokens."""
    return Budget.parse(budget).total or 0


def most_of(budget: str, graded: Graded) -> int:
    """The most tokens that a finite budget takes: both its parts, and the most that any sample's probes came to."""
    return total_of(budget) + max((int(each["num_probe_tokens"].max()) for each in graded.values()), default=0)


def candidates(
    run: tuple[Manifest, Iterable[Record]],
    model: str = "",
    strategy: str = DEFAULT_STRATEGY,
    most: int | None = None,
) -> Candidates:
    """The finite budgets that one model was measured under.

    Args:
        run: what `read_records` gives.
        model: may be left out where the records are of one.
        strategy: one whose budget is a bound.
        most: tokens of thinking and solution together.

    Raises:
        UsageError: no such records.
        RecordsError: no budget is small enough, or there are too few problems.
    """
    manifest, records = run
    model, budgets = _budgets(Records.of(records), model, strategy)
    if most is not None:
        taken = {budget: most_of(budget, graded) for budget, graded in budgets.items()}
        smallest = min(taken, key=taken.__getitem__)
        budgets = {budget: graded for budget, graded in budgets.items() if taken[budget] <= most}
        if not budgets:
            probes = ", probes among them" if taken[smallest] > total_of(smallest) else ""
            raise RecordsError(
                f"no budget of at most {most} tokens was measured: the smallest of {model} under {strategy} is "
                f"{smallest}, {taken[smallest]} in all{probes}; give a larger total, or sweep a smaller budget"
            )
    held_out = manifest.split != "validation"
    choosing, measuring = halves(_shared(budgets, held_out), held_out)
    return Candidates(model, strategy, budgets, choosing, measuring, held_out)


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


def _shared(budgets: Mapping[str, Graded], held_out: bool) -> list[str]:
    """The problems that were graded under every candidate."""
    problems = sorted(set.intersection(*(set(graded) for graded in budgets.values())))
    needed = FEWEST if held_out else FEWEST // 2
    if len(problems) < needed:
        raise RecordsError(
            f"{len(problems)} problems were graded under all of {len(budgets)} budgets, and at least {needed} are "
            "needed: finish the sweep, or sweep more problems"
        )
    return problems


def halves(problems: Sequence[str], held_out: bool) -> tuple[list[str], list[str]]:
    """The problems to choose on and those to measure on: halves by a hash of their names, or all for both."""
    if not held_out:
        return list(problems), list(problems)
    shuffled = sorted(problems, key=lambda problem: sha256(problem.encode("utf-8", "backslashreplace")).digest())
    middle = len(shuffled) // 2
    return shuffled[:middle], shuffled[middle:]
