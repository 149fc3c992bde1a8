"""Rows that time closes: what they force, what is read of it afterwards, and by a row that is made again."""

from dataclasses import replace

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from cases import Case, cases
from checker import check
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.integrations.row import Row
from letters import by_count, finishes, letters, show
from rows import edits, emit_timed, in_one_pass, new_row, read


def timed(case: Case) -> Case:
    case = in_one_pass(case)
    return replace(case, request=replace(case.request, deadline_seconds=1.0))


def is_thinking(row: Row) -> bool:
    call = row._cursor.walk.call
    return call is not None and call.phase is Phase.THINKING


@settings(max_examples=350)
@given(cases().map(timed), st.sets(st.integers(0, 20), max_size=3))
def test_what_time_has_closed_is_read_of_the_ids_and_keeps_the_budget(case: Case, closes: set[int]) -> None:
    ids, asked = emit_timed(case.request, case.template, case.context, case.script(), closes)
    trace = read(case.request, ids, case.template, case.context)
    event(f"closed: {any(one.is_due for one in asked)}, found: {trace.closed_by_deadline}")
    assert trace.error is not None or check(trace, case.context) == []


def unframed(case: Case) -> Case:
    """With nothing behind the delimiter, which is the model's own until all that is forced behind it is there."""
    template = replace(case.template, closing=replace(case.template.closing, follow=()))
    return timed(replace(case, template=template))


@settings(max_examples=300)
@given(cases().map(unframed), st.sets(st.integers(0, 20), max_size=3))
def test_a_row_made_again_goes_on_with_what_time_has_forced(case: Case, closes: set[int]) -> None:
    ids, asked = emit_timed(case.request, case.template, case.context, case.script(), closes)
    for num, one in enumerate(asked):
        row = new_row(case.request, case.template, case.context, ids[:num])
        if one.is_due and (one.is_over or is_thinking(row)):
            row.close()
        assert edits(row) == one.edits, (num, ids)


def says(text: str, budget: str, closes: set[int], closing: str = "C", **options: object) -> str:
    """What a model that says these letters emits where time is up after so many, and what is read of it."""
    template = letters(closing=closing)
    request = Request(
        Prompt((), Thinking.OPEN), Budget.parse(budget), "elastic", Options(**options), deadline_seconds=1.0
    )
    ids, _ = emit_timed(request, template, 60, by_count(template.encode(text), template), closes)
    trace = read(request, ids, template, 60)
    assert check(trace, 60) == []
    return f"{template.decode(ids)} = {show(trace)}; {' '.join(finishes(trace))}"


@pytest.mark.parametrize(
    ("result", "wanted"),
    [
        # A delimiter alone, and an end of sequence, read as the model's own.
        (says("abcxy$", "9+3", {2}), "abCcxy$ = thinking:ab closing:C solution:cxy; delimiter length"),
        (says("abcxyz", "9+9", {2, 5}), "abCcx$ = thinking:ab closing:C solution:cx$; delimiter eos"),
        (says("abcxyz", "9+9", {0}), "Cabcxyz$ = closing:C solution:abcxyz$; delimiter eos"),
        (says("abcxyz", "9+9", {2, 3}), "abC$ = thinking:ab closing:C solution:$; delimiter eos"),
        # What cannot be the model's own reads as forced.
        (
            says("abcxy$", "9+3", {2}, wrap_up="wu"),
            "abwuCcxy$ = thinking:ab wrap_up:[wu] closing:[C] solution:cxy; deadline length",
        ),
        (says("abcx$", "9+3", {1}, min_thinking=3), "aCbcx$ = thinking:a closing:[C] solution:bcx; deadline length"),
        # What has begun is completed; near the wall, the wall closes.
        (says("aCxy", "9+2", {2}, "CD"), "aCDxy$ = thinking:a closing:CD solution:xy; delimiter length"),
        (
            says("awxy", "9+2", {2}, wrap_up="wu"),
            "awuCxy$ = thinking:a wrap_up:[wu] closing:[C] solution:xy; deadline length",
        ),
        (
            says("abcdxy", "4+2", {3}, wrap_up="wu"),
            "abcdwuCxy = thinking:abcd wrap_up:[wu] closing:[C] solution:xy; length length",
        ),
    ],
)
def test_what_is_emitted_and_read(result: str, wanted: str) -> None:
    assert result == wanted
