"""Thinkings that were probed wherever a rule may close them: what the probes said, and what they took.

rule = probing_rule(seen.places)                         # goes on everywhere, and asks everywhere
seen = with_probes(seen, longest, records, template)     # records under that rule
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from elastic_reasoning.analysis.allocation import Floats, Thinkings, thought_ids
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.core.segment import Phase, Segment
from elastic_reasoning.core.strategies.allocated import PROBED, Rule, probed_signs
from elastic_reasoning.core.template import Template
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record


def probing_rule(places: Sequence[int]) -> Rule:
    """The rule that probes at every place but the last one, and never closes."""
    return Rule({place: ((1.0, ()), *((0.0, (sign,)) for sign in PROBED)) for place in places[:-1]})


def with_probes(seen: Thinkings, longest: Records, records: Records, template: Template) -> Thinkings:
    """Thinkings with what their probes said as signs, and with the tokens of all probes up to each place.

    Args:
        seen: thinkings.
        longest: the records of their largest budget.
        records: the same thinkings, probed by `probing_rule`. What has an error or thought otherwise is left out.
        template: of the model.

    Raises:
        RecordsError: nothing is left.
    """
    whole = {(record.problem, record.sample): thought_ids(record) for record in longest}
    probed = {(record.problem, record.sample): record for record in records.graded()}
    rows = [n for n, key in enumerate(seen.keys) if key in probed and thought_ids(probed[key]) == whole.get(key)]
    if not rows:
        raise RecordsError(
            "no thinking was the same with probes as without: signs of probes need an engine that draws the same "
            "again, as transformers does, or --sampling.temperature 0"
        )
    kept = seen.where(rows)
    found = [_probes(probed[key], seen.places, template) for key in kept.keys]
    names = [name for name in PROBED if all(name in signs for each, _ in found for signs in each)]
    signs = {name: np.array([[each.get(name, 0.0) for each in row] for row, _ in found]) for name in names}
    return replace(kept, tokens=kept.tokens + np.array([tokens for _, tokens in found]), signs={**kept.signs, **signs})


def _probes(record: Record, places: Sequence[int], template: Template) -> tuple[list[Mapping[str, float]], Floats]:
    """At each place what its probe said, nothing known where there was none, and the tokens of all probes so far."""
    signs: list[Mapping[str, float]] = [dict.fromkeys(PROBED, 0.0) for _ in places]
    tokens = np.zeros(len(places))
    before: str | None = None
    for probe in record.probes:
        place = bisect_right(places, probe.position - _start(record)) - 1
        logprobs = None if probe.logprobs is None else tuple(probe.logprobs)
        sampled = Segment(Phase.PROBE, tuple(probe.ids), True, logprobs)
        signs[place], before = probed_signs(template, probe.asked, sampled, before)
        tokens[place:] += len(probe.ids)
    return signs, tokens


def _start(record: Record) -> int:
    """Ids of the completion before those that were thought."""
    start = 0
    for part in record.segments:
        if part["phase"] == Phase.THINKING and part["sampled"]:
            break
        start += len(part["ids"])
    return start
