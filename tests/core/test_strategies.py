"""The rules of budgets, one by one, and each strategy on an example.

`O` opens thinking, `C` closes it, `$` ends the sequence; forced letters stand in brackets. `answer` also has
both interpreters agree and the checker judge.
"""

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import BudgetError, StrategyError
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.strategies import STRATEGIES, find_strategy, known_options
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.walk import Walk
from letters import answer, finishes, letters, pieces_template, show

ONE = letters()
TWO = letters(closing="CD")
OVERLAPPING = letters(closing="CCD")
TEXT = pieces_template(["$", *"<>/tabcx.", "</", ">x", "a<"], "<t>", "</t>")


# Rules 1 and 2: the thinking budget


def test_rule_1_the_closing_delimiter_is_not_counted() -> None:
    trace = answer(ONE, "abCxy$", "3+4")
    assert show(trace) == "thinking:ab closing:C solution:xy$"
    assert (trace.num_thinking_tokens, trace.num_solution_tokens, trace.budget_hit) == (2, 3, False)


def test_rule_1_no_thinking_budget_closes_at_once() -> None:
    trace = answer(ONE, "xy$", "0+4")
    assert show(trace) == "closing:[C] solution:xy$"
    assert trace.budget_hit


@pytest.mark.parametrize("options", [{}, {"grace": 2}, {"min_thinking": 3}, {"wrap_up": "w"}, {"wait": "f"}])
def test_rule_2_no_option_exceeds_the_wall(options: dict) -> None:
    trace = answer(ONE, "abcdefxyz", "3+2", **options)
    assert show(trace).replace(" wrap_up:[w]", "") == "thinking:abc closing:[C] solution:de"


# Rule 3: the solution budget


def test_rule_3_an_early_thinker_gains_nothing_for_the_solution() -> None:
    trace = answer(ONE, "aCxyz", "9+2")
    assert show(trace) == "thinking:a closing:C solution:xy"
    assert finishes(trace) == ["delimiter", "length"]
    assert trace.solution_cut


def test_rule_3_a_sampled_end_of_sequence_counts() -> None:
    assert answer(ONE, "Cxy$", "1+3").num_solution_tokens == 3
    cut = answer(ONE, "Cxy$", "1+2")
    assert (show(cut), cut.solution_cut) == ("closing:C solution:xy", True)


def test_rule_3_no_solution_budget_leaves_the_solution_empty() -> None:
    assert show(answer(ONE, "ab", "2+0")) == "thinking:ab closing:[C]"


# Rule 4: the delimiter


def test_rule_4_a_half_written_delimiter_is_completed_and_leaves_the_count() -> None:
    trace = answer(TWO, "abCxy$", "3+4", wrap_up="w")
    assert show(trace) == "thinking:ab closing:C closing:[D] solution:xy$"
    assert trace.num_thinking_tokens == 2
    assert trace.budget_hit
    assert trace.forced_close


def test_rule_4_the_longest_beginning_counts_where_the_delimiter_overlaps_itself() -> None:
    assert show(answer(OVERLAPPING, "aCCCx$", "4+2")) == "thinking:aC closing:CC closing:[D] solution:x$"
    assert show(answer(OVERLAPPING, "aCCCDx$", "9+2")) == "thinking:aC closing:CCD solution:x$"


def test_rule_4_a_delimiter_that_fits_is_the_models_own() -> None:
    trace = answer(TWO, "abCDx$", "4+2")
    assert show(trace) == "thinking:ab closing:CD solution:x$"
    assert not trace.budget_hit


def test_rule_4_at_the_wall_the_delimiter_is_forced_even_if_the_model_would_have_closed() -> None:
    trace = answer(ONE, "abxC$", "2+3")
    assert show(trace) == "thinking:ab closing:[C] solution:xC$"
    assert trace.budget_hit


@pytest.mark.parametrize(
    ("says", "closing"), [("ab</t>", "</t>"), ("ab<</t>", "</t>"), ("ab</t>x", "</t>x"), ("a<t</t>", "</t>")]
)
def test_rule_4_plain_text_closes_thinking_however_it_is_tokenised(says: str, closing: str) -> None:
    trace = answer(TEXT, says + "c$", "9+3")
    assert TEXT.decode([t for s in trace.segments if s.phase is Phase.CLOSING for t in s.ids]) == closing
    assert trace.solution_text == "c"
    assert not trace.forced_close


def test_rule_4_half_written_plain_text_is_completed() -> None:
    assert show(answer(TEXT, "bba<", "3+0")) == "thinking:bb closing:a< closing:[/t>]"


# Rule 5: the end of sequence within thinking


@pytest.mark.parametrize("strategy", ["elastic", "s1"])
def test_rule_5_an_end_of_sequence_in_thinking_is_discarded_and_the_delimiter_forced(strategy: str) -> None:
    options = {"answer_text": "", "answer_tokens": 3} if strategy == "s1" else {}
    trace = answer(ONE, "ab$xy$", "5+3", strategy, **options)
    assert show(trace) == "thinking:ab closing:[C] solution:xy$"
    assert finishes(trace) == ["eos", "eos"]
    assert (trace.num_thinking_tokens, trace.budget_hit) == (2, False)


def test_rule_5_a_delimiter_begun_before_the_end_of_sequence_is_completed() -> None:
    assert show(answer(TWO, "aC$x$", "5+3")) == "thinking:a closing:C closing:[D] solution:x$"


@pytest.mark.parametrize("strategy", ["vanilla", "unconstrained"])
def test_rule_5_vanilla_and_unconstrained_end_there(strategy: str) -> None:
    trace = answer(ONE, "ab$xy$", "5+3", strategy)
    assert show(trace) == "thinking:ab$"
    assert (trace.thinking_text, trace.solution_text) == ("ab", "")


# Rules 6 and 7: what is forced around thinking


def test_rule_6_the_opening_is_forced_where_the_prompt_has_none() -> None:
    trace = answer(ONE, "abCx$", "3+4", thinking=Thinking.ABSENT)
    assert show(trace) == "opening:[O] thinking:ab closing:C solution:x$"
    assert trace.num_thinking_tokens == 2


def test_rule_6_a_prompt_that_has_closed_thinking_is_answered_at_once() -> None:
    trace = answer(ONE, "xyz", "3+2", thinking=Thinking.CLOSED)
    assert show(trace) == "solution:xy"
    assert not trace.budget_hit


def test_rule_7_wrap_up_is_forced_before_the_delimiter_and_told_apart() -> None:
    trace = answer(ONE, "abcdx$", "2+3", wrap_up="wu")
    assert show(trace) == "thinking:ab wrap_up:[wu] closing:[C] solution:cdx"
    assert (trace.thinking_text, trace.num_forced_tokens) == ("ab", 3)


def test_rule_7_a_model_that_closes_by_itself_is_not_wrapped_up() -> None:
    assert show(answer(ONE, "abCx$", "3+3", wrap_up="wu")) == "thinking:ab closing:C solution:x$"


@pytest.mark.parametrize("option", ["wrap_up", "wait"])
def test_rule_7_forced_text_cannot_close_thinking(option: str) -> None:
    assert "'aC' holds 'C': leave it out" in str(answer(ONE, "a", "2+3", **{option: "aC"}).error)


# Rule 8: grace and minimum


@pytest.mark.parametrize(
    ("says", "thinking", "finish"),
    [
        ("a.b.cdef", "a.b.", "boundary"),  # the boundary before the window does not close
        ("abc\ndef", "abc\n", "boundary"),
        ("ab.cdef", "ab.", "boundary"),  # the window's first token
        ("a.bcd.f", "a.bcd.", "length"),  # at the wall thinking closes regardless
        ("abcdefa", "abcdef", "length"),
    ],
)
def test_rule_8_grace_closes_at_the_first_boundary_in_the_window(says: str, thinking: str, finish: str) -> None:
    trace = answer(ONE, says + "xyz", "6+1", grace=3)
    assert (trace.thinking_text, finishes(trace)[0], trace.budget_hit) == (thinking, finish, True)


def test_rule_8_a_delimiter_before_the_minimum_is_replaced_by_wait() -> None:
    trace = answer(ONE, "aCbcCx$", "5+2", min_thinking=3, wait="w")
    assert show(trace) == "thinking:a thinking:[w] thinking:bc closing:C solution:x$"
    assert trace.num_thinking_tokens == 3


def test_rule_8_wait_takes_back_a_delimiter_of_several_tokens() -> None:
    trace = answer(TWO, "aCDbcCDx$", "6+2", min_thinking=3, wait="w")
    assert show(trace) == "thinking:a thinking:[w] thinking:bc closing:CD solution:x$"


def test_rule_8_without_wait_the_delimiter_and_the_end_are_forbidden_until_the_minimum() -> None:
    trace = answer(ONE, "aC$cCx$", "6+2", min_thinking=3)
    assert trace.num_thinking_tokens == 4
    assert show(trace).endswith("c closing:C solution:x$")


def test_rule_8_a_delimiter_of_several_tokens_cannot_be_forbidden() -> None:
    one_token_or_several = pieces_template(["$", *"</t>a", "</t>"], "<t>", "</t>")
    for template in (TWO, TEXT, one_token_or_several):
        trace = answer(template, "a", "6+2", min_thinking=3)
        assert "is not a single token: give wait='Wait' to replace it" in str(trace.error)


def test_rule_8_grace_waits_for_the_minimum() -> None:
    assert answer(ONE, "a.b.cdef", "6+1", grace=6, min_thinking=3).thinking_text == "a.b."


def test_rule_8_a_model_that_answers_wait_with_the_delimiter_at_once_is_let_go() -> None:
    assert show(answer(ONE, "CCx$", "6+2", min_thinking=3, wait="w")) == "thinking:[w] closing:C solution:x$"


def test_rule_8_a_minimum_above_the_budget_is_refused() -> None:
    assert "min_thinking 4 is more than the thinking budget of 3" in str(answer(ONE, "a", "3+2", min_thinking=4).error)


# Rule 9: the context


def test_rule_9_unlimited_thinking_leaves_room_for_what_follows() -> None:
    trace = answer(ONE, "abcdefxyz", "inf+2", prompt="ab", context=9, wrap_up="w")
    assert show(trace) == "thinking:abc wrap_up:[w] closing:[C] solution:de"
    assert len(trace.ids) == 9 - 2 + 0


def test_rule_9_a_budget_that_does_not_fit_says_by_how_much() -> None:
    # 1 opening + 5 thinking + 2 wrap-up + 1 closing + 4 solution = 13, and 10 - 3 = 7 are left
    trace = answer(ONE, "", "5+4", prompt="abc", thinking=Thinking.ABSENT, context=10, wrap_up="wu")
    assert "13 tokens after the prompt, 6 more than" in str(trace.error)
    assert answer(ONE, "ab", "5+4", prompt="abc", thinking=Thinking.ABSENT, context=16, wrap_up="wu").error is None


def test_rule_9_a_prompt_that_does_not_fit_says_by_how_much() -> None:
    trace = answer(ONE, "", "0+0", prompt="abc", context=1, strategy="unconstrained")
    assert "the prompt has 3 tokens, 2 more than the model's context of 1" in str(trace.error)


def test_rule_9_completing_a_half_written_delimiter_stays_in_the_context() -> None:
    # Written at once the delimiter is one token, completed after "<" it takes three.
    template = pieces_template(["$", *"</t>ab", "</t>"], "<t>", "</t>")
    trace = answer(template, "ab<", "inf+0", context=6)
    assert show(trace) == "thinking:ab closing:< closing:[/t>]"


# Rule 10: escapes


def test_rule_10_thinking_opened_again_is_charged_to_the_solution_and_flagged() -> None:
    trace = answer(ONE, "aCxObCy$", "2+6")
    assert show(trace) == "thinking:a closing:C solution:xObCy$"
    assert trace.escaped
    assert trace.num_solution_tokens == 6
    assert not answer(ONE, "aCxy$", "2+6").escaped


# Rule 17: closed again


@pytest.mark.parametrize("template", [ONE, TWO, pieces_template(["$", *"CDabxyzw", "CD", "b"], "<", "CD")])
def test_rule_17_thinking_closed_again_after_a_forced_close_is_counted_and_told_from_the_answer(
    template: Template,
) -> None:
    closing = template.closing.text
    trace = answer(template, f"abxx{closing}y$", "2+9")
    assert (trace.forced_close, trace.closed_again, trace.escaped) == (True, 1, False)
    assert (trace.thinking_text, trace.leaked_text, trace.solution_text) == ("ab", f"xx{closing}", "y")
    assert trace.num_solution_tokens == len(template.encode(f"xx{closing}y$"))


def test_rule_17_the_answer_stands_behind_the_last_closing_delimiter() -> None:
    trace = answer(ONE, "aCxCyCz$", "2+9")
    assert (trace.closed_again, trace.leaked_text, trace.solution_text) == (2, "xCyC", "z")
    cut = answer(ONE, "aCxCyz", "2+2")
    assert (cut.closed_again, cut.solution_text, cut.solution_cut) == (1, "", True)
    once = answer(ONE, "aCxy$", "2+9")
    assert (once.closed_again, once.leaked_text, once.solution_text) == (0, "", "xy")
    escaped = answer(ONE, "aCxOyCz$", "2+9")
    assert (escaped.escaped, escaped.closed_again, escaped.solution_text) == (True, 1, "z")


@pytest.mark.parametrize("strategy", ["vanilla", "s1", "unconstrained", "nothinking"])
def test_rule_17_holds_for_every_strategy(strategy: str) -> None:
    options = {"answer_text": "w", "answer_tokens": 9} if strategy == "s1" else {}
    trace = answer(ONE, "aCxCy$", "9+9", strategy, **options)
    assert trace.closed_again == (2 if strategy == "nothinking" else 1)
    assert trace.solution_text == "y"


# Rule 11: alignment


def test_rule_11_every_token_is_sampled_or_forced_and_forced_ones_have_log_probability_zero() -> None:
    trace = answer(TWO, "abCx$", "3+2", wrap_up="w", thinking=Thinking.ABSENT)
    assert trace.ids == TWO.encode("OabCDx$")
    assert trace.sampled_mask == (False, True, True, True, False, True, True)
    assert [p == 0.0 for p in trace.logprobs or ()] == [not sampled for sampled in trace.sampled_mask]


# Rules 12 and 13 have their tests in test_properties, test_cursor and with the engines.
# Rule 14: the state of the prompt is that of the assistant's own turn, see test_rendering.
# Rule 15


@pytest.mark.parametrize(
    ("strategy", "budget", "options", "message"),
    [
        ("elastik", "1+1", {}, "did you mean 'elastic'"),
        ("vanilla", "1+1", {"grace": 2}, "grace=2 means nothing to strategy 'vanilla': leave it out, or use elastic"),
        ("l1-exact", "inf+5", {}, "needs two finite parts"),
    ],
)
def test_rule_15_a_bad_request_is_data(strategy: str, budget: str, options: dict, message: str) -> None:
    walk = Walk(Request(Prompt(()), Budget.parse(budget), strategy, Options(**options)), ONE)
    trace = walk.trace()
    assert walk.call is None
    assert message in str(trace.error)
    assert trace.ids == ()


# Strategies


def test_nothinking_is_elastic_without_a_thinking_budget() -> None:
    trace = answer(ONE, "xyz", "5+2", "nothinking", wrap_up="w")
    assert show(trace) == "wrap_up:[w] closing:[C] solution:xy"


@pytest.mark.parametrize(
    ("says", "shown"),
    [
        ("abcdef", "thinking:abcde"),
        ("abCxyz", "thinking:ab closing:C solution:xyz"),  # the delimiter is not counted
        ("abCx$", "thinking:ab closing:C solution:x$"),
        ("abcdCx$", "thinking:abcd closing:C solution:x"),
        ("abcdeCx", "thinking:abcde"),
    ],
)
def test_vanilla_has_one_budget_wherever_the_delimiter_falls(says: str, shown: str) -> None:
    trace = answer(ONE, says, "2+3", "vanilla")
    assert show(trace) == shown
    assert trace.num_forced_tokens == 0


def test_vanilla_waits_for_the_model_to_open_thinking() -> None:
    trace = answer(ONE, "xOabCyz", "2+3", "vanilla", thinking=Thinking.ABSENT)
    assert show(trace) == "solution:x opening:O thinking:ab closing:C solution:yz"


def test_s1_cuts_thinking_so_that_the_answer_fits() -> None:
    trace = answer(ONE, "abcdefdefwuxyz", "4+3", "s1", answer_tokens=2, answer_text="ww")
    assert show(trace) == "thinking:abcde closing:[C] solution:[ww] solution:fd"
    assert trace.num_sampled_tokens == 7


def test_s1_keeps_no_more_for_the_answer_than_there_is() -> None:
    trace = answer(ONE, "abcdef", "2+1", "s1", answer_tokens=20, answer_text="w")
    assert show(trace) == "closing:[C] solution:[w] solution:abc"


def test_s1_goes_on_with_wait_within_one_thinking_budget() -> None:
    trace = answer(ONE, "aCbCcdefxyz", "4+3", "s1", num_waits=3, wait="w", answer_tokens=2, answer_text="")
    assert show(trace) == "thinking:a thinking:[w] thinking:b thinking:[w] thinking:cde closing:[C] solution:fx"
    assert trace.num_thinking_tokens == 5


def test_s1_waits_so_often_and_then_closes() -> None:
    trace = answer(ONE, "aCCbCx$", "9+3", "s1", num_waits=2, wait="w", answer_tokens=2, answer_text="")
    assert show(trace) == "thinking:a thinking:[w] thinking:[w] thinking:b closing:C solution:x$"


def test_s1_says_wait_where_nothing_else_is_given() -> None:
    template = letters(alphabet="$OCWaitbx")
    trace = answer(template, "bCbCx$", "9+3", "s1", num_waits=1, answer_tokens=2, answer_text="")
    assert show(trace) == "thinking:b thinking:[Wait] thinking:b closing:C solution:x$"


def test_s1_does_not_wait_where_the_context_has_no_room() -> None:
    options = {"num_waits": 1, "wait": "wu", "answer_tokens": 2, "answer_text": ""}
    assert show(answer(ONE, "aCx$", "inf+3", "s1", context=5, **options)) == "thinking:a closing:C solution:x$"


def test_l1_exact_is_capped_at_twice_what_was_asked_for_all_tokens_counted() -> None:
    trace = answer(ONE, "abCxyzxyz", "1+2", "l1-exact")
    assert show(trace) == "thinking:ab closing:C solution:xyz"
    assert trace.num_sampled_tokens == 6


def test_l1_max_has_a_cap_of_its_own() -> None:
    assert show(answer(ONE, "abcdef", "1+1", "l1-max", max_total=4)) == "thinking:abcd"


def test_l1_asks_for_a_length_at_the_end_of_the_last_message() -> None:
    messages = ({"role": "system", "content": "S"}, {"role": "user", "content": "1+1?"})
    exact, most = (STRATEGIES[name].edit(messages, Budget(3, 4)) for name in ("l1-exact", "l1-max"))
    assert exact == (messages[0], {"role": "user", "content": "1+1? Think for 7 tokens."})
    assert most[-1]["content"] == "1+1? Think for maximum 7 tokens."
    assert messages[-1]["content"] == "1+1?"
    assert STRATEGIES["elastic"].edit(messages, Budget(3, 4)) == messages
    with pytest.raises(BudgetError, match=r"budget inf\+4: l1 asks"):
        STRATEGIES["l1-max"].edit(messages, Budget(None, 4))


def test_unconstrained_goes_to_the_end_of_the_context() -> None:
    trace = answer(ONE, "abCxyzxyz", "1+1", "unconstrained", prompt="ab", context=8)
    assert show(trace) == "thinking:ab closing:C solution:xyz"
    assert trace.solution_cut


def test_every_option_is_honoured_by_a_strategy_and_others_are_refused() -> None:
    assert known_options()["wait"] == ["elastic", "s1"]
    assert find_strategy("elastic", Options(grace=3)) is STRATEGIES["elastic"]
    with pytest.raises(StrategyError, match=r"answer_tokens=3 means nothing to strategy 'elastic'.*use s1"):
        find_strategy("elastic", Options(answer_tokens=3))


@pytest.mark.parametrize("name", ["grace", "min_thinking", "num_waits", "answer_tokens", "max_total"])
def test_negative_options_are_refused_by_name_and_value(name: str) -> None:
    with pytest.raises(StrategyError, match=f"{name} -2: must be 0 or more"):
        find_strategy(
            "elastic" if name in ("grace", "min_thinking") else "s1" if name != "max_total" else "l1-max", {name: -2}
        )
