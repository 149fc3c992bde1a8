import pytest

from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted, word_template
from elastic_reasoning.integrations.answers import Answer, Asked, cut, summary

ASKED = Asked("task", 3, 1, "0f")
TEMPLATE = word_template("<think>", "</think>", "<eos>", ["two", "and", "answer", "4"])
ENGINE = ScriptedEngine(scripted(TEMPLATE, "two and two and", "answer 4 and two"), TEMPLATE)


@pytest.mark.parametrize(
    ("solution", "until", "expected"),
    [
        ("answer 4", [], ("answer 4", None)),
        ("answer 4", ["and", ""], ("answer 4", None)),
        ("a b c", ["c", "b"], ("a ", "b")),
        ("\n\nanswer 4\n\nand", ["\n\n"], ("answer 4", "\n\n")),
        ("b", ["b"], ("", "b")),
        ("", ["b"], ("", None)),
    ],
)
def test_a_solution_ends_at_the_first_stop_string(solution: str, until: list[str], expected: tuple) -> None:
    assert cut(solution, until) == expected


def test_an_answer_counts_what_the_request_cost() -> None:
    answer = Answer.of(ask(ENGINE, "two", "3+5"), ASKED, [" and"])
    assert answer == Answer(
        "task",
        3,
        1,
        "0f",
        stopped_at=" and",
        num_thinking_tokens=3,
        num_solution_tokens=5,
        num_forced_tokens=1,
        num_spent_tokens=8,
        budget_hit=True,
        forced_close=True,
        thinking="two and two",
        solution="answer 4",
    )


def test_stop_strings_are_not_looked_for_in_thinking() -> None:
    answer = Answer.of(ask(ENGINE, "two", "9+9"), ASKED, ["two and"])
    assert answer.thinking == "two and two and"
    assert answer.solution == "answer 4 and two"
    assert answer.stopped_at is None


def test_an_error_is_told_and_left_out_of_the_means() -> None:
    failed = Answer.failed(ASKED, "no room")
    answers = [Answer.of(ask(ENGINE, "two", budget), ASKED, []) for budget in ("1+1", "9+9")]
    assert failed.error == "no room"
    assert failed.solution == ""
    assert summary([*answers, failed]) == {
        "num_requests": 3,
        "num_errors": 1,
        "mean_thinking_tokens": 2.5,
        "mean_solution_tokens": 3.0,
        "mean_forced_tokens": 0.5,
        "mean_probe_tokens": 0.0,
        "mean_spent_tokens": 6.0,
        "mean_closed_again": 0.0,
        "budget_hit_rate": 0.5,
        "forced_close_rate": 0.5,
        "solution_cut_rate": 0.5,
        "escaped_rate": 0.0,
        "tool_cut_rate": 0.0,
    }
    assert summary([failed]) == {"num_requests": 1, "num_errors": 1}


def test_a_trace_with_an_error_fails() -> None:
    tight = ScriptedEngine(ENGINE.script, TEMPLATE, context=6)
    answer = Answer.of(ask(tight, "two", "9+9"), ASKED, [])
    assert answer.error is not None
    assert "lower the budget" in answer.error
