"""Which thinking and solution budget to use, given a total or an accuracy.

    choice = recommend(read_records(folder), total=1536)
    choice.budget, choice.accuracy, choice.interval     # "1024+512", 0.41, (0.33, 0.49)

The choice is made on one half of the problems and measured on the other (`elastic_reasoning.analysis.candidates`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from elastic_reasoning.analysis.candidates import Candidates, candidates, most_of
from elastic_reasoning.analysis.errorbars import Z95, clustered_se, interval, paired_means
from elastic_reasoning.core.errors import RecordsError, UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.manifest import Manifest
from elastic_reasoning.records.record import Record


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A budget, what it reaches, and how sure that is.

    Attributes:
        wanted_total, wanted_accuracy: what was asked, one of them.
        model, strategy, budget: the choice.
        total_tokens: the most that it takes: the budget's, and the most that any sample's probes came to.
        mean_total_tokens: sampled tokens a sample on the measured problems, those of probes and other branches among
            them.
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
    if (total is None) == (accuracy is None):
        raise UsageError("give either a total of tokens or an accuracy: --total 1536, or --accuracy 0.4")
    if accuracy is not None and not 0 < accuracy <= 1:
        raise UsageError(f"accuracy {accuracy:g}: must be a share above 0 and up to 1, as 0.4")
    found = candidates(run, model, strategy, total)
    accuracies = {budget: found.accuracy(budget, found.choosing) for budget in found.budgets}
    if accuracy is None:
        ranked = sorted(accuracies, key=lambda budget: (-accuracies[budget], *found.cost(budget)))
    else:
        ranked = sorted((each for each in accuracies if accuracies[each] >= accuracy), key=found.cost)
    if not ranked:
        best = max(accuracies, key=accuracies.__getitem__)
        raise RecordsError(
            f"no budget reaches an accuracy of {accuracy:g} on the {len(found.choosing)} problems to choose on: "
            f"{found.model} under {strategy} comes to {accuracies[best]:.3f} at {best}; "
            "give a lower accuracy, or sweep larger budgets"
        )
    return _measured(found, ranked, total, accuracy)


def _measured(
    found: Candidates, ranked: Sequence[str], wanted_total: int | None, wanted_accuracy: float | None
) -> Recommendation:
    """The first of the ranked budgets, measured beside the second."""
    best, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    grades = found.grades(best, found.measuring)
    accuracy, se = found.accuracy(best, found.measuring), clustered_se(grades) or 0.0
    within = interval(accuracy, se, len(found.measuring))
    means = None if second is None else paired_means(found.grades(second, found.measuring), grades)
    lead = means is None or means.difference > Z95 * (means.se or 0.0)
    return Recommendation(
        wanted_total=wanted_total,
        wanted_accuracy=wanted_accuracy,
        model=found.model,
        strategy=found.strategy,
        budget=best,
        total_tokens=most_of(best, found.budgets[best]),
        mean_total_tokens=found.tokens(best, found.measuring),
        accuracy=accuracy,
        accuracy_se=se,
        interval=within,
        held_out=found.held_out,
        num_chosen_on=len(found.choosing),
        num_measured_on=len(found.measuring),
        accuracy_chosen_on=found.accuracy(best, found.choosing),
        num_candidates=len(ranked),
        runner_up=second,
        runner_up_accuracy=None if means is None else means.a,
        difference=None if means is None else means.difference,
        difference_se=None if means is None else means.se,
        clear=lead if wanted_accuracy is None else within[0] >= wanted_accuracy,
    )
