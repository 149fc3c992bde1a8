"""What records add up to.

    for row in summarise(records):
        print(row.model, row.strategy, row.budget, f"{row.accuracy:.3f} ± {row.accuracy_se:.3f}")

Standard errors are clustered by problem. A record with an error is counted and otherwise left out; it is not a wrong
answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from statistics import fmean, median
from typing import Any

from numpy.typing import NDArray

from elastic_reasoning.analysis.efficiency import efficiency
from elastic_reasoning.analysis.equivalence import Equivalence
from elastic_reasoning.analysis.errorbars import clustered_se
from elastic_reasoning.analysis.ordering import by_setting
from elastic_reasoning.analysis.samples import are_programs, ks, majority, pass_at, percentile
from elastic_reasoning.analysis.spending import spent_tokens
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.core.strategies import effective
from elastic_reasoning.grading.answers.rounding import RULE as ROUNDED_REFERENCE
from elastic_reasoning.grading.answers.rules import RULES
from elastic_reasoning.grading.programs.outputs import SEVERAL_OUTPUTS
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record

ASSUMED = frozenset(rule.name for rule in RULES if rule.assumes)


@dataclass(frozen=True, slots=True)
class Row:
    """One setting. Rates are shares of the samples in 0 to 1; what nothing is known of is `None`.

    Attributes:
        model, strategy, budget: the setting.
        num_problems, num_samples: those that were graded.
        num_samples_each: samples a problem, mean.
        num_errors: records with an error, not among the samples.
        accuracy, accuracy_se: share of correct samples (avg@k), and its standard error clustered by problem.
        pass_at, pass_at_se: pass@k, mean over problems, and its standard error, for k = 1, 2, 4, ... up to and
            including the number of samples that every graded problem has: where errors left a problem with fewer,
            the largest k is that number, for without the problem the mean would be of other problems. Each problem's
            estimate uses all its samples. pass@1 is the accuracy where all problems have equally many.
        majority, majority_se: maj@k, mean over problems: the answer with the most votes among all samples of the
            problem is right, ties split evenly. `None` where the answers are programs or whole responses.
        mean_thinking_tokens, median_thinking_tokens, p95_thinking_tokens: sampled thinking tokens a sample; 95 % of
            the samples have at most p95.
        mean_solution_tokens, median_solution_tokens, p95_solution_tokens: sampled solution tokens a sample.
        mean_total_tokens, median_total_tokens, p95_total_tokens: all sampled tokens a sample, those of sampled
            delimiters, of probes and of branches that were not chosen among them.
        mean_probe_tokens, mean_branch_tokens: of these, those that were sampled in probes; those of branches that were
            not chosen.
        ock_score, ock_score_se, e3, e3_se: accuracy and total tokens in one number (`analysis.efficiency`), and its
            standard error.
        void_rate: the prompt had closed thinking, so that the thinking budget had no effect.
        budget_hit_rate: thinking was ended by its budget.
        forced_rate: the closing delimiter was forced, at least in part.
        cut_rate: the solution ran into its budget.
        no_answer_rate: no answer was found.
        unboxed_rate: a box was asked for, and the solution has none.
        escape_rate: thinking was opened again in the solution.
        closed_again_rate: the closing delimiter was written again in the solution.
        tool_cut_rate: the tokens ran out within a tool call.
        num_unboxed, num_time_limits, num_memory_limits: samples without a box; samples that grading could not decide
            within its limits, and that count as wrong.
        num_assumed, num_rounded: samples that are right only by a rule that assumes something (`grading.rules`); of
            these, by rounding to the reference.
        tallies, tallies_se: shares of what the grader counted beside its verdict, by name, as of the instructions that
            were followed: all counted together, over all samples, and their standard errors.
        num_several_outputs, accuracy_one_output: samples of programs for problems that accept several outputs, of which
            a right one may be rejected; the accuracy without those, `None` where there are none.
        asked_tokens: n, the length that the prompt asked for (L1 only, like the two that follow).
        length_deviation: mean of |n_y - n| / n, where n_y counts all sampled tokens of the response, as in the reward
            of L1 (Aggarwal & Welleck 2025, arXiv 2503.04697); too long and too short do not cancel.
        violation_rate: n_y > n, by as little as a token.
        samples: the graded records themselves, for whatever else is to be said of them.
    """

    model: str
    strategy: str
    budget: str
    num_problems: int
    num_samples: int
    num_samples_each: float
    num_errors: int
    accuracy: float | None
    accuracy_se: float | None
    pass_at: dict[int, float]
    pass_at_se: dict[int, float | None]
    majority: float | None
    majority_se: float | None
    mean_thinking_tokens: float | None
    median_thinking_tokens: float | None
    p95_thinking_tokens: float | None
    mean_solution_tokens: float | None
    median_solution_tokens: float | None
    p95_solution_tokens: float | None
    mean_total_tokens: float | None
    median_total_tokens: float | None
    p95_total_tokens: float | None
    mean_probe_tokens: float | None
    mean_branch_tokens: float | None
    ock_score: float | None
    ock_score_se: float | None
    e3: float | None
    e3_se: float | None
    void_rate: float | None
    budget_hit_rate: float | None
    forced_rate: float | None
    cut_rate: float | None
    no_answer_rate: float | None
    unboxed_rate: float | None
    escape_rate: float | None
    closed_again_rate: float | None
    tool_cut_rate: float | None
    num_unboxed: int
    num_time_limits: int
    num_memory_limits: int
    num_assumed: int
    num_rounded: int
    num_several_outputs: int
    accuracy_one_output: float | None
    tallies: dict[str, float]
    tallies_se: dict[str, float | None]
    asked_tokens: int | None
    length_deviation: float | None
    violation_rate: float | None
    samples: Records = field(repr=False, compare=False)


def summarise(records: Iterable[Record]) -> list[Row]:
    """One row for each setting, in the order of `by_setting`."""
    with closing(Equivalence()) as equivalence:
        return [_row(setting, group, equivalence) for setting, group in by_setting(records).items()]


def _row(setting: Setting, records: Records, equivalence: Equivalence) -> Row:
    graded = records.graded()
    problems = graded.by_problem()
    grades = _grades(problems)
    passes = {
        k: [pass_at(len(each), round(sum(each)), k) for each in grades.values()]
        for k in ks(min(map(len, problems.values()), default=0))
    }
    tallied = _tallied(problems)
    votes = [] if tallied or are_programs(graded) else [majority(samples, equivalence) for samples in problems.values()]
    thinking = graded["num_thinking_tokens"].tolist()
    solution = graded["num_solution_tokens"].tolist()
    total = spent_tokens(graded).tolist()
    response = graded["num_sampled_tokens"].tolist()
    scores = efficiency(graded["correct"], spent_tokens(graded), graded["problem"])
    asked = _asked(setting)
    correct = graded["correct"]
    one_output = correct[~graded.among("rule", [SEVERAL_OUTPUTS])].tolist()
    return Row(
        setting.model,
        setting.strategy,
        str(setting.budget),
        num_problems=len(problems),
        num_samples=len(graded),
        num_samples_each=len(graded) / len(problems) if problems else 0.0,
        num_errors=len(records) - len(graded),
        accuracy=_rate(correct),
        accuracy_se=clustered_se(list(grades.values())),
        pass_at={k: fmean(chances) for k, chances in passes.items()},
        pass_at_se={k: clustered_se([[chance] for chance in chances]) for k, chances in passes.items()},
        majority=_mean(votes),
        majority_se=clustered_se([[vote] for vote in votes]),
        mean_thinking_tokens=_mean(thinking),
        median_thinking_tokens=_median(thinking),
        p95_thinking_tokens=percentile(thinking, 95),
        mean_solution_tokens=_mean(solution),
        median_solution_tokens=_median(solution),
        p95_solution_tokens=percentile(solution, 95),
        mean_total_tokens=_mean(total),
        median_total_tokens=_median(total),
        p95_total_tokens=percentile(total, 95),
        mean_probe_tokens=_mean(graded["num_probe_tokens"].tolist()),
        mean_branch_tokens=_mean(graded["num_branch_tokens"].tolist()),
        ock_score=scores.ock_score and scores.ock_score.value,
        ock_score_se=scores.ock_score and scores.ock_score.se,
        e3=scores.e3 and scores.e3.value,
        e3_se=scores.e3 and scores.e3.se,
        void_rate=_rate(graded["closed_by_prompt"]),
        budget_hit_rate=_rate(graded["budget_hit"]),
        forced_rate=_rate(graded["forced_close"]),
        cut_rate=_rate(graded["solution_cut"]),
        no_answer_rate=_rate(graded["answer"] < 0),
        unboxed_rate=_rate(graded["unboxed"]),
        escape_rate=_rate(graded["escaped"]),
        closed_again_rate=_rate(graded["closed_again"] > 0),
        tool_cut_rate=_rate(graded["tool_cut"]),
        num_unboxed=int(graded["unboxed"].sum()),
        num_time_limits=int(graded.among("reason", ["time limit"]).sum()),
        num_memory_limits=int(graded.among("reason", ["memory limit"]).sum()),
        num_assumed=int((correct & graded.among("rule", ASSUMED)).sum()),
        num_rounded=int((correct & graded.among("rule", [ROUNDED_REFERENCE])).sum()),
        num_several_outputs=len(graded) - len(one_output),
        accuracy_one_output=_mean(one_output) if len(one_output) < len(graded) else None,
        tallies={name: fmean(chain.from_iterable(clusters)) for name, clusters in tallied.items()},
        tallies_se={name: clustered_se(clusters) for name, clusters in tallied.items()},
        asked_tokens=asked,
        length_deviation=_mean([abs(n_y - asked) / asked for n_y in response]) if asked else None,
        violation_rate=None if asked is None else _mean([n_y > asked for n_y in response]),
        samples=graded,
    )


def _rate(holds: NDArray[Any]) -> float | None:
    """The share of samples of which it holds."""
    return int(holds.sum()) / len(holds) if len(holds) else None


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _median(values: Sequence[int]) -> float | None:
    return float(median(values)) if values else None


def _asked(setting: Setting) -> int | None:
    """The length in tokens that the prompt asks for, where the strategy is one that asks."""
    return setting.budget.total if effective(setting.strategy, setting.budget)[1] == "asked" else None


def _grades(problems: Mapping[str, Records]) -> dict[str, list[float]]:
    """The grades of each problem, 1.0 for a correct one."""
    return {problem: samples["correct"].astype(float).tolist() for problem, samples in problems.items()}


def _tallied(problems: Mapping[str, Records]) -> dict[str, list[list[float]]]:
    """For each name that was counted by, the counted things of each problem, 1.0 for one that counts."""
    found: dict[str, list[list[float]]] = {}
    for samples in problems.values():
        of_problem: dict[str, list[float]] = {}
        for name, num, of in chain.from_iterable(samples.tallies()):
            of_problem.setdefault(name, []).extend([1.0] * num + [0.0] * (of - num))
        for name, things in of_problem.items():
            found.setdefault(name, []).append(things)
    return found
