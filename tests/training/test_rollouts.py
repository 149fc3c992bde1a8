from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from elastic_reasoning.engines.loading import load
from elastic_reasoning.errors import TrainingError
from elastic_reasoning.request import Options
from elastic_reasoning.tasks.arithmetic import Arithmetic
from elastic_reasoning.trace import Phase, Trace
from elastic_reasoning.training.rollouts import as_rows, problem_order, roll_out, rollout_metrics, validate
from small_runs import SMALL

G = SMALL.samples_per_prompt
PROBLEMS = Arithmetic().problems("train", 3)
PROMPTS = [problem.messages for problem in PROBLEMS for _ in range(G)]
CONTEXT_OF_MINI = 512


@pytest.fixture(scope="module")
def engine() -> Any:
    return load("mini", max_rows=8)  # fewer than the rollouts: they do not end in the order in which they began


@pytest.fixture(scope="module")
def traces(engine: Any) -> list[Trace]:
    return roll_out(engine, PROMPTS, SMALL, step=3)


def test_one_rollout_for_each_prompt_in_order(engine: Any, traces: list[Trace]) -> None:
    assert [trace.request.prompt for trace in traces] == [engine.prompt(messages) for messages in PROMPTS]
    assert [trace.request.sample for trace in traces] == [*range(G)] * 3
    assert all(trace.request.budget.thinking == 64 and trace.request.strategy == "elastic" for trace in traces)


def test_a_group_has_one_seed_and_different_samples(traces: list[Trace]) -> None:
    seeds = [trace.request.sampling.seed for trace in traces]
    assert [len(set(seeds[n : n + G])) for n in (0, G, 2 * G)] == [1, 1, 1]
    assert len(set(seeds)) == 3
    assert all(len({trace.ids for trace in traces[n : n + G]}) > 1 for n in (0, G, 2 * G))


def test_the_same_prompt_twice_in_a_step_is_two_groups(engine: Any) -> None:
    traces = roll_out(engine, [PROBLEMS[0].messages] * (2 * G), SMALL, step=0)
    assert [trace.ids for trace in traces[:G]] != [trace.ids for trace in traces[G:]]


def test_seed_and_step_decide_the_draws(engine: Any, traces: list[Trace]) -> None:
    def ids(step: int = 3, seed: int = 0) -> list[tuple[int, ...]]:
        return [trace.ids for trace in roll_out(engine, PROMPTS, replace(SMALL, seed=seed), step)]

    assert ids() == [trace.ids for trace in traces]
    assert ids(step=4) != ids()
    assert ids(seed=1) != ids()


def test_rows_are_the_traces(traces: list[Trace]) -> None:
    rows = as_rows(traces)
    assert rows.logprobs is not None
    for n, trace in enumerate(traces):
        assert tuple(rows.prompt_ids[n]) == trace.request.prompt.ids
        assert tuple(rows.completion_ids[n]) == trace.ids
        assert len(rows.completion_ids[n]) == len(rows.sampled_mask[n]) == len(rows.logprobs[n])
        forced = [segment for segment in trace.segments if not segment.sampled]
        assert rows.sampled_mask[n].count(0) == sum(len(segment.ids) for segment in forced)
        assert all(value == 0.0 for value, one in zip(rows.logprobs[n], rows.sampled_mask[n], strict=True) if not one)
        assert all(value < 0.0 for value, one in zip(rows.logprobs[n], rows.sampled_mask[n], strict=True) if one)
    assert any(0 in mask for mask in rows.sampled_mask)


def test_rows_without_logprobs(traces: list[Trace]) -> None:
    bare = [replace(segment, logprobs=None) for segment in traces[0].segments]
    assert as_rows([replace(traces[0], segments=tuple(bare)), traces[1]]).logprobs is None


def test_a_rollout_with_an_error_is_refused(traces: list[Trace]) -> None:
    with pytest.raises(TrainingError, match="a rollout could not be made: it broke"):
        as_rows([traces[0], replace(traces[1], error="it broke")])


def test_a_budget_beyond_the_context_is_refused(engine: Any) -> None:
    too_much = replace(SMALL, budget=f"{CONTEXT_OF_MINI}+12")
    with pytest.raises(TrainingError, match="a rollout could not be made"):
        as_rows(roll_out(engine, PROMPTS, too_much, step=0))
    with pytest.raises(TrainingError, match="a rollout could not be made"):
        validate(engine, Arithmetic(), PROBLEMS, too_much)


def test_text_that_replaces_an_early_delimiter_is_forced(engine: Any) -> None:
    config = replace(SMALL, options=Options(min_thinking=64, wait="wait"), temperature=100.0)
    traces = roll_out(engine, PROMPTS, config, step=0)
    waits = [segment for trace in traces for segment in trace.segments if segment.phase is Phase.THINKING]
    assert any(not segment.sampled for segment in waits)
    rows = as_rows(traces)
    assert [sum(mask) for mask in rows.sampled_mask] == [trace.num_sampled_tokens for trace in traces]


def test_metrics_are_means_over_rollouts(traces: list[Trace]) -> None:
    metrics = rollout_metrics(traces)
    num = len(traces)
    assert metrics["thinking_tokens"] == sum(trace.num_thinking_tokens for trace in traces) / num
    assert metrics["solution_tokens"] == sum(trace.num_solution_tokens for trace in traces) / num
    assert metrics["forced_rate"] == sum(len(t.ids) - t.num_sampled_tokens > 0 for t in traces) / num
    assert metrics["cut_rate"] == sum(trace.solution_cut for trace in traces) / num
    assert 0 < metrics["forced_rate"] <= 1


def test_validation_is_the_same_every_time_and_counts_solved_problems(engine: Any) -> None:
    problems = Arithmetic().problems("validation", 24)
    config = replace(SMALL, budget="160+20")
    accuracy = validate(engine, Arithmetic(), problems, config)
    assert accuracy == validate(engine, Arithmetic(), problems, replace(config, seed=7))
    assert accuracy > 0.5
    wrong = [replace(problem, answer="-") for problem in problems]
    assert validate(engine, Arithmetic(), wrong, config) == 0.0


def test_problems_are_asked_pass_after_pass() -> None:
    order = problem_order(6, 15, seed=0)
    assert sorted(order[:6]) == sorted(order[6:12]) == [*range(6)]
    assert order[:6] != order[6:12]
    assert len(set(order[12:])) == 3
    assert Counter(order).most_common(1)[0][1] == 3


def test_the_order_of_problems_depends_on_the_seed_alone() -> None:
    assert problem_order(50, 120, seed=1) == problem_order(50, 300, seed=1)[:120]
    assert problem_order(50, 120, seed=1) != problem_order(50, 120, seed=2)
