"""Which replica a prompt goes to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.engines.http import routing
from elastic_reasoning.engines.http.replicas import Replica, UnavailableError
from elastic_reasoning.engines.http.routing import Prefixes, beginnings_of, choose, session_of

LONG = tuple(range(100))


def replicas(*nums_in_flight: int) -> list[Replica]:
    made = [Replica(f"http://127.0.0.1:{number}/v1", lambda: None) for number in range(1, 1 + len(nums_in_flight))]
    for replica, num in zip(made, nums_in_flight, strict=True):
        replica.num_in_flight = num
    return made


@given(st.lists(st.integers(0, 3), max_size=300), st.lists(st.integers(0, 3), max_size=300))
def test_prompts_share_the_marks_of_what_they_begin_with(one: list[int], other: list[int]) -> None:
    common = next((n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    num_common = min(len(one), len(other)) if common is None else common
    shared = set(sizes(len(one))) & set(sizes(len(other)))
    assert len(beginnings_of(one)) == len(sizes(len(one)))
    assert len(set(beginnings_of(one)) & set(beginnings_of(other))) == len([n for n in shared if n <= num_common])
    assert (session_of(one) == session_of(other)) == (one == other)


def sizes(length: int) -> list[int]:
    """How long the beginnings are by which a prompt is known."""
    doubled = [size for n in range(6) if (size := routing.FIRST_BLOCK * 2**n) < length]
    return [*doubled, length] if length else []


def test_a_prompt_has_the_same_name_in_every_process() -> None:
    assert session_of((1, 2, 70000)) == "b85d07d5dfee0a21dcec91c4e7293bbc"
    assert session_of(()) == ""


@pytest.mark.parametrize("num_samples", [1, 16])
def test_the_samples_of_a_problem_go_to_one_replica_and_problems_to_all(num_samples: int) -> None:
    """All prompts begin with the same instruction, which is a sixth of each."""
    copies, prefixes = replicas(0, 0, 0, 0), Prefixes()
    asked: dict[int, set[Replica]] = {}
    for problem in range(8):
        marks = beginnings_of((*range(20), *[problem] * 100))
        for _ in range(num_samples):
            chosen = choose(copies, 0.0, prefixes, marks)
            prefixes.note(marks, chosen)
            chosen.num_in_flight += 1
            asked.setdefault(problem, set()).add(chosen)
    assert [len(replicas) for replicas in asked.values()] == [1] * 8
    assert [copy.num_in_flight for copy in copies] == [2 * num_samples] * 4


def test_the_least_busy_is_asked_where_nobody_has_the_beginning() -> None:
    one, two = replicas(3, 2)
    assert choose([one, two], 0.0, Prefixes(), beginnings_of(LONG)) is two


def test_who_has_more_of_the_prompt_is_asked_until_it_is_much_busier() -> None:
    one, two = replicas(0, 0)
    prefixes = Prefixes()
    prefixes.note(beginnings_of(LONG[:40]), two)
    prefixes.note(beginnings_of(LONG), one)
    for one.num_in_flight in range(17):
        assert choose([one, two], 0.0, prefixes, beginnings_of((*LONG, 7))) is one
    one.num_in_flight = 17
    assert choose([one, two], 0.0, prefixes, beginnings_of((*LONG, 7))) is two
    one.num_in_flight, two.num_in_flight = 26, 5
    assert choose([one, two], 0.0, prefixes, beginnings_of((*LONG, 7))) is one
    prefixes.forget(one)
    assert choose([one, two], 0.0, prefixes, beginnings_of((*LONG, 7))) is two


def test_who_is_left_alone_is_not_asked_and_who_failed_is_tried_by_one() -> None:
    one, two = replicas(0, 4)
    prefixes = Prefixes()
    prefixes.note(beginnings_of(LONG), one)
    one.mark_failed(0.0, UnavailableError("busy", retry_after_seconds=10))
    assert choose([one, two], 1.0, prefixes, beginnings_of(LONG)) is two
    assert choose([one, two], 11.0, prefixes, beginnings_of(LONG)) is one
    one.num_in_flight = 1
    assert choose([one, two], 11.0, prefixes, beginnings_of(LONG)) is two
    two.mark_failed(11.0, UnavailableError("gone"))
    assert choose([one, two], 11.0, prefixes, beginnings_of(LONG)) is one


def test_no_more_than_so_many_beginnings_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "MOST_REMEMBERED", 8)
    [one] = replicas(0)
    prefixes = Prefixes()
    prefixes.note(range(routing.MOST_REMEMBERED + 5), one)
    assert prefixes.holders([4], [one]) == []
    assert prefixes.holders([5], [one]) == [one]
