"""How long models think and answer, learnt from records of which some were cut: a Kaplan-Meier estimate.

    lengths = Lengths(steps_of(record) for record in records)
    lengths.draw(Place("", Phase.THINKING, (), thought=0), 0.5)      # Drawn(17, Finish.DELIMITER)

A stretch of sampled tokens that a budget has cut says only that it would have been longer. The estimator of Kaplan and
Meier (1958, JASA 53:457) takes such stretches for what they are: at each length, the share that ended there of those
that were still going on.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.strategies import facts_of
from elastic_reasoning.planning.tokens import Tokens
from elastic_reasoning.records.record import Record

NEAREST = 32
"""Stretches that an estimate is made of, where there are more: those behind a thinking of about the same length."""
ENDS = (Finish.DELIMITER, Finish.EOS)
"""What the model ended by itself."""

Before = tuple[tuple[str, bool], ...]
"""(phase, whether it was sampled) of what stands between one stretch and the next, as a forced delimiter."""


class Place(NamedTuple):
    """Where a stretch of sampled tokens begins."""

    asked: str
    """What the strategy asks for in the prompt; empty for nothing."""
    phase: Phase
    before: Before
    thought: int
    """Thinking tokens that were sampled before it."""


class Stretch(NamedTuple):
    """Tokens sampled in one go, without the delimiter or the end of sequence that ended them."""

    place: Place
    num_tokens: int
    end: Finish | None
    """`None` where it was cut."""


class Drawn(NamedTuple):
    """How a stretch ends if nothing cuts it."""

    num_tokens: int
    end: Finish


def stretches_of(record: Record) -> Iterator[Stretch]:
    """What a record tells of lengths; nothing where it has an error."""
    if record.error is not None:
        return
    asked = facts_of(record.strategy).ask(Budget.parse(record.budget))
    before: list[tuple[str, bool]] = []
    thought = 0
    for number, part in enumerate(record.segments, start=1):
        if not part["sampled"] or part["finish"] is None:
            before.append((part["phase"], part["sampled"]))
            continue
        phase, finish = Phase(part["phase"]), Finish(part["finish"])
        num = len(part["ids"])
        is_kept = finish is Finish.EOS and number == len(record.segments)  # one that is discarded stands nowhere
        place = Place(asked, phase, tuple(before), thought)
        yield Stretch(place, num - is_kept, finish if finish in ENDS else None)
        thought += num if phase is Phase.THINKING else 0
        before = []


class Curve:
    """The distribution of the lengths of some stretches."""

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._ends: list[Drawn] = []
        self._sums: list[float] = []
        ended: dict[int, dict[Finish, int]] = defaultdict(lambda: defaultdict(int))
        for stretch in stretches:
            if stretch.end is not None:
                ended[stretch.num_tokens][stretch.end] += 1
        alive, total = 1.0, 0.0
        # One that is cut behind n tokens was never asked whether it ends there: it is gone before those that do.
        gone = sorted(stretch.num_tokens - (stretch.end is None) / 2 for stretch in stretches)
        for length in sorted(ended):
            num_at_risk = len(gone) - bisect_left(gone, length)
            for end, num in ended[length].items():
                total += alive * num / num_at_risk
                self._ends.append(Drawn(length, end))
                self._sums.append(total)
            alive *= 1 - sum(ended[length].values()) / num_at_risk

    def draw(self, uniform: float) -> Drawn | None:
        """The end at a quantile; `None` where it is longer than all that is known."""
        found = bisect_left(self._sums, uniform)
        return self._ends[found] if found < len(self._ends) else None


class Lengths:
    """What is known of the lengths of one model's stretches.

    Args:
        stretches: observed ones; without any, nothing is known and every stretch goes on until a budget cuts it.
        spent: by strategy and budget, what the records came to that these are of. A strategy that goes by what is said
            is counted by them, as lengths alone do not tell where it closes and how often it probes.
    """

    def __init__(
        self, stretches: Iterable[Stretch] = (), spent: Mapping[tuple[str, Budget], Tokens] = MappingProxyType({})
    ) -> None:
        self.spent = spent
        self._by_kind: dict[tuple[str, Phase, Before], list[Stretch]] = defaultdict(list)
        self._by_phase: dict[Phase, list[Stretch]] = defaultdict(list)
        for stretch in stretches:
            self._by_kind[stretch.place[:3]].append(stretch)
            self._by_phase[stretch.place.phase].append(stretch)
        self._curves: dict[Place, Curve] = {}

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Lengths":
        """Of a model's records."""
        stretches: list[Stretch] = []
        spent: dict[tuple[str, Budget], Tokens] = defaultdict(Tokens)
        for record in records:
            stretches.extend(stretches_of(record))
            spent[record.strategy, Budget.parse(record.budget)] += Tokens.of_record(record)
        return cls(stretches, dict(spent))

    @property
    def is_known(self) -> bool:
        """Whether anything was observed."""
        return bool(self._by_phase)

    def draw(self, place: Place, uniform: float) -> Drawn | None:
        """How a stretch ends that begins there.

        Args:
            place: one that was never seen is taken for any of its phase.
            uniform: in [0, 1), by which the end is chosen.

        Returns:
            `None` where it is longer than all that is known.
        """
        if place not in self._curves:
            seen = self._by_kind.get(place[:3]) or self._by_phase.get(place.phase, [])
            self._curves[place] = Curve(_nearest(seen, place.thought))
        return self._curves[place].draw(uniform)


def _nearest(stretches: Sequence[Stretch], thought: int) -> list[Stretch]:
    """Those behind a thinking of about that length: a solution's length hangs on how much was thought before it."""
    by_distance = sorted(stretches, key=lambda stretch: abs(stretch.place.thought - thought))
    if len(by_distance) <= NEAREST:
        return by_distance
    farthest = abs(by_distance[NEAREST - 1].place.thought - thought)
    return [stretch for stretch in by_distance if abs(stretch.place.thought - thought) <= farthest]
