"""How the thinking itself differs between settings: before and after training, or from budget to budget.

    for row in reasoning_rows(records):
        print(row.model, row.budget, row.reflections, row.verified_steps)
    changes(records, a, b)      # of two settings, paired, on the same problems

Every thought is measured by itself; a row has the means over samples and their standard errors, clustered by problem.
A thought of which a measure has nothing to say, such as an empty one, is left out of that measure. Longer thoughts
repeat themselves more and compress better whatever they say: compare these two among thoughts of like length.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elastic_reasoning.analysis.errorbars import clustered_se, paired_means
from elastic_reasoning.analysis.ordering import by_setting
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.measures import MEASURES, thought_of
from elastic_reasoning.records.parts import Part
from elastic_reasoning.records.record import Record

PLACES = {name: n for n, name in enumerate(MEASURES)}


@dataclass(frozen=True, slots=True)
class ReasoningRow:
    """How one setting thinks. What nothing is known of is `None`; each mean is followed by its standard error.

    Attributes:
        model, strategy, budget: the setting.
        num_problems, num_samples: those without an error.
        thinking_tokens: sampled thinking tokens.
        reflections: words of reflection (`measures.REFLECTIONS`) for 1000 sampled thinking tokens.
        repetition: see `measures.repetition`.
        compression: see `measures.compression`.
        short_steps, full_steps, verified_steps: shares of the steps of the first pass, which add up to 1 (miniature).
        checks_per_step: verifications for each step of the first pass (miniature).
        restated: share of thoughts that write the problem down again (miniature).
        passes: passes after the first (miniature).
        wrong_steps: share of the steps of which it is known (miniature).
        unread_words: share of words that belong to no form (miniature).
        length_by_tenth: mean words of the parts of a thought that begin in each tenth of it, from the first tenth on;
            parts are sentences and lines, in the miniature steps and what else its thoughts consist of.
    """

    model: str
    strategy: str
    budget: str
    num_problems: int
    num_samples: int
    thinking_tokens: float | None
    thinking_tokens_se: float | None
    reflections: float | None
    reflections_se: float | None
    repetition: float | None
    repetition_se: float | None
    compression: float | None
    compression_se: float | None
    short_steps: float | None
    short_steps_se: float | None
    full_steps: float | None
    full_steps_se: float | None
    verified_steps: float | None
    verified_steps_se: float | None
    checks_per_step: float | None
    checks_per_step_se: float | None
    restated: float | None
    restated_se: float | None
    passes: float | None
    passes_se: float | None
    wrong_steps: float | None
    wrong_steps_se: float | None
    unread_words: float | None
    unread_words_se: float | None
    length_by_tenth: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One measure under two settings, on the problems of which both have something to say.

    Attributes:
        measure: a name in `MEASURES`.
        a, b: the means.
        difference, se: b less a, and its standard error clustered by problem; `None` for a single problem.
        num_problems: that both have.
    """

    measure: str
    a: float
    b: float
    difference: float
    se: float | None
    num_problems: int


@dataclass(frozen=True, slots=True)
class Side:
    """One sample of a problem, to be shown beside others.

    Attributes:
        model, strategy, budget, sample: which one.
        correct, answer: as in `Record`.
        thinking, solution: their texts.
        segments: the same with what was forced told apart, as in `Record`.
        measures: by the names in `MEASURES`.
    """

    model: str
    strategy: str
    budget: str
    sample: int
    correct: bool | None
    answer: str | None
    thinking: str
    solution: str
    segments: list[Part]
    measures: dict[str, float | None]


def reasoning_rows(records: Iterable[Record]) -> list[ReasoningRow]:
    """One row for each setting, in the order of `by_setting`."""
    return [_row(setting, group) for setting, group in by_setting(records).items()]


def changes(records: Iterable[Record], a: Setting, b: Setting) -> list[Change]:
    """What is different under `b`, in the order of `MEASURES`; a measure that no common problem has is left out.

    Raises:
        RecordsError: no problem has samples under both.
    """
    graded = Records.of(records).graded()
    of_a, of_b = (_measured(graded.under([side])) for side in (a, b))
    if not of_a.keys() & of_b.keys():
        raise RecordsError(f"no problem has samples under both {a} and {b}: sweep both")
    return [change for name in MEASURES if (change := _change(name, of_a, of_b)) is not None]


def side_by_side(records: Iterable[Record], problem: str, settings: Sequence[Setting]) -> list[Side]:
    """Every sample of a problem under these settings, in their order.

    Raises:
        RecordsError: there is none.
    """
    samples = Records.of(records).graded().by_problem().get(problem)
    groups = {} if samples is None else samples.by_setting()
    sides = [_side(record) for setting in settings for record in groups.get(setting, ())]
    if not sides:
        named = ", ".join(map(str, settings))
        raise RecordsError(f"problem {problem!r} has no sample under {named}: give the id of a problem in the records")
    return sides


def _row(setting: Setting, records: Records) -> ReasoningRow:
    kept = records.graded()
    measured = _measured(kept)
    values: dict[str, Any] = {}
    for name in MEASURES:
        clusters = [known for samples in measured.values() if (known := _known(name, samples))]
        values[name] = fmean(chain.from_iterable(clusters)) if clusters else None
        values[f"{name}_se"] = clustered_se(clusters)
    return ReasoningRow(
        setting.model,
        setting.strategy,
        str(setting.budget),
        num_problems=len(measured),
        num_samples=len(kept),
        **values,
        length_by_tenth=tuple(_mean(tenth) for tenth in kept.measured[:, len(MEASURES) :].T),
    )


Measured = Mapping[str, NDArray[np.float64]]
"""What was measured in every sample of each problem: [samples, measures]."""


def _measured(records: Records) -> Measured:
    return {problem: samples.measured for problem, samples in records.by_problem().items()}


def _known(name: str, samples: NDArray[np.float64]) -> list[float]:
    values = samples[:, PLACES[name]]
    known: list[float] = values[~np.isnan(values)].tolist()
    return known


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)].tolist()
    return fmean(known) if known else None


def _change(name: str, of_a: Measured, of_b: Measured) -> Change | None:
    pairs = [(_known(name, of_a[problem]), _known(name, of_b[problem])) for problem in of_a if problem in of_b]
    pairs = [(before, after) for before, after in pairs if before and after]
    if not pairs:
        return None
    means = paired_means([before for before, _ in pairs], [after for _, after in pairs])
    return Change(name, means.a, means.b, means.difference, means.se, len(pairs))


def _side(record: Record) -> Side:
    measures = (record.thought or thought_of(record)).measures
    return Side(
        record.model,
        record.strategy,
        record.budget,
        record.sample,
        record.correct,
        record.answer,
        record.text_of(Phase.THINKING),
        record.text_of(Phase.SOLUTION),
        record.segments,
        {name: measures.get(name) for name in MEASURES},
    )
