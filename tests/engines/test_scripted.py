import inspect

import pytest

from by_call import ENGINES
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Call, Calls, OnEos
from elastic_reasoning.core.errors import BudgetError, StrategyError
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.strategies import STRATEGIES, Strategy
from elastic_reasoning.core.template import Thinking
from elastic_reasoning.engines.engine import as_messages, ask, generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted, word_template

TEMPLATE = word_template("<think>", "</think>", "<eos>", words=["two", "and", "four", "answer", "4", "done.", "Wait"])


def engine(
    thoughts: str = "two and two and", solution: str = "answer 4", interpreter: str = "token", **settings
) -> ScriptedEngine:
    return ENGINES[interpreter](scripted(TEMPLATE, thoughts, solution), TEMPLATE, **settings)


def test_the_example_of_the_documentation() -> None:
    trace = ask(engine(), "2 + 2", "3+5")
    assert (trace.thinking_text, trace.solution_text) == ("two and two", "answer 4")
    assert trace.budget_hit


@pytest.mark.parametrize("interpreter", ["token", "call"])
@pytest.mark.parametrize("thinking", list(Thinking))
def test_a_script_is_followed_whatever_the_prompt_has_opened(interpreter: str, thinking: Thinking) -> None:
    trace = ask(engine(interpreter=interpreter, thinking=thinking), "four", "9+9")
    assert trace.request.prompt.thinking is thinking
    assert trace.request.prompt.ids == TEMPLATE.encode("four")
    if thinking is not Thinking.CLOSED:
        assert (trace.thinking_text, trace.solution_text) == ("two and two and", "answer 4")


@pytest.mark.parametrize("interpreter", ["token", "call"])
def test_a_script_goes_on_where_closing_is_forbidden_or_replaced(interpreter: str) -> None:
    options = Options(min_thinking=3, wait="Wait")
    waited = ask(engine("two", interpreter=interpreter), "", "9+9", options=options)
    assert waited.thinking_text.startswith("two Wait")
    forbidden = ask(engine("two", interpreter=interpreter), "", "9+9", options=Options(min_thinking=3))
    assert forbidden.num_thinking_tokens == 3
    assert (waited.solution_text, forbidden.solution_text) == ("answer 4", "answer 4")


def test_words_end_sentences() -> None:
    assert TEMPLATE.decode(sorted(TEMPLATE.boundaries)) == "done."
    trace = ask(engine("two done. and and four"), "", "4+2", options=Options(grace=2))
    assert trace.thinking_text == "two done."


def test_a_context_limits_what_is_written() -> None:
    assert ask(engine(context=4), "four", "inf+1").num_thinking_tokens == 1
    assert "more than the model's context" in str(ask(engine(context=2), "four", "3+3").error)


def test_every_request_is_answered_in_order_a_bad_one_too() -> None:
    one = engine()
    requests = [new_request(one, "two", budget, name=budget) for budget in ("2+2", "1+1")]
    requests.insert(1, new_request(one, "two", "1+1", options=Options(min_thinking=5), name="bad"))
    traces = list(generate(one, requests))
    assert [trace.request.name for trace in traces] == ["2+2", "bad", "1+1"]
    assert [trace.error is None for trace in traces] == [True, False, True]


def test_a_request_is_made_from_a_question_or_messages() -> None:
    assert as_messages("4?") == ({"role": "user", "content": "4?"},)
    request = new_request(engine(), "two", Budget(1, 2), "l1-exact", sample=3, name="q")
    assert (request.budget, request.strategy, request.sample, request.name) == (Budget(1, 2), "l1-exact", 3, "q")
    assert new_request(engine(), as_messages("two"), "1+2").prompt == new_request(engine(), "two", "1+2").prompt


def test_a_request_that_cannot_be_made_is_an_error_at_once() -> None:
    with pytest.raises(BudgetError, match="thinking budget -1"):
        new_request(engine(), "two", "-1+2")
    with pytest.raises(StrategyError, match="unknown strategy 'sone'"):
        new_request(engine(), "two", "1+2", "sone")


@pytest.mark.parametrize("interpreter", ["token", "call"])
def test_a_strategy_that_would_draw_the_same_end_for_ever_is_stopped(
    interpreter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stubborn(*given: object) -> Calls:
        while True:
            yield Call(Phase.SOLUTION, 9, on_eos=OnEos.DISCARD)

    monkeypatch.setitem(STRATEGIES, "stubborn", Strategy(stubborn))
    trace = ask(engine("two", interpreter=interpreter), "four", "9+9", "stubborn")
    assert "forces nothing after an end of sequence" in str(trace.error)
    assert TEMPLATE.decode(trace.ids) == "two </think> answer 4"


def test_a_question_that_cannot_be_answered_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    trace = ask(engine(context=4), "two two", (30, 5))
    assert trace.error is not None
    assert [record.getMessage() for record in caplog.records] == [f"the request could not be run: {trace.error}"]
    caplog.clear()
    assert ask(engine(), "two", (3, 5)).error is None
    assert not caplog.records


def test_what_is_imported_from_the_package_explains_itself() -> None:
    for function in (ask, generate, new_request, load):
        help_text = function.__doc__ or ""
        assert all(part in help_text for part in ("Args:", "Raises:", function.__name__)), function
        parameters = list(inspect.signature(function).parameters)
        assert all(name in help_text for name in parameters), function
