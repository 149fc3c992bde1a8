"""Which of several texts to force before a close: each beside none, and the best of them on problems of its own.

    choice = choose_wording({"": plain, "So, in short:": records}, held_out=True)
    choice.best, choice.difference, choice.se

All texts are tried on the same problems with the same seeds, so that differences are paired. That several are looked
at is corrected for twice: each p-value by Holm's method, and the best is chosen on one half of the problems and
measured on the other, unless they are validation problems (`elastic_reasoning.analysis.candidates`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any

from elastic_reasoning.analysis.candidates import FEWEST, Graded, halves
from elastic_reasoning.analysis.compare import Paired, compare_runs, holm
from elastic_reasoning.analysis.errorbars import Z95, paired_means
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.records.columns import Records

NO_TEXT = ""


@dataclass(frozen=True, slots=True)
class Wording:
    """A text, beside none, over all problems; `p_holm` is corrected for all texts."""

    text: str
    pair: Paired


@dataclass(frozen=True, slots=True)
class WordingChoice:
    """What to force, what that gains, and how sure that is.

    Attributes:
        wordings: every text that was tried, as given.
        best: the one with the highest accuracy on the problems that it was chosen on; empty where none is better
            than no text.
        held_out: measured on other problems than those chosen on.
        num_chosen_on, num_measured_on: problems.
        accuracy, difference, se: of the best on the measured problems, less that of no text there, and the standard
            error of that, paired and clustered by problem; `None` where the best is no text.
    """

    wordings: tuple[Wording, ...]
    best: str
    held_out: bool
    num_chosen_on: int
    num_measured_on: int
    accuracy: float
    difference: float | None
    se: float | None

    @property
    def clear(self) -> bool:
        """Whether the best is better than no text by more than 1.96 standard errors."""
        return self.difference is not None and self.difference > Z95 * (self.se or 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        wordings = [{"text": each.text, **each.pair.to_dict()} for each in self.wordings]
        return {**asdict(self), "wordings": wordings, "clear": self.clear}


def choose_wording(runs: Mapping[str, Records], held_out: bool) -> WordingChoice:
    """Compare texts, and choose one.

    Args:
        runs: the records of each text, of one setting; those of `NO_TEXT` among them.
        held_out: whether to measure on other problems than those chosen on.

    Raises:
        RecordsError: there are too few problems.
    """
    graded = {text: records.graded().by_problem() for text, records in runs.items()}
    problems = sorted(set.intersection(*(set(each) for each in graded.values())))
    needed = FEWEST if held_out else FEWEST // 2
    if len(problems) < needed:
        raise RecordsError(
            f"{len(problems)} problems were graded under all {len(runs)} texts, and at least {needed} are needed: "
            "try more problems"
        )
    choosing, measuring = halves(problems, held_out)
    best = max(graded, key=lambda text: (_accuracy(graded[text], choosing), text == NO_TEXT))
    means = paired_means(_grades(graded[NO_TEXT], measuring), _grades(graded[best], measuring))
    return WordingChoice(
        wordings=_beside_none(runs),
        best=best,
        held_out=held_out,
        num_chosen_on=len(choosing),
        num_measured_on=len(measuring),
        accuracy=means.b,
        difference=None if best == NO_TEXT else means.difference,
        se=None if best == NO_TEXT else means.se,
    )


def _beside_none(runs: Mapping[str, Records]) -> tuple[Wording, ...]:
    texts = [text for text in runs if text != NO_TEXT]
    pairs = [compare_runs(runs[NO_TEXT], runs[text])[0] for text in texts]
    corrected = holm([pair.p_value for pair in pairs])
    return tuple(Wording(text, replace(pair, p_holm=p)) for text, pair, p in zip(texts, pairs, corrected, strict=True))


def _grades(graded: Graded, problems: Sequence[str]) -> list[list[float]]:
    return [graded[problem]["correct"].astype(float).tolist() for problem in problems]


def _accuracy(graded: Graded, problems: Sequence[str]) -> float:
    return fmean(grade for grades in _grades(graded, problems) for grade in grades)
