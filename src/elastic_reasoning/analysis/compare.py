"""Two runs, or two settings of one, on the problems that both have.

    for pair in compare_runs(before, after):
        print(pair.b, f"{pair.difference:+.3f}", pair.se, pair.p_holm)
    gain = paired_difference(records, Setting.of("mini", "elastic", "24+20"), Setting.of("mini-e1", "elastic", "24+20"))

A run is the records of a folder, or any part of them: for two settings of one folder pass the records of each.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

from elastic_reasoning.analysis.errorbars import NORMAL, paired_means
from elastic_reasoning.analysis.ordering import by_setting
from elastic_reasoning.analysis.spending import spent_tokens
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record

Graded = Mapping[str, Records]
"""The graded records of each problem, in one setting."""


@dataclass(frozen=True, slots=True)
class Paired:
    """One setting of run a beside one of run b. Everything but the counts of single problems is over shared problems.

    Attributes:
        a, b: the setting of each run.
        num_problems: graded in both.
        num_only_a, num_only_b: graded in one of them alone, and left out.
        accuracy_a, accuracy_b: share of correct samples.
        difference, se: accuracy of b less that of a, and its standard error clustered by problem; `None` for one
            problem.
        p_value: two-sided, for no difference, by the normal approximation; `None` for one problem.
        p_holm: the same, corrected by Holm's method (1979) for all the settings that were compared together: where it
            is below 0.05 for some of them, the chance that any of these is an accident is below 5 %.
        num_won, num_lost, num_tied: problems whose share of correct samples is higher, lower or equal in b.
        tokens_a, tokens_b: all sampled tokens a sample, those of probes and other branches among them, mean.
        tokens_difference, tokens_se: b less a, and its standard error clustered by problem.
    """

    a: Setting
    b: Setting
    num_problems: int
    num_only_a: int
    num_only_b: int
    accuracy_a: float
    accuracy_b: float
    difference: float
    se: float | None
    p_value: float | None
    p_holm: float | None
    num_won: int
    num_lost: int
    num_tied: int
    tokens_a: float
    tokens_b: float
    tokens_difference: float
    tokens_se: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the settings spelled out: mini/elastic/24+20."""
        return {**asdict(self), "a": str(self.a), "b": str(self.b)}


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


def compare_runs(records_a: Iterable[Record], records_b: Iterable[Record]) -> list[Paired]:
    """Compare the settings that both runs have, or the one setting of each.

    Settings are the same where strategy and budget are, and the model too if either run has several. Where each run
    has one model under one strategy, or one setting, these are compared whatever they are, at the budgets of both.
    Records with an error are left out.

    Returns:
        A comparison for each pair of settings that share a graded problem, in the order of `by_setting`.

    Raises:
        RecordsError: there is no such pair.
    """
    runs = _settings(records_a), _settings(records_b)
    pairs = [_paired(a, b, runs[0][a], runs[1][b]) for a, b in _matches(*runs) if runs[0][a].keys() & runs[1][b].keys()]
    if not pairs:
        raise RecordsError(
            f"the runs have no setting with a common problem: one has {_named(runs[0])}, the other {_named(runs[1])}; "
            "compare runs of the same task, strategy and budget, or one setting of each"
        )
    return [replace(pair, p_holm=p) for pair, p in zip(pairs, holm([p.p_value for p in pairs]), strict=True)]


def paired_difference(records: Iterable[Record], a: Setting, b: Setting) -> Difference:
    """Accuracy of `b` less that of `a`, on the problems that both have.

    Raises:
        RecordsError: no problem has graded samples under both.
    """
    graded = Records.of(records).graded()
    of_a, of_b = (graded.under([side]).by_problem() for side in (a, b))
    if not of_a.keys() & of_b.keys():
        raise RecordsError(f"no problem was graded under both {a} and {b}: sweep both")
    pair = _paired(a, b, of_a, of_b)
    return Difference(pair.difference, pair.se, pair.num_problems)


def _settings(records: Iterable[Record]) -> dict[Setting, Graded]:
    groups = by_setting(Records.of(records).graded())
    return {setting: group.by_problem() for setting, group in groups.items()}


def _named(settings: Iterable[Setting]) -> str:
    names = [str(setting) for setting in settings]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more or "nothing graded"


def _matches(a: Iterable[Setting], b: Iterable[Setting]) -> list[tuple[Setting, Setting]]:
    """The settings to compare, in the order of the first run."""
    a, b = list(a), list(b)
    if len(a) == len(b) == 1:
        return [(a[0], b[0])]
    if all(len({(setting.model, setting.strategy) for setting in run}) == 1 for run in (a, b)):
        at = {setting.budget: setting for setting in b}
        return [(each, at[each.budget]) for each in a if each.budget in at]
    named = any(len({setting.model for setting in run}) > 1 for run in (a, b))

    def key(setting: Setting) -> Setting:
        return setting if named else replace(setting, model="")

    of_b = {key(setting): setting for setting in b}
    return [(each, of_b[key(each)]) for each in a if key(each) in of_b]


def _paired(a: Setting, b: Setting, of_a: Graded, of_b: Graded) -> Paired:
    both = [problem for problem in of_a if problem in of_b]
    grades_a, grades_b = ([of[problem]["correct"].astype(float).tolist() for problem in both] for of in (of_a, of_b))
    tokens_a, tokens_b = ([spent_tokens(of[problem]).astype(float).tolist() for problem in both] for of in (of_a, of_b))
    accuracy, tokens = paired_means(grades_a, grades_b), paired_means(tokens_a, tokens_b)
    gains = [fmean(after) - fmean(before) for before, after in zip(grades_a, grades_b, strict=True)]
    return Paired(
        a=a,
        b=b,
        num_problems=len(both),
        num_only_a=len(of_a) - len(both),
        num_only_b=len(of_b) - len(both),
        accuracy_a=accuracy.a,
        accuracy_b=accuracy.b,
        difference=accuracy.difference,
        se=accuracy.se,
        p_value=_p_value(accuracy.difference, accuracy.se, len(both)),
        p_holm=None,
        num_won=sum(gain > 0 for gain in gains),
        num_lost=sum(gain < 0 for gain in gains),
        num_tied=gains.count(0),
        tokens_a=tokens.a,
        tokens_b=tokens.b,
        tokens_difference=tokens.difference,
        tokens_se=tokens.se,
    )


def _p_value(difference: float, se: float | None, num_problems: int) -> float | None:
    """How often a difference at least as large comes about by accident.

    Where every problem differs by the same amount, the standard error is 0 and says nothing; the sign test,
    2^(1 - n), stands in.
    """
    if se is None:
        return None
    if se == 0:
        return 1.0 if difference == 0 else 2.0 ** (1 - num_problems)
    return 2 * NORMAL.cdf(-abs(difference) / se)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values after Holm's step-down correction (1979, Scand. J. Statist. 6, 65-70); `None` stays, uncounted."""
    ordered = sorted((p, n) for n, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, n) in enumerate(ordered):
        least = max(least, min(1.0, (len(ordered) - rank) * p))
        corrected[n] = least
    return corrected
