"""The scored rollouts of a step: prompts that teach nothing are replaced, and exits earn less the later they are.

    batch = draw(engine, scorer, problems, plan, step, DrawSettings(pool=problems, decay=0.5))
    batch.scored                 # prompt after prompt, whichever problem each is left with

Where all rollouts of a prompt earn the same, no rollout is better than another. With `max_redraws` such a prompt is
replaced by another problem, again and again up to that bound (dynamic sampling: DAPO, Yu et al. 2025, arXiv 2503.14476;
DLER, Liu et al. 2025, arXiv 2510.15110). There a step asks for prompts until it has enough; here each place in the
step is filled again by itself, so that a run is the same in one process and in several, and after an interruption.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.rollouts.measures import num_drawn, rollout_metrics
from elastic_reasoning.rollouts.plan import Plan
from elastic_reasoning.rollouts.rollouts import roll_out
from elastic_reasoning.rollouts.scoring import Scored, Scorer, decayed
from elastic_reasoning.tasks.task import Problem


@dataclass(frozen=True, slots=True)
class DrawSettings:
    """What the rollouts of every step have in common.

    Attributes:
        pool: the problems that a prompt may be replaced by.
        decay: see `RewardConfig`.
        roll_out: makes the rollouts of some prompts of a step.
    """

    pool: Sequence[Problem]
    decay: float = 1.0
    roll_out: Callable[..., list[Trace]] = roll_out


@dataclass(frozen=True, slots=True)
class Batch:
    """The rollouts of some prompts of a step.

    Attributes:
        scored: prompt after prompt, sample after sample, cut after cut.
        num_prompts: how many they are.
        num_redrawn: prompts that were replaced, each as often as it was.
        num_discarded_tokens: sampled for those.
    """

    scored: list[Scored]
    num_prompts: int
    num_redrawn: int
    num_discarded_tokens: int

    @property
    def metrics(self) -> dict[str, float]:
        """What a log says of it. What was sampled and discarded is counted with the rollouts that stand."""
        metrics = rollout_metrics(self.scored)
        metrics["sampled_tokens"] += self.num_discarded_tokens / len(self.scored)
        return metrics | {"redrawn_rate": self.num_redrawn / self.num_prompts}


def draw(
    engine: Engine,
    scorer: Scorer,
    problems: Sequence[Problem],
    plan: Plan,
    step: int,
    settings: DrawSettings,
    first_group: int = 0,
) -> Batch:
    """Make and score the rollouts of some prompts of a step.

    Args:
        engine: what generates.
        scorer: what grades.
        problems: what the prompts ask.
        plan: what each is given.
        step: counts from 0.
        settings: see there.
        first_group: the number of the first prompt within the step.
    """
    size, max_redraws = plan.config.rollouts_per_prompt, plan.config.max_redraws
    found: dict[int, list[Scored]] = {}  # of each group, those that stand
    asked = dict(enumerate(problems, start=first_group))
    num_redrawn = num_discarded = 0
    for redraw in range(max_redraws + 1):
        traces = settings.roll_out(engine, list(asked.values()), plan, step, list(asked), redraw)
        scored = scorer.score(traces, [problem for problem in asked.values() for _ in range(size)])
        scored = decayed(scored, plan.config.rollouts_per_thinking, settings.decay)
        found |= {group: scored[n * size : (n + 1) * size] for n, group in enumerate(asked)}
        alike = [group for group in asked if are_alike(found[group])]
        if not alike or redraw == max_redraws:
            break
        num_redrawn += len(alike)
        num_discarded += sum(num_drawn(one.trace) for group in alike for one in found[group])
        asked = {group: another(settings.pool, plan.seed, step, group, redraw + 1) for group in alike}
    standing = [one for group in sorted(found) for one in found[group]]
    return Batch(standing, len(problems), num_redrawn, num_discarded)


def are_alike(scored: Sequence[Scored]) -> bool:
    """Whether the rollouts of a prompt all earn the same, or nothing is known of them."""
    return len({one.reward for one in scored if one.reward is not None}) < 2


def another(pool: Sequence[Problem], seed: int, step: int, group: int, redraw: int) -> Problem:
    """The problem that a prompt of a step is replaced by, the same at every call."""
    return random.Random(f"redraw {seed} {step} {group} {redraw}").choice(pool)
