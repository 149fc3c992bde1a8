"""A rollout that went through verl as plain values is the same rollout again, and earns what it would with us."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.engines.names import model_path
from elastic_reasoning.integrations.verl.data import row_of
from elastic_reasoning.integrations.verl.facts import FACTS, Model, facts_of, trace_of
from elastic_reasoning.integrations.verl.reward import compute_score, score, scorer_of
from elastic_reasoning.tasks.arithmetic import Arithmetic

MODEL = Model(model_path("mini-e1"), None, None)
PROBLEMS = Arithmetic().problems("train", 6)
KINDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("elastic", "24+20", {}),
    ("elastic", "inf+20", {"wrap_up": "so answer"}),
    ("s1", "24+20", {"answer_tokens": 2}),
    ("vanilla", "24+20", {}),
    ("nothinking", "0+20", {}),
    ("l1-exact", "24+20", {}),
)
CONTEXT = 200
STARTED: dict[str, dict[str, Any]] = {
    "math": {"grading_workers": 1},
    "code": {"allow_code_execution": True, "grading_workers": 1, "sandbox": "bubblewrap"},
}
"""Settings of the graders that start processes."""


@pytest.fixture(scope="module")
def traces() -> list[Trace]:
    engine = load("mini-e1")
    requests = [
        new_request(engine, p.messages, budget, strategy, options, sampling=Sampling(seed=n), name=f"{n}")
        for n, p in enumerate(PROBLEMS)
        for strategy, budget, options in KINDS
    ]
    return list(generate(engine, requests))


@pytest.fixture(scope="module", autouse=True)
def graders() -> Iterator[None]:
    """What grading starts is kept as long as a worker of verl lives; here until the end of these tests."""
    yield
    for kind, settings in STARTED.items():
        scorer_of(kind, json.dumps(settings, sort_keys=True)).close()


def told(trace: Trace) -> dict[str, Any]:
    """What a reward function is handed of a rollout, as it comes from another process."""
    facts: dict[str, Any] = json.loads(json.dumps(facts_of(trace, MODEL, CONTEXT)))
    return {FACTS: facts, "error": None}


def test_a_rollout_is_read_again_exactly(traces: list[Trace]) -> None:
    for trace in traces:
        again = trace_of(told(trace)[FACTS])
        assert [(s.phase, s.ids, s.sampled, s.finish) for s in again.segments] == [
            (s.phase, s.ids, s.sampled, s.finish) for s in trace.segments
        ]
        assert again.request.budget == trace.request.budget
        assert again.solution_text == trace.solution_text


def test_a_score_is_what_grading_says_of_the_solution(traces: list[Trace]) -> None:
    right = 0
    for trace in traces:
        problem = PROBLEMS[int(trace.request.name)]
        row = row_of(problem, "arithmetic", "train", 0)
        given = {**row["extra_info"], **told(trace)}
        result = compute_score("arithmetic", "", row["reward_model"]["ground_truth"], given)
        correct = Arithmetic().grade(problem, trace.solution_text).correct
        right += correct
        assert result["score"] == result["acc"] == float(correct)
        assert result["thinking_tokens"] == trace.num_thinking_tokens
        assert result["forced_rate"] == float(trace.forced_close)
        assert all(isinstance(value, float) for value in result.values())
    assert 0 < right < len(traces)


def test_rewards_are_weighted_and_know_the_length(traces: list[Trace]) -> None:
    trace = next(trace for trace in traces if trace.request.strategy == "l1-exact")
    settings = {"rewards": {"correct": 0.0, "l1_exact": 2.0}, "constants": {"alpha": 0.01}}
    result = compute_score("other", "", "no such answer", told(trace), grader="arithmetic", **settings)
    assert result["score"] == pytest.approx(-0.02 * abs(44 - trace.num_sampled_tokens))


def says(trace: Trace, text: str) -> Trace:
    """A rollout whose solution reads so."""
    return replace(trace, template=replace(trace.template, decode=lambda ids: text))


@pytest.mark.parametrize(("truth", "reward"), [("3", 1.0), (["4", "6/2"], 1.0), ("4", 0.0)])
def test_mathematics_has_any_of_several_answers(traces: list[Trace], truth: Any, reward: float) -> None:
    trace = says(traces[0], r"so it is \boxed{3}")
    assert score(trace, "math", truth, {}, STARTED["math"]).reward == reward


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_programs_are_run_on_the_tests_of_their_row_where_that_is_allowed(traces: list[Trace]) -> None:
    tests = json.dumps([{"input": "2 3", "output": "5", "type": "stdin_stdout"}])
    trace = says(traces[0], "```python\nprint(sum(map(int, input().split())))\n```")
    assert score(trace, "code", tests, {"problem": "Add."}, STARTED["code"]).reward == 1.0
    with pytest.raises(TrainingError, match="allow_code_execution=true"):
        score(trace, "code", tests, {}, {})


def test_what_could_not_be_made_scores_nothing() -> None:
    assert compute_score("arithmetic", "", "3", {"error": "too long"}) == {"score": 0.0, "acc": 0.0, "failed_rate": 1.0}


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        ("gsm8k", {}, "unknown grader ''"),
        ("arithmetic", {"grader": "maths"}, "did you mean 'math'"),
        ("arithmetic", {"reward": {"correct": 1.0}}, "unknown key of reward_kwargs 'reward': did you mean 'rewards'"),
        ("arithmetic", {"rewards": {"corect": 1.0}}, "did you mean 'correct'"),
    ],
)
def test_what_means_nothing_is_refused(
    traces: list[Trace], source: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        compute_score(source, "", "3", told(traces[0]), **settings)


def test_a_rollout_of_another_loop_is_refused() -> None:
    with pytest.raises(TrainingError, match="not of elastic_reasoning's agent loop"):
        compute_score("arithmetic", "answer 3", "3", {"num_turns": 2})
