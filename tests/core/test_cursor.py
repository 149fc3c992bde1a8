import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.cursor import Cursor, Turn
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from letters import answer, finishes, letters, show

ONE, TWO = letters(), letters(closing="CD")


def cursor_of(budget: str, template: Template = ONE, strategy: str = "elastic", **options) -> Cursor:
    request = Request(Prompt((), Thinking.OPEN), Budget.parse(budget), strategy, Options(**options))
    return Cursor(Walk(request, template))


def said(cursor: Cursor, text: str) -> Turn:
    ids = cursor.walk.template.encode(text)
    return cursor.wake(ids, [-1.0] * len(ids))


def watched(cursor: Cursor) -> str:
    return "".join(sorted(cursor.walk.template.decode(sorted(cursor.watch))))


# Events


def test_a_cursor_waits_for_the_end_of_the_budget_or_a_watched_token() -> None:
    cursor = cursor_of("5+3")
    assert (cursor.left, watched(cursor), cursor.banned) == (5, "$C", frozenset())
    assert said(cursor, "abC") == Turn(0, ())
    assert (cursor.left, watched(cursor), cursor.done) == (3, "$", False)
    said(cursor, "xyz")
    assert (cursor.left, cursor.watch, cursor.done) == (0, frozenset(), True)


def test_a_watched_token_that_completes_nothing_goes_on() -> None:
    cursor = cursor_of("5+3", TWO)
    assert said(cursor, "aD") == Turn(0, ())
    assert (cursor.left, cursor.ids) == (3, list(TWO.encode("aD")))


def test_the_answer_to_an_event_is_what_to_take_back_and_what_to_force() -> None:
    assert said(cursor_of("2+3"), "ab") == Turn(0, ONE.encode("C"))
    assert said(cursor_of("9+3"), "ab$") == Turn(1, ONE.encode("C"))
    assert said(cursor_of("3+3", TWO), "abC") == Turn(0, TWO.encode("D"))
    assert said(cursor_of("9+3", TWO), "aC$") == Turn(1, TWO.encode("D"))
    assert said(cursor_of("9+3", TWO, min_thinking=3, wait="wu"), "aCD") == Turn(2, TWO.encode("wu"))


def test_a_delimiter_is_recognised_over_two_events() -> None:
    cursor = cursor_of("9+3", letters(closing="CDD"), min_thinking=3, wait="w")
    assert said(cursor, "aCD") == Turn(0, ())
    assert said(cursor, "D") == Turn(3, ONE.encode("w"))


def test_boundaries_are_watched_only_in_the_grace_window() -> None:
    cursor = cursor_of("6+3", grace=2)
    assert (cursor.left, watched(cursor)) == (3, "$C")
    said(cursor, "a.b")
    assert (cursor.left, watched(cursor)) == (3, "\n$.C")
    assert said(cursor, ".") == Turn(0, ONE.encode("C"))


def test_what_is_banned_is_not_watched_and_ends_with_the_minimum() -> None:
    cursor = cursor_of("6+3", min_thinking=2)
    assert (cursor.left, watched(cursor), cursor.banned) == (2, "", frozenset(ONE.encode("$C")))
    said(cursor, "ab")
    assert (cursor.left, watched(cursor), cursor.banned) == (4, "$C", frozenset())


def test_without_limits_there_is_nothing_to_count() -> None:
    assert cursor_of("inf+3").left is None


# Rule 12: replay


def replayed(trace: Trace, *, mask: bool, context: int | None = None) -> Trace:
    return replay(trace.request, trace.ids, trace.template, context, trace.sampled_mask if mask else None)


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize(
    ("says", "budget", "strategy", "options"),
    [
        ("abCx$", "3+3", "elastic", {}),
        ("abcdxyz", "3+3", "elastic", {"wrap_up": "w"}),
        ("ab", "2+0", "elastic", {}),
        ("", "0+0", "nothinking", {}),
        ("a.bcx$", "4+3", "elastic", {"grace": 3}),
        ("abCx$", "3+3", "vanilla", {}),
        ("abcdef", "3+3", "s1", {"answer_tokens": 2, "answer_text": "w"}),
    ],
)
def test_rule_12_ids_alone_give_the_segments_back_where_nothing_was_discarded(
    says: str, budget: str, strategy: str, options: dict, mask: bool
) -> None:
    trace = answer(ONE, says, budget, strategy, **options)
    again = replayed(trace, mask=mask)
    assert (show(again), finishes(again)) == (show(trace), finishes(trace))


@pytest.mark.parametrize(
    ("says", "options"),
    [
        ("ab$x$", {}),
        ("aCDbcCDx$", {"min_thinking": 3, "wait": "w"}),
        ("aC$x$", {"wrap_up": "w"}),
        ("CDCDx$", {"min_thinking": 2, "wait": "w", "wrap_up": "w"}),  # the wait text could be the wrap-up text
    ],
)
def test_rule_12_with_the_mask_what_was_discarded_is_recovered(says: str, options: dict) -> None:
    trace = answer(TWO, says, "9+3", **options)
    again = replayed(trace, mask=True)
    assert (show(again), finishes(again)) == (show(trace), finishes(trace))


@pytest.mark.parametrize("closing", ["C", "CD", "CDC"])
@pytest.mark.parametrize("said", ["{}bc{}x$", "{0}{0}x$", "a{}{}x$", "{}", "$"])
def test_rule_12_log_probabilities_come_back_too_where_the_first_tokens_were_taken_back(
    said: str, closing: str
) -> None:
    trace = answer(letters(closing=closing), said.format(closing, closing), "9+3", min_thinking=3, wait="w")
    again = replay(trace.request, trace.ids, trace.template, None, trace.sampled_mask, trace.logprobs)
    assert again == trace


def test_without_the_mask_a_forced_delimiter_before_the_end_of_the_budget_is_read_as_sampled() -> None:
    trace = answer(ONE, "ab$x$", "9+3")
    assert show(trace) == "thinking:ab closing:[C] solution:x$"
    assert show(replayed(trace, mask=False)) == "thinking:ab closing:C solution:x$"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ab", "forces .* at 2"),
        ("abx", "forces .* at 2"),
        ("abC", "end within a call"),
        ("abCx$y", "1 ids follow the end"),
        ("a$", "discards"),
    ],
)
def test_ids_that_cannot_have_come_from_a_request_are_refused(text: str, message: str) -> None:
    request = Request(Prompt((), Thinking.OPEN), Budget(2, 3))
    with pytest.raises(EngineError, match=message):
        replay(request, ONE.encode(text), ONE)


def test_a_refused_request_replays_as_its_error() -> None:
    request = Request(Prompt((), Thinking.OPEN), Budget(2, 3), "elastik")
    assert "elastik" in str(replay(request, (), ONE).error)
