"""What a rollout earns: small functions of its trace and its grade, of which a run takes a weighted sum.

    RewardConfig({"correct": 1.0, "format": 0.1})        # E1 and plain GRPO, with a little for the form
    RewardConfig({"l1_exact": 1.0, "l1_max": 1.0})       # L1, each prompt by the formula of its own strategy
    RewardConfig({"correct": 1.0, "overlong": 1.0})      # DAPO

    RewardConfig({"correct": 1.0, "my.py:concise": 0.1}) # one of one's own: a function of that form in a file

To add one here, enter it in `REWARDS`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from elastic_reasoning.core.delimiter import written
from elastic_reasoning.core.errors import TrainingError, unknown
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.strategies import find_strategy, names_of
from elastic_reasoning.core.template import Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.rollouts.config import Constants, RewardConfig
from elastic_reasoning.untrusted.own_files import is_own, load_own

Reward = Callable[[Trace, Grade, Constants], float]


def correct(trace: Trace, grade: Grade, constants: Constants) -> float:
    """1 for a right answer, else 0: the reward of E1. Xu et al. 2025, arXiv 2505.05315."""
    return float(grade.correct)


def finished(trace: Trace, grade: Grade, constants: Constants) -> float:
    """1 for a right answer of a rollout that ended by itself, else 0: what ran out of tokens earns nothing.

    The truncation penalty of ThinkPrune, Hou et al. 2025, arXiv 2504.01296, and of DLER, Liu et al. 2025, arXiv
    2510.15110. (`correct` grades a solution that was cut as it stands.)
    """
    return float(grade.correct and not trace.cut)


def closed_once(trace: Trace, grade: Grade, constants: Constants) -> float:
    """1 for a right answer behind thinking that was opened and closed once, else 0: `correct` times `format`.

    The reward of AnytimeReasoner, Qi et al. 2025, arXiv 2505.13438, as its code computes it (brpo.py).
    """
    return float(grade.correct) * format_reward(trace, grade, constants)


def l1_exact(trace: Trace, grade: Grade, constants: Constants) -> float:
    """1[correct] - alpha * |n_gold - n_y|; 0 for a rollout that was asked for no length.

    n_gold is the length asked for, t + s; n_y counts all sampled tokens. Aggarwal & Welleck 2025, arXiv 2503.04697.
    """
    spare = _spare(trace, "exact")
    return 0.0 if spare is None else grade.correct - constants.alpha * abs(spare)


def l1_max(trace: Trace, grade: Grade, constants: Constants) -> float:
    """1[correct] * clip(alpha * (n_gold - n_y) + delta, 0, 1); 0 for a rollout that was asked for no greatest length.

    n_gold, n_y and the source are those of `l1_exact`.
    """
    spare = _spare(trace, "max")
    return 0.0 if spare is None else grade.correct * min(max(constants.alpha * spare + constants.delta, 0.0), 1.0)


def _spare(trace: Trace, length: str) -> int | None:
    """n_gold - n_y of a rollout that was asked for such a length; `None` for another one."""
    asked = trace.request.budget.total
    is_asked = find_strategy(trace.request.strategy).length == length
    return asked - trace.num_sampled_tokens if is_asked and asked is not None else None


def overlong(trace: Trace, grade: Grade, constants: Constants) -> float:
    """0 for up to L - b sampled tokens, from there linearly down to -1 at L, and -1 above.

    L is `overlong_tokens`, b is `overlong_buffer`. Soft overlong punishment, DAPO, Yu et al. 2025, arXiv 2503.14476,
    equation 13.
    """
    over = trace.num_sampled_tokens - (constants.overlong_tokens - constants.overlong_buffer)
    if over <= 0:
        return 0.0
    return -1.0 if over >= constants.overlong_buffer else -over / constants.overlong_buffer


def format_reward(trace: Trace, grade: Grade, constants: Constants) -> float:
    """1 if thinking was opened once and closed once, and a solution that is more than white space follows; else 0.

    What the prompt opens or closes counts, and so does what the strategy forces: the form is what stands there in the
    end. A solution that opens thinking again (an escape), or closes it again, earns nothing. The format reward of
    DeepSeek-R1, arXiv 2501.12948, for any pair of delimiters.
    """
    ids, state = trace.ids, trace.request.prompt.thinking
    num_opened = (state is not Thinking.ABSENT) + len(written(trace.template.opening, ids))
    num_closed = (state is Thinking.CLOSED) + len(written(trace.template.closing, ids))
    if num_opened != 1 or num_closed != 1:
        return 0.0
    start = max((n + 1 for n, segment in enumerate(trace.segments) if segment.phase is Phase.CLOSING), default=0)
    if not start and state is not Thinking.CLOSED:  # the delimiters stand there in the wrong order
        return 0.0
    return float(bool(replace(trace, segments=trace.segments[start:]).solution_text.strip()))


REWARDS: dict[str, Reward] = {
    "correct": correct,
    "finished": finished,
    "closed_once": closed_once,
    "l1_exact": l1_exact,
    "l1_max": l1_max,
    "overlong": overlong,
    "format": format_reward,
}


def find_reward(name: str) -> Reward:
    """The reward of that name, or of a file of one's own, as `my.py:concise`.

    Raises:
        TrainingError: there is none, or what the file calls so is no function.
    """
    if not is_own(name):
        if name not in REWARDS:
            raise TrainingError(f"{unknown('reward', name, REWARDS)}, or one of your own, as my.py:concise")
        return REWARDS[name]
    reward: Reward = load_own(name, TrainingError)
    if not callable(reward):
        raise TrainingError(f"reward {name}: must be a function of (trace, grade, constants)")
    return reward


LENGTHS = {"l1_exact": "exact", "l1_max": "max"}
"""The length that a strategy must ask for so that its rollouts can earn a reward."""


def check_rewards(config: RewardConfig, strategies: Sequence[str]) -> None:
    """Refuse rewards that mean nothing for rollouts of these strategies, before anything is loaded.

    Raises:
        TrainingError: there are none, a name is unknown, a weight or a constant is no number, or no strategy of the
            run can earn one.
    """
    for name, weight in config.rewards.items():
        find_reward(name)
        if not math.isfinite(weight):
            raise TrainingError(f"weight {weight} of reward {name}: must be a finite number")
        if name in LENGTHS:
            _check_earned(name, strategies)
    if not 0 <= config.decay <= 1:
        raise TrainingError(f"decay {config.decay}: must be from 0 to 1 (none)")
    if not any(config.rewards.values()):
        raise TrainingError(
            f"rewards {config.rewards}: give at least one of {', '.join(REWARDS)} a weight other than 0"
        )
    _check_constants(config.constants)


def _check_earned(reward: str, strategies: Sequence[str]) -> None:
    """Refuse a reward of a length where no strategy asks for one."""
    earning = names_of(lambda strategy: strategy.length == LENGTHS[reward])
    if not set(earning) & set(strategies):
        needed = " or ".join(earning)
        raise TrainingError(
            f"reward {reward}: earned by strategy {needed} alone, and the run has {', '.join(strategies)}; "
            f"add {needed} to strategies, or leave the reward out"
        )


def _check_constants(constants: Constants) -> None:
    for name in ("alpha", "delta"):
        if not math.isfinite(getattr(constants, name)):
            raise TrainingError(f"constants.{name} {getattr(constants, name)}: must be a finite number")
    if not 0 <= constants.overlong_buffer <= constants.overlong_tokens:
        raise TrainingError(
            f"constants.overlong_buffer {constants.overlong_buffer}: must be from 0 to overlong_tokens, "
            f"{constants.overlong_tokens}"
        )
