"""A soft landing: what is added to which logit before each token, by a definition of its own; and closing words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.cursor import Cursor
from elastic_reasoning.core.needs import needs_of
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.loading import load
from letters import answer, letters, show
from rows import new_row


def request(budget: Budget, **options: int | str) -> Request:
    return Request(Prompt((), Thinking.OPEN), budget, "elastic", Options(**options))


def begun(closing: tuple[int, ...], ids: list[int]) -> int:
    return max(n for n in range(len(closing)) if n == 0 or tuple(ids[-n:]) == closing[:n])


@given(
    st.sampled_from(["C", "CD", "CDC"]),
    st.text("abCD", max_size=14),
    st.integers(0, 12),
    st.integers(1, 6),
    st.integers(1, 100),
    st.sampled_from([{}, {"loop_breaker": 12}, {"grace": 3}, {"wrap_up": "w{left}"}]),
)
def test_the_closing_delimiter_becomes_likelier_by_equal_steps(
    closing: str, says: str, limit: int, num_landing: int, peak: int, others: dict[str, int | str]
) -> None:
    template = letters(closing=closing)
    num_landing = min(num_landing, limit)
    asked = request(Budget(limit, 2), soft_landing=num_landing, landing_peak=peak, **others)
    cursor, row = Cursor(Walk(asked, template)), new_row(asked, template, None)
    for num, token in enumerate(template.encode(says)):
        if cursor.done or cursor.walk.call is None or cursor.walk.call.phase is not Phase.THINKING or row.forced:
            assert cursor.raised is None
            break
        nth = num + 1 - (limit - num_landing)
        ids = list(row.output)
        if nth >= 1 and num_landing:
            wanted = template.closing.ids[begun(template.closing.ids, ids)], pytest.approx(peak * nth / num_landing)
            assert cursor.raised == wanted
        else:
            assert cursor.raised is None
        assert row.raised == cursor.raised
        cursor.wake([token], [-1.0])
        row.output.append(token)
        row.advance()


def test_what_is_drawn_under_it_is_no_draw_of_the_model() -> None:
    template = letters()
    assert needs_of(request(Budget(9, 2), soft_landing=3), template).bans
    assert not needs_of(request(Budget(9, 2), loop_breaker=12, close_text="x", wrap_up="{used}"), template).bans


def test_an_engine_closes_within_the_landing_and_reports_the_models_own_probabilities() -> None:
    engine = load("mini")
    bare = ask(engine, "a 4 b -8 c +7 d *3 =", "16+8")
    assert bare.budget_hit
    landed = ask(engine, "a 4 b -8 c +7 d *3 =", "16+8", options={"soft_landing": 4, "landing_peak": 100})
    assert landed.num_thinking_tokens == 12  # at the first of the four 25 nats are added
    assert not landed.forced_close
    assert landed.ids[:12] == bare.ids[:12]
    assert landed.logprobs[12] < -1  # which it did not want to say


def test_closing_words_begin_the_answer_whoever_closes() -> None:
    template = letters()
    assert show(answer(template, "abCx$", "5+3", close_text="yz")) == "thinking:ab closing:C solution:[yz] solution:x$"
    assert show(answer(template, "abx$", "2+3", close_text="yz", wrap_up="w")) == (
        "thinking:ab wrap_up:[w] closing:[C] solution:[yz] solution:x$"
    )
    closed = answer(template, "x$", "2+3", thinking=Thinking.CLOSED, close_text="yz")
    assert show(closed) == "solution:[yz] solution:x$"
    assert closed.num_solution_tokens == 2
    assert closed.solution_text == "yzx"
