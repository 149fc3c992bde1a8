from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import StrategyError
from elastic_reasoning.core.needs import needs_of
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.strategies.allocated import NAME, SIGNS, Rule, thought_signs
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import run
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted_logprob
from letters import by_count, by_events, letters, show

TEMPLATE = letters()


def request(budget: str, prompt: str = "abc", **options: Any) -> Request:
    prompted = Prompt(TEMPLATE.encode(prompt), Thinking.OPEN)
    return Request(prompted, Budget.parse(budget), NAME, Options(**options))


def answer(says: str, asked: Request) -> Trace:
    """What comes of it by an engine and by a row that obeys a cursor, which must be the same."""
    ids = TEMPLATE.encode(says)
    trace = next(run(ScriptedEngine(by_count(ids, TEMPLATE), TEMPLATE, None), [Walk(asked, TEMPLATE, None)]))
    other = by_events(asked, TEMPLATE, None, by_count(ids, TEMPLATE))
    assert (trace.segments, trace.error, trace.probes) == (other.segments, other.error, other.probes)
    return trace


NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: float(f"{number:.8g}"))
TERMS = st.tuples(NUMBERS, st.lists(st.sampled_from(list(SIGNS)), max_size=3).map(tuple))


@given(st.dictionaries(st.integers(1, 10**6), st.lists(TERMS, min_size=1, max_size=4).map(tuple), max_size=4))
def test_a_rule_is_read_as_it_is_written(terms: dict) -> None:
    rule = Rule(dict(sorted(terms.items())))
    assert Rule.parse(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("8", "rule '8': must be TOKENS: TERMS"),
        ("0: 1", "rule '0: 1': must be TOKENS: TERMS"),
        ("8:", "must be TOKENS: TERMS"),
        ("16: 1; 8: 1", "rule '8: 1': stands behind 16"),
        ("8: prompt", "rule term 'prompt': must begin with a number"),
        ("8: nan", "must begin with a number"),
        ("8: 1*promt", "unknown sign 'promt': did you mean 'prompt'?"),
    ],
)
def test_what_is_no_rule_is_refused(text: str, said: str) -> None:
    with pytest.raises(StrategyError) as error:
        Rule.parse(text)
    assert said in str(error.value)
    trace = Walk(request("4+2", rule=text), TEMPLATE).trace()
    assert said in str(trace.error)


def test_without_a_rule_t_is_spent() -> None:
    assert show(answer("abcdefwxyz", request("6+2"))) == "thinking:abcdef closing:[C] solution:wx"


@pytest.mark.parametrize(("prompt", "thought"), [("a", "abcdef"), ("abc", "ab"), ("ab", "abcd")])
def test_thinking_is_closed_where_going_on_is_worth_nothing(prompt: str, thought: str) -> None:
    trace = answer("abcdefwxyz", request("6+2", prompt, rule="2: 2.5 -1*prompt; 4: 1.5 -1*prompt"))
    assert show(trace).startswith(f"thinking:{' thinking:'.join(_in_parts(thought))} closing:[C] solution:")
    assert (trace.num_thinking_tokens, trace.num_solution_tokens) == (len(thought), 2)
    assert trace.budget_hit is (len(thought) == 6)


def _in_parts(thought: str) -> list[str]:
    return [thought[start : start + 2] for start in range(0, len(thought), 2)]


def test_the_wall_stands_and_a_model_that_closes_is_let() -> None:
    always = request("3+2", rule="2: 1; 4: 1; 8: 1")
    assert answer("abcdefxyz", always).num_thinking_tokens == 3
    assert show(answer("aCxyz", always)) == "thinking:a closing:C solution:xy"
    assert show(answer("abCxyz", always)) == "thinking:ab closing:C solution:xy"


def test_log_probabilities_of_all_and_of_the_last_part_are_signs() -> None:
    ids = TEMPLATE.encode("abcd")
    logprobs = [round(scripted_logprob(n, token), 5) for n, token in enumerate(ids)]
    signs = thought_signs(3, logprobs, 2)
    assert signs == {"prompt": 3.0, "thinking": sum(logprobs) / 4, "recent": sum(logprobs[2:]) / 2}
    for name in ("thinking", "recent"):
        for step, num_thought in ((1e-6, 6), (-1e-6, 4)):
            rule = f"2: 1; 4: {step - signs[name]!r} 1*{name}"
            assert answer("abcdefwxyz", request("6+2", rule=rule)).num_thinking_tokens == num_thought


def test_a_probe_is_counted_apart_and_the_same_answer_again_is_a_sign() -> None:
    asked = request("6+2", rule="2: 1 0*same; 4: 1 -1*same", probe_text="w", probe_tokens=1)
    trace = answer("abxcdxefyz", asked)  # x is what is answered both times
    assert show(trace) == "thinking:ab thinking:cd closing:[C] solution:ef"
    assert [TEMPLATE.decode(probe.segment.ids) for probe in trace.probes] == ["x", "x"]
    assert (trace.num_probe_tokens, trace.num_spent_tokens) == (2, 8)
    other = answer("abxcdyefyz", asked)
    assert other.num_thinking_tokens == 6


def test_a_rule_that_probes_needs_a_text() -> None:
    walk = Walk(request("6+2", rule="2: 1*probe", probe_text=""), TEMPLATE)
    assert "the rule goes by a probe: give probe_text" in str(walk.error)


def test_a_replay_comes_to_the_same_end() -> None:
    asked = request("6+2", rule="2: 1; 4: -1 0*thinking")
    trace = answer("abcdefwxyz", asked)
    again = replay(asked, trace.ids, TEMPLATE, sampled_mask=trace.sampled_mask, logprobs=trace.logprobs)
    assert again.segments == trace.segments


@pytest.mark.parametrize(
    ("rule", "takes_back"), [("2: 1 -1*prompt", False), ("2: 1*recent", True), ("2: 1*same", True), ("", False)]
)
def test_what_goes_by_log_probabilities_is_no_matter_of_one_pass(rule: str, takes_back: bool) -> None:
    needs = needs_of(request("6+2", rule=rule), TEMPLATE)
    assert needs.takes_back is takes_back
    assert needs.tokens == 6 + 1 + 2
