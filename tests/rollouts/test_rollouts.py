from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from elastic_reasoning.core.request import Options
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.loading import load
from elastic_reasoning.rollouts.config import RewardConfig, RolloutConfig
from elastic_reasoning.rollouts.measures import rollout_metrics
from elastic_reasoning.rollouts.plan import Plan, exits
from elastic_reasoning.rollouts.rollouts import problem_order, roll_out, validate
from elastic_reasoning.rollouts.scoring import Scored, Scorer
from elastic_reasoning.tasks.arithmetic import Arithmetic

ROLLOUTS = RolloutConfig(budgets=("64+12",), samples_per_prompt=4)
G = ROLLOUTS.samples_per_prompt
PROBLEMS = Arithmetic().problems("train", 3)
SCORER = Scorer(Arithmetic(), RewardConfig())
CONTEXT_OF_MINI = 512


def plan_of(config: RolloutConfig = ROLLOUTS, seed: int = 0) -> Plan:
    return Plan(config, num_steps=5, seed=seed)


PLAN = plan_of()


@pytest.fixture(scope="module")
def engine() -> Any:
    return load("mini", max_rows=8)  # fewer than the rollouts: they do not end in the order in which they began


@pytest.fixture(scope="module")
def traces(engine: Any) -> list[Trace]:
    return roll_out(engine, PROBLEMS, PLAN, step=3)


def test_one_rollout_for_each_prompt_in_order(engine: Any, traces: list[Trace]) -> None:
    prompts = [engine.prompt(problem.messages) for problem in PROBLEMS for _ in range(G)]
    assert [trace.request.prompt for trace in traces] == prompts
    assert [trace.request.sample for trace in traces] == [*range(G)] * 3
    assert all(trace.request.budget.thinking == 64 and trace.request.strategy == "elastic" for trace in traces)


def test_a_group_has_one_seed_and_different_samples(traces: list[Trace]) -> None:
    seeds = [trace.request.sampling.seed for trace in traces]
    assert [len(set(seeds[n : n + G])) for n in (0, G, 2 * G)] == [1, 1, 1]
    assert len(set(seeds)) == 3
    assert all(len({trace.ids for trace in traces[n : n + G]}) > 1 for n in (0, G, 2 * G))


def test_the_same_prompt_twice_in_a_step_is_two_groups(engine: Any) -> None:
    traces = roll_out(engine, [PROBLEMS[0]] * 2, PLAN, step=0)
    assert [trace.ids for trace in traces[:G]] != [trace.ids for trace in traces[G:]]


def test_seed_and_step_decide_the_draws(engine: Any, traces: list[Trace]) -> None:
    def ids(step: int = 3, seed: int = 0) -> list[tuple[int, ...]]:
        return [trace.ids for trace in roll_out(engine, PROBLEMS, plan_of(seed=seed), step)]

    assert ids() == [trace.ids for trace in traces]
    assert ids(step=4) != ids()
    assert ids(seed=1) != ids()


def test_several_processes_make_the_rollouts_of_one(engine: Any, traces: list[Trace]) -> None:
    parts = [roll_out(engine, PROBLEMS[n : n + 1], PLAN, step=3, groups=[n]) for n in range(3)]
    assert [trace.ids for part in parts for trace in part] == [trace.ids for trace in traces]


def test_the_cuts_of_a_sample_share_one_thinking(engine: Any) -> None:
    config = replace(ROLLOUTS, plan="anytime", budgets=("8+12", "24+12", "64+12"))
    traces = roll_out(engine, PROBLEMS, plan_of(config), step=0)
    assert [trace.request.budget.thinking for trace in traces] == [8, 24, 64] * 3 * G
    alone = roll_out(engine, PROBLEMS, plan_of(replace(config, plan="fixed", budgets=("24+12",))), step=0)
    assert [trace.ids for trace in traces[1::3]] == [trace.ids for trace in alone]
    for n in range(0, len(traces), 3):
        thought = [_sampled_thinking(trace) for trace in traces[n : n + 3]]
        assert thought[0] == thought[2][: len(thought[0])]
        assert thought[1] == thought[2][: len(thought[1])]
        assert [trace.num_reused for trace in traces[n : n + 2]] >= [len(thought[0]), len(thought[1])]
        assert traces[n + 2].num_reused == 0


def test_the_exits_of_a_serial_group_share_one_thinking_and_answer_by_themselves(engine: Any) -> None:
    config = replace(ROLLOUTS, plan="serial", budgets=("96+12",), num_exits=4, samples_per_prompt=2)
    traces = roll_out(engine, PROBLEMS, plan_of(config), step=0)
    alone = roll_out(engine, PROBLEMS, plan_of(replace(config, plan="fixed")), step=0)
    assert [trace.ids for trace in traces[4::5]] == [trace.ids for trace in alone]
    for n in range(0, len(traces), 5):
        whole = _sampled_thinking(traces[n + 4])
        assert traces[n + 4].num_reused == 0
        places = [trace.request.budget.thinking for trace in traces[n : n + 4]]
        assert places == list(exits(traces[n + 4].request, 4, len(whole)))
        for place, trace in zip(places, traces[n : n + 4], strict=True):
            assert _sampled_thinking(trace) == whole[:place]
            assert trace.num_reused == place
            assert trace.budget_hit
            assert trace.request.budget.solution == 12
            assert trace.request.sampling.seed != traces[n + 4].request.sampling.seed
    assert [trace.ids for trace in traces] == [t.ids for t in roll_out(engine, PROBLEMS, plan_of(config), step=0)]


def test_answers_of_their_own_are_drawn_at_each_cut_and_anew_where_thinking_has_ended(engine: Any) -> None:
    config = replace(
        ROLLOUTS, plan="anytime", budgets=("8+12", "150+12", "200+12"), answers_per_cut=3, samples_per_prompt=2
    )
    traces = roll_out(engine, PROBLEMS, plan_of(config), step=0)
    assert [trace.request.budget.thinking for trace in traces] == [8, 8, 8, 150, 150, 150, 200, 200, 200] * 6
    num_ended = 0
    for n in range(0, len(traces), 9):
        own = traces[n : n + 9]
        assert len({trace.request.sampling.seed for trace in own}) == 9
        whole = _sampled_thinking(own[-1])
        assert all(_sampled_thinking(t) == whole[: t.request.budget.thinking] for t in own)
        assert own[-1].num_reused == 0
        assert all(t.num_sampled_tokens - t.num_reused == t.num_solution_tokens for t in own[:-1])
        num_ended += len(whole) < 150
    assert num_ended
    assert any(len({trace.ids for trace in traces[n : n + 3]}) > 1 for n in range(0, len(traces), 9))


def test_a_thinking_that_fails_fails_in_all_its_rollouts(engine: Any) -> None:
    config = replace(ROLLOUTS, plan="serial", budgets=(f"{CONTEXT_OF_MINI}+12",), num_exits=2, samples_per_prompt=1)
    traces = roll_out(engine, PROBLEMS, plan_of(config), step=0)
    assert len(traces) == 9
    assert all(trace.error for trace in traces)


def test_a_prompt_that_is_drawn_again_has_draws_of_its_own(engine: Any, traces: list[Trace]) -> None:
    again = roll_out(engine, PROBLEMS[1:2], PLAN, step=3, groups=[1], redraw=1)
    assert [trace.ids for trace in again] != [trace.ids for trace in traces[G : 2 * G]]
    assert [trace.request.prompt for trace in again] == [trace.request.prompt for trace in traces[G : 2 * G]]


def _sampled_thinking(trace: Trace) -> list[int]:
    return [i for segment in trace.segments if segment.phase is Phase.THINKING for i in segment.ids]


def test_options_reach_the_strategies_that_have_them(engine: Any) -> None:
    config = replace(ROLLOUTS, strategies=("elastic", "s1"), options={"grace": 2, "answer_tokens": 3})
    traces = roll_out(engine, PROBLEMS, plan_of(config), step=1)
    for trace in traces:
        mine = Options(grace=2) if trace.request.strategy == "elastic" else Options(answer_tokens=3)
        assert trace.request.options == mine


def test_a_budget_beyond_the_context_is_a_failed_rollout(engine: Any) -> None:
    too_much = plan_of(replace(ROLLOUTS, budgets=(f"{CONTEXT_OF_MINI}+12",)))
    assert all(trace.error for trace in roll_out(engine, PROBLEMS, too_much, step=0))
    found = validate(engine, SCORER, [*enumerate(PROBLEMS)], too_much, 64)
    assert (found.num, found.failed, found.right, found.earned) == (3, 3, 0, 0.0)
    assert "context" in str(found.error)


def scored(traces: list[Trace]) -> list[Scored]:
    grades = [Arithmetic().grade(PROBLEMS[0], trace.solution_text) for trace in traces]
    return [Scored(trace, grade, float(grade.correct), None) for trace, grade in zip(traces, grades, strict=True)]


def test_metrics_are_means_over_rollouts(traces: list[Trace]) -> None:
    failed = Scored(replace(traces[0], error="it broke"), None, None, "it broke")
    metrics = rollout_metrics([*scored(traces[1:]), failed])
    done = traces[1:]
    num = len(done)
    assert metrics["thinking_tokens"] == sum(trace.num_thinking_tokens for trace in done) / num
    assert metrics["solution_tokens"] == sum(trace.num_solution_tokens for trace in done) / num
    assert metrics["sampled_tokens"] == sum(trace.num_sampled_tokens for trace in done) / (num + 1)
    assert metrics["forced_rate"] == sum(len(t.ids) - t.num_sampled_tokens > 0 for t in done) / num
    assert metrics["cut_rate"] == sum(trace.cut for trace in done) / num
    assert metrics["failed_rate"] == 1 / (num + 1)
    assert 0 < metrics["forced_rate"] <= 1


def test_what_cuts_share_is_counted_once(engine: Any) -> None:
    config = replace(ROLLOUTS, plan="anytime", budgets=("8+12", "64+12"))
    traces = roll_out(engine, PROBLEMS, plan_of(config), step=0)
    drawn = rollout_metrics(scored(traces))["sampled_tokens"] * len(traces)
    assert drawn == sum(trace.num_sampled_tokens for trace in traces) - sum(trace.num_reused for trace in traces)
    assert drawn < sum(trace.num_sampled_tokens for trace in traces)


def test_nothing_but_failures_has_metrics_too(traces: list[Trace]) -> None:
    metrics = rollout_metrics([Scored(replace(traces[0], error="it broke"), None, None, "it broke")])
    assert (metrics["failed_rate"], metrics["accuracy"]) == (1.0, 0.0)


def test_validation_is_the_same_every_time_and_counts_solved_problems(engine: Any) -> None:
    problems = [*enumerate(Arithmetic().problems("validation", 24))]
    config = replace(ROLLOUTS, budgets=("160+20",))
    found = validate(engine, SCORER, problems, plan_of(config), 5)
    assert found == validate(engine, SCORER, problems, plan_of(config, seed=7), 64)
    assert (found.num, found.failed, found.error) == (24, 0, None)
    assert found.right > 12
    assert found.earned == found.right  # the reward is correctness
    halves = [validate(engine, SCORER, problems[n::2], plan_of(config), 64) for n in range(2)]
    assert (found.num, found.right) == (sum(half.num for half in halves), sum(half.right for half in halves))
    wrong = [(number, replace(problem, answer="-")) for number, problem in problems]
    assert validate(engine, SCORER, wrong, plan_of(config), 64).right == 0


def test_validation_asks_at_every_setting(engine: Any) -> None:
    problems = [*enumerate(Arithmetic().problems("validation", 6))]
    plan = plan_of(replace(ROLLOUTS, validation_budgets=("8+12", "160+12")))
    each = [
        validate(engine, SCORER, problems, plan_of(replace(ROLLOUTS, budgets=(b,))), 64) for b in ("8+12", "160+12")
    ]
    found = validate(engine, SCORER, problems, plan, 64)
    assert (found.num, found.right) == (12, sum(one.right for one in each))


def test_problems_are_asked_pass_after_pass() -> None:
    order = problem_order(6, 15, seed=0)
    assert sorted(order[:6]) == sorted(order[6:12]) == [*range(6)]
    assert order[:6] != order[6:12]
    assert len(set(order[12:])) == 3
    assert Counter(order).most_common(1)[0][1] == 3


def test_the_order_of_problems_depends_on_the_seed_alone() -> None:
    assert problem_order(50, 120, seed=1) == problem_order(50, 300, seed=1)[:120]
    assert problem_order(50, 120, seed=1) != problem_order(50, 120, seed=2)
