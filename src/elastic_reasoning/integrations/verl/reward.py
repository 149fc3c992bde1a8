"""Our rewards as verl's reward function: what is graded is the text of the solution, as in evaluation.

    reward.custom_reward_function.path=pkg://elastic_reasoning.integrations.verl.reward
    +reward.custom_reward_function.reward_kwargs.grader=math
    +reward.custom_reward_function.reward_kwargs.rewards.correct=1.0

It takes rollouts of our agent loop, through verl's reward manager `naive`, which hands their facts on.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any

from elastic_reasoning.core.errors import TrainingError, unknown
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.integrations.verl.config import plain
from elastic_reasoning.integrations.verl.facts import FACTS, trace_of
from elastic_reasoning.rollouts.config import Constants, RewardConfig
from elastic_reasoning.rollouts.measures import measures_of
from elastic_reasoning.rollouts.scoring import Scored, Scorer
from elastic_reasoning.tasks import arithmetic, code, mathematics, word_problems
from elastic_reasoning.tasks.custom import GRADERS
from elastic_reasoning.tasks.table import Grading, TableTask
from elastic_reasoning.tasks.task import Problem

ARITHMETIC, CODE = "arithmetic", "code"
KNOWN = dict.fromkeys(arithmetic.TASKS, ARITHMETIC) | dict.fromkeys((*mathematics.TASKS, *word_problems.TASKS), "math")
KNOWN |= dict.fromkeys(code.TASKS, CODE)
"""How the data sources are graded that are tasks of ours."""


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    grader: str | None = None,
    reward_router_address: Any = None,
    reward_model_tokenizer: Any = None,
    **settings: Any,
) -> dict[str, float]:
    """What a rollout earns, and its measures; verl logs those of validation by itself, of training see `metrics`.

    Args:
        data_source: verl's column; names the grader where it is a task of ours.
        solution_str: not looked at: verl's text has lost the delimiters.
        ground_truth: the right answer, or several; for programs their tests, as DeepCoder's rows have them.
        extra_info: verl's column, with what our agent loop has told.
        grader: arithmetic, math, choice, text or code.
        reward_router_address, reward_model_tokenizer: of reward models, which none of these is.
        settings: fields of `RewardConfig` and `GradingConfig`.

    Returns:
        `score`, `acc` (1 for a right answer), and the measures of `elastic_reasoning.rollouts.measures`. A rollout
        that could not be made or graded scores 0.

    Raises:
        TrainingError: the rollout is not of our agent loop, or a setting is none.
    """
    told = extra_info or {}
    if told.get("error") is not None:
        return {"score": 0.0, "acc": 0.0, "failed_rate": 1.0}
    if FACTS not in told:
        raise TrainingError(
            "the rollout is not of elastic_reasoning's agent loop, or reward_manager is not naive: set "
            "actor_rollout_ref.rollout.agent.default_agent_loop and reward.reward_manager.name"
        )
    scored = score(trace_of(told[FACTS]), grader or KNOWN.get(data_source, ""), ground_truth, told, settings)
    measures = measures_of(scored)
    return {"score": scored.reward or 0.0, "acc": measures.get("accuracy", 0.0), **measures}


def score(trace: Trace, grader: str, ground_truth: Any, told: Mapping[str, Any], settings: Mapping[str, Any]) -> Scored:
    """What a rollout earns; arguments and errors as for `compute_score`."""
    scorer = scorer_of(grader, json.dumps(plain(settings), sort_keys=True))
    (scored,) = scorer.score([trace], [_problem(grader, ground_truth, told)])
    return scored


def _arithmetic(grading: GradingConfig) -> Grading:
    return Grading(arithmetic.Arithmetic().grade)


def _graders() -> dict[str, Callable[[GradingConfig], Grading]]:
    return {ARITHMETIC: _arithmetic, **GRADERS}


@lru_cache(maxsize=8)
def scorer_of(kind: str, settings: str) -> Scorer:
    """What grades one kind of problem, kept as long as the process.

    Args:
        kind: the name of the grader.
        settings: see `compute_score`, as JSON.

    Raises:
        TrainingError: there is no such grader or setting, or programs may not be run.
    """
    if kind not in _graders():
        raise TrainingError(
            f"{unknown('grader', kind, _graders())}; give one as reward.custom_reward_function.reward_kwargs.grader"
        )
    given = json.loads(settings)
    known = {each.name for group in (RewardConfig, GradingConfig) for each in fields(group)}
    for name in given:
        if name not in known:
            raise TrainingError(unknown("key of reward_kwargs", name, {"grader", *known}))
    own = {each.name: given[each.name] for each in fields(GradingConfig) if each.name in given}
    if kind == CODE and not own.get("allow_code_execution"):
        raise TrainingError(
            "grader 'code' runs programs that models write: allow it with "
            "reward.custom_reward_function.reward_kwargs.allow_code_execution=true"
        )
    rest = {name: value for name, value in given.items() if name not in own}
    rest["constants"] = Constants(**rest.get("constants", {}))
    return Scorer(TableTask(kind, {}, _graders()[kind](GradingConfig(**own))), RewardConfig(**rest))


def _problem(kind: str, ground_truth: Any, told: Mapping[str, Any]) -> Problem:
    """What is graded against."""
    if kind == CODE:
        row, text = {**told, "tests": ground_truth}, str(told.get("problem", ""))
        return code.code_problem("", ("ground_truth", row), text, code.TRAINING_LIMITS, code.MOST_TRAINING_TESTS)
    answers = plain(ground_truth)
    listed = [answers] if isinstance(answers, str) or not isinstance(answers, Sequence) else answers
    texts = tuple(map(str, listed))
    return Problem("", (), texts[0], {"answers": texts})
