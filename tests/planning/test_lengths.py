import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.planning.lengths import Curve, Drawn, Lengths, Place, Stretch, stretches_of
from elastic_reasoning.records.parts import Part
from elastic_reasoning.records.record import Record
from make_records import make_records

START = Place("", Phase.THINKING, (), 0)


def ended(num_tokens: int, end: Finish = Finish.DELIMITER, place: Place = START) -> Stretch:
    return Stretch(place, num_tokens, end)


def cut(num_tokens: int) -> Stretch:
    return Stretch(START, num_tokens, None)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60))
def test_where_nothing_is_cut_the_quantiles_are_those_of_the_sample(lengths: list[int]) -> None:
    curve = Curve([ended(length) for length in lengths])
    drawn = [curve.draw((index + 0.5) / len(lengths)) for index in range(len(lengths))]
    assert [each and each.num_tokens for each in drawn] == sorted(lengths)


def test_what_is_cut_counts_as_longer_and_not_as_ended() -> None:
    # the example of Kaplan and Meier: 0.8 up to 1, then 0.6 up to 3, where two were lost in between
    curve = Curve([ended(1), cut(2), ended(3), ended(4), cut(5)])
    assert curve.draw(0.19) == Drawn(1, Finish.DELIMITER)
    assert curve.draw(0.21) == Drawn(3, Finish.DELIMITER)
    assert curve.draw(0.2 + 0.8 / 3 + 0.01) == Drawn(4, Finish.DELIMITER)
    assert curve.draw(0.99) is None  # longer than all that is known
    assert Curve([cut(2), ended(2)]).draw(0.99) == Drawn(2, Finish.DELIMITER)  # the cut one was not asked


def test_a_mean_under_a_budget_is_right_although_most_was_cut_shorter() -> None:
    rng = random.Random(0)
    lengths = [1 + int(rng.expovariate(1 / 30)) for _ in range(4000)]
    limits = [(20, 80)[number % 2] for number in range(4000)]
    seen = [ended(n) if n < limit else cut(limit) for n, limit in zip(lengths, limits, strict=True)]
    curve = Curve(seen)
    drawn = [curve.draw((index + 0.5) / 2000) for index in range(2000)]
    mean = sum(min(60, each.num_tokens) if each else 60 for each in drawn) / 2000
    assert mean == pytest.approx(sum(min(60, length) for length in lengths) / 4000, rel=0.03)


def test_ends_of_both_kinds_are_drawn_as_often_as_they_were_seen() -> None:
    curve = Curve([ended(3), ended(3), ended(3), ended(3, Finish.EOS)])
    assert [curve.draw(each) for each in (0.1, 0.74, 0.76)] == [
        Drawn(3, Finish.DELIMITER),
        Drawn(3, Finish.DELIMITER),
        Drawn(3, Finish.EOS),
    ]


def test_solutions_are_those_behind_a_thinking_of_about_that_length() -> None:
    forced = (("closing", False),)
    places = [Place("", Phase.SOLUTION, forced, thought) for thought in (8, 64) for _ in range(40)]
    seen = [ended(place.thought, Finish.EOS, place) for place in places]
    lengths = Lengths(seen)
    assert lengths.draw(Place("", Phase.SOLUTION, forced, 10), 0.5) == Drawn(8, Finish.EOS)
    assert lengths.draw(Place("", Phase.SOLUTION, forced, 60), 0.5) == Drawn(64, Finish.EOS)
    unseen = Place("", Phase.SOLUTION, (("closing", True),), 8)
    assert lengths.draw(unseen, 0.5) == Drawn(8, Finish.EOS)  # any of its phase is better than nothing
    assert Lengths().draw(START, 0.0) is None


def part(phase: str, num: int, sampled: bool, finish: str | None = None) -> Part:
    return Part(phase=phase, ids=[0] * num, sampled=sampled, finish=finish, text="")


def of(segments: list[Part], strategy: str = "elastic") -> list[Stretch]:
    record = make_records(1, 1, ("24+20",), ("mini",), (strategy,))[0]
    values = {name: getattr(record, name) for name in Record.__dataclass_fields__}
    return list(stretches_of(Record(**{**values, "segments": segments})))


def test_a_record_tells_where_each_stretch_began_and_how_it_ended() -> None:
    closed = [part("thinking", 9, True, "delimiter"), part("closing", 1, True), part("solution", 4, True, "eos")]
    assert of(closed) == [
        ended(9),
        Stretch(Place("", Phase.SOLUTION, (("closing", True),), 9), 3, Finish.EOS),
    ]
    forced = [part("thinking", 24, True, "length"), part("closing", 1, False), part("solution", 20, True, "length")]
    assert of(forced) == [cut(24), Stretch(Place("", Phase.SOLUTION, (("closing", False),), 24), 20, None)]


def test_an_end_of_sequence_that_is_discarded_is_no_token() -> None:
    forced = [part("thinking", 5, True, "eos"), part("closing", 1, False), part("solution", 2, True, "eos")]
    assert [stretch.num_tokens for stretch in of(forced)] == [5, 1]


def test_another_prompt_is_another_length() -> None:
    (stretch,) = of([part("thinking", 5, True, "length")], "l1-exact")
    assert "44 tokens" in stretch.place.asked
