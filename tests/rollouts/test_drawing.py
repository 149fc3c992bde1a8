from collections.abc import Sequence
from typing import Any

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish, Phase, Segment
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.loading import load
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.rollouts.config import RewardConfig, RolloutConfig
from elastic_reasoning.rollouts.drawing import DrawSettings, another, are_alike, draw
from elastic_reasoning.rollouts.plan import Plan
from elastic_reasoning.rollouts.rollouts import roll_out
from elastic_reasoning.rollouts.scoring import Scored, Scorer
from elastic_reasoning.tasks.arithmetic import Arithmetic
from elastic_reasoning.tasks.task import Problem
from letters import letters

POOL = [Problem(f"p{number}", ({"role": "user", "content": str(number)},), "") for number in range(50)]
LENGTH = 3


class Asked:
    """Stands for engine and scorer: which prompts were asked, and what their rollouts earn."""

    def __init__(self, earned: dict[str, Sequence[float | None]]) -> None:
        self.earned, self.calls = earned, list[tuple[list[str], list[int], int]]()

    def roll_out(
        self, engine: Any, problems: Sequence[Problem], plan: Plan, step: int, groups: Sequence[int], redraw: int
    ) -> list[Trace]:
        self.calls.append(([problem.id for problem in problems], list(groups), redraw))
        thought = Segment(Phase.THINKING, (4,) * LENGTH, True, None, Finish.LENGTH)
        return [
            Trace(
                Request(Prompt((), Thinking.OPEN), Budget(LENGTH, 1), name=problem.id, sample=n), (thought,), letters()
            )
            for problem in problems
            for n in range(plan.config.samples_per_prompt)
        ]

    def score(self, traces: Sequence[Trace], problems: Sequence[Problem]) -> list[Scored]:
        assert [trace.request.name for trace in traces] == [problem.id for problem in problems]
        found = []
        for trace, problem in zip(traces, problems, strict=True):
            reward = self.earned.get(problem.id, (0.0, 1.0))[trace.request.sample]
            grade = None if reward is None else Grade(bool(reward), "5")
            found.append(Scored(trace, grade, reward, "lost" if reward is None else None))
        return found


def drawn(asked: Asked, problems: Sequence[Problem], max_redraws: int, **changes: Any) -> Any:
    plan = Plan(RolloutConfig(samples_per_prompt=2, max_redraws=max_redraws), 5, seed=3)
    scorer: Any = asked
    settings = DrawSettings(POOL, roll_out=asked.roll_out)
    return draw(None, scorer, problems, plan, 2, settings, first_group=4)  # type: ignore[arg-type]


def test_prompts_that_tell_something_are_asked_once() -> None:
    asked = Asked({})
    batch = drawn(asked, POOL[:3], max_redraws=5)
    assert asked.calls == [(["p0", "p1", "p2"], [4, 5, 6], 0)]
    assert [one.trace.request.name for one in batch.scored] == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert batch.metrics["redrawn_rate"] == 0
    assert batch.metrics["sampled_tokens"] == LENGTH


def test_a_prompt_whose_rollouts_earn_the_same_is_replaced_where_it_stands() -> None:
    new = another(POOL, 3, 2, 5, 1)
    asked = Asked({"p1": (1.0, 1.0)})
    batch = drawn(asked, POOL[:3], max_redraws=5)
    assert asked.calls == [(["p0", "p1", "p2"], [4, 5, 6], 0), ([new.id], [5], 1)]
    assert [one.trace.request.name for one in batch.scored] == ["p0", "p0", new.id, new.id, "p2", "p2"]
    assert (batch.num_redrawn, batch.num_discarded_tokens) == (1, 2 * LENGTH)
    assert batch.metrics["sampled_tokens"] * 6 == 8 * LENGTH
    assert batch.metrics["redrawn_rate"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("max_redraws", [0, 1, 3])
def test_replacing_ends_at_its_bound_and_keeps_the_last(max_redraws: int) -> None:
    asked = Asked({problem.id: (0.0, 0.0) for problem in POOL})
    batch = drawn(asked, POOL[:2], max_redraws)
    assert [call[1:] for call in asked.calls] == [([4, 5], redraw) for redraw in range(max_redraws + 1)]
    assert batch.num_redrawn == 2 * max_redraws
    assert [one.trace.request.name for one in batch.scored[::2]] == asked.calls[-1][0]
    assert batch.metrics["sampled_tokens"] == LENGTH * (max_redraws + 1)


def test_what_is_alike() -> None:
    def scored(*rewards: float | None) -> list[Scored]:
        return Asked({"p0": rewards}).score(
            Asked({}).roll_out(None, POOL[:1], Plan(RolloutConfig(samples_per_prompt=len(rewards)), 1, 0), 0, [0], 0),
            [POOL[0]] * len(rewards),
        )

    assert are_alike(scored(1.0, 1.0))
    assert are_alike(scored(None, None))
    assert are_alike(scored(0.5, None))
    assert not are_alike(scored(0.0, 1.0, None))


def test_the_problem_that_stands_in_is_the_same_every_time() -> None:
    chosen = [another(POOL, 0, step, group, redraw) for step in range(4) for group in range(4) for redraw in (1, 2)]
    assert chosen == [another(POOL, 0, s, g, r) for s in range(4) for g in range(4) for r in (1, 2)]
    assert len({problem.id for problem in chosen}) > 15


def test_several_processes_draw_what_one_draws_and_a_right_exit_counts_less() -> None:
    task, engine = Arithmetic(), load("mini", max_rows=16)
    config = RolloutConfig(plan="serial", budgets=("96+12",), num_exits=3, samples_per_prompt=1, max_redraws=2)
    plan, scorer = Plan(config, 5, 0), Scorer(task, RewardConfig(decay=0.5))
    problems = task.problems("train", 4)
    settings = DrawSettings(task.problems("train", 40), 0.5, roll_out)
    whole = draw(engine, scorer, problems, plan, 1, settings)
    parts = [draw(engine, scorer, problems[n : n + 2], plan, 1, settings, first_group=n) for n in (0, 2)]
    assert [one.trace.ids for part in parts for one in part.scored] == [one.trace.ids for one in whole.scored]
    assert sum(part.num_redrawn for part in parts) == whole.num_redrawn
    for n in range(0, 16, 4):
        rewards = [one.reward for one in whole.scored[n : n + 4]]
        assert [reward for reward in rewards if reward] == [0.5**k for k in range(sum(map(bool, rewards)))]
    engine.close()
