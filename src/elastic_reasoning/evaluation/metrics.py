"""What records add up to.

    for row in summarise(records):
        print(row.model, row.strategy, row.budget, f"{row.accuracy:.3f} ± {row.accuracy_se:.3f}")
    gain = paired_difference(records, ("mini", "elastic", "24+20"), ("mini-e1", "elastic", "24+20"))

Samples of one problem are not independent, nor are budgets that share a thinking: standard errors are clustered by
problem. A record with an error is counted and otherwise left out; it is not a wrong answer.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import fmean, median

from elastic_reasoning.budget import Budget
from elastic_reasoning.errors import RecordsError
from elastic_reasoning.evaluation.records import Record
from elastic_reasoning.strategies import STRATEGIES

Setting = tuple[str, str, str]
"""(model, strategy, budget)"""


@dataclass(frozen=True, slots=True)
class Row:
    """One setting. Rates are shares of the samples in 0 to 1; what nothing is known of is `None`.

    Attributes:
        model, strategy, budget: the setting.
        num_problems, num_samples: those that were graded.
        num_errors: records with an error, not among the samples.
        accuracy, accuracy_se: share of correct samples, and its standard error clustered by problem.
        mean_thinking_tokens, median_thinking_tokens: sampled thinking tokens a sample.
        mean_solution_tokens: sampled solution tokens a sample.
        mean_total_tokens: all sampled tokens a sample, those of sampled delimiters among them.
        budget_hit_rate: thinking was ended by its budget.
        forced_rate: the closing delimiter was forced, at least in part.
        cut_rate: the solution ran into its budget.
        no_answer_rate: no answer was found.
        escape_rate: thinking was opened again in the solution.
    """

    model: str
    strategy: str
    budget: str
    num_problems: int
    num_samples: int
    num_errors: int
    accuracy: float | None
    accuracy_se: float | None
    mean_thinking_tokens: float | None
    median_thinking_tokens: float | None
    mean_solution_tokens: float | None
    mean_total_tokens: float | None
    budget_hit_rate: float | None
    forced_rate: float | None
    cut_rate: float | None
    no_answer_rate: float | None
    escape_rate: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Accuracy of one setting less that of another, on the problems that both have.

    Attributes:
        difference: in -1 to 1.
        se: its standard error clustered by problem; `None` for a single problem.
        num_problems: that both have.
    """

    difference: float
    se: float | None
    num_problems: int


def summarise(records: Iterable[Record]) -> list[Row]:
    """One row for each setting: models in order of appearance, then strategies, then budgets by size."""
    groups: dict[Setting, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.model, record.strategy, record.budget].append(record)
    models = list(dict.fromkeys(model for model, _, _ in groups))
    strategies = [*STRATEGIES, *sorted({strategy for _, strategy, _ in groups} - set(STRATEGIES))]

    def order(setting: Setting) -> tuple[int, int, tuple[float, float]]:
        return models.index(setting[0]), strategies.index(setting[1]), budget_order(setting[2])

    return [_row(setting, groups[setting]) for setting in sorted(groups, key=order)]


def budget_order(budget: str) -> tuple[float, float]:
    """A key that sorts budgets by their total, then by thinking; unlimited ones come last."""
    parsed = Budget.parse(budget)
    thinking, solution = (inf if part is None else part for part in (parsed.thinking, parsed.solution))
    return thinking + solution, thinking


def _row(setting: Setting, records: Sequence[Record]) -> Row:
    graded = [record for record in records if record.error is None]
    clusters = _clusters(graded)

    def mean(value: Callable[[Record], float]) -> float | None:
        return fmean(map(value, graded)) if graded else None

    return Row(
        *setting,
        num_problems=len(clusters),
        num_samples=len(graded),
        num_errors=len(records) - len(graded),
        accuracy=mean(lambda r: bool(r.correct)),
        accuracy_se=clustered_se(list(clusters.values())),
        mean_thinking_tokens=mean(lambda r: r.num_thinking_tokens),
        median_thinking_tokens=float(median(r.num_thinking_tokens for r in graded)) if graded else None,
        mean_solution_tokens=mean(lambda r: r.num_solution_tokens),
        mean_total_tokens=mean(lambda r: r.num_sampled_tokens),
        budget_hit_rate=mean(lambda r: r.budget_hit),
        forced_rate=mean(lambda r: r.forced_close),
        cut_rate=mean(lambda r: r.solution_cut),
        no_answer_rate=mean(lambda r: r.answer is None),
        escape_rate=mean(lambda r: r.escaped),
    )


def _clusters(graded: Iterable[Record]) -> Mapping[str, list[float]]:
    """The grades of each problem, 1.0 for a correct one."""
    clusters: dict[str, list[float]] = defaultdict(list)
    for record in graded:
        clusters[record.problem].append(float(bool(record.correct)))
    return clusters


def clustered_se(clusters: Sequence[Sequence[float]]) -> float | None:
    """Standard error of the mean over all samples, which depend on each other within a cluster.

    With n samples s_ic in G clusters and their mean m over all samples,

        SE = sqrt( G / (G - 1) * sum_c (sum_i (s_ic - m))^2 ) / n

    which is equation 4 of Miller 2024 ("Adding Error Bars to Evals", arXiv 2411.00640), written as one sum, with the
    factor G / (G - 1) for few clusters. With one sample a cluster it is the usual s / sqrt(n); with equally many it
    is that of the clusters' means. Clusters may differ in size.

    Returns:
        The standard error, `None` for fewer than two clusters.
    """
    return _root_of_squares(_deviations(clusters)[1]) if clusters else None


def _root_of_squares(shares: Sequence[float]) -> float | None:
    """The standard error of a sum, from what each of G clusters adds to its deviation."""
    if len(shares) < 2:
        return None
    return sqrt(len(shares) / (len(shares) - 1) * sum(share * share for share in shares))


def paired_difference(records: Iterable[Record], a: Setting, b: Setting) -> Difference:
    """Accuracy of `b` less that of `a`, on the problems that both have.

    Problems that are hard are hard for both, so the difference is known better than either accuracy
    (Miller 2024, arXiv 2411.00640, section 4). A problem's part of the deviation is that of its samples under `b`
    less that under `a`; with equally many samples the standard error is that of the per-problem differences.

    Raises:
        RecordsError: no problem has graded samples under both.
    """
    graded: dict[Setting, list[Record]] = {a: [], b: []}
    for record in records:
        setting = (record.model, record.strategy, record.budget)
        if setting in graded and record.error is None:
            graded[setting].append(record)
    of_a, of_b = _clusters(graded[a]), _clusters(graded[b])
    both = [problem for problem in of_a if problem in of_b]
    if not both:
        raise RecordsError(f"no problem was graded under both {' '.join(a)} and {' '.join(b)}: sweep both")
    mean_a, parts_a = _deviations([of_a[problem] for problem in both])
    mean_b, parts_b = _deviations([of_b[problem] for problem in both])
    se = _root_of_squares([part_b - part_a for part_a, part_b in zip(parts_a, parts_b, strict=True)])
    return Difference(mean_b - mean_a, se, len(both))


def _deviations(clusters: Sequence[Sequence[float]]) -> tuple[float, list[float]]:
    """The mean over all samples, and what each cluster adds to its deviation."""
    num_samples = sum(map(len, clusters))
    mean = sum(map(sum, clusters)) / num_samples
    return mean, [(sum(cluster) - len(cluster) * mean) / num_samples for cluster in clusters]


def generated_tokens(records: Iterable[Record]) -> tuple[int, int]:
    """How many tokens the records sampled, and how many of those were really generated, not reused."""
    num_sampled = num_reused = 0
    for record in records:
        num_sampled += record.num_sampled_tokens
        num_reused += record.num_reused_tokens
    return num_sampled, num_sampled - num_reused
