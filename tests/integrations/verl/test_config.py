"""What a file of agent loops may say, and what is refused before anything is generated."""

import re
from dataclasses import replace
from typing import Any

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import BudgetError, ElasticError, StrategyError, TrainingError
from elastic_reasoning.core.template import Thinking
from elastic_reasoning.engines.loading import load_tokenizer
from elastic_reasoning.integrations.verl.config import LoopConfig, Shared, Trainer, check_sampling, has_plug_in

TRAINER = Trainer("vllm", 64, 32, 128, 1.0, -1, True, "processed_logprobs", False, 80)
QUESTION = [{"role": "user", "content": "a 4 b -8 c +7 ="}]


def shared(trainer: Trainer = TRAINER, **values: Any) -> Shared:
    return Shared(load_tokenizer("mini"), LoopConfig.read(values), trainer)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"budget": "24+20"}, TrainingError, "unknown key of the agent loop 'budget': did you mean 'budgets'?"),
        ({"budgets": ["24"]}, BudgetError, "budget '24'"),
        ({"one_pass": "maybe"}, TrainingError, "one_pass 'maybe': must be one of auto, true, false"),
        ({"strategies": ["elastik"]}, StrategyError, "did you mean 'elastic'?"),
        ({"options": {"answer_tokens": 2}}, StrategyError, "means nothing to strategy 'elastic'"),
        ({"plan": "anytime", "budgets": ["8+20", "24+20"]}, TrainingError, "one response for each rollout"),
        ({"plan": "serial", "budgets": ["24+20"]}, TrainingError, "plan 'serial': verl has one response"),
        ({"plan": "fixed", "budgets": ["8..24+20"]}, TrainingError, "plan 'fixed' has one budget"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], error: type[ElasticError], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        shared(**values)


def test_a_curriculum_needs_to_know_how_long_the_run_is() -> None:
    with pytest.raises(TrainingError, match=r"set trainer\.total_training_steps"):
        shared(replace(TRAINER, total_steps=None), plan="curriculum", budgets=["8+20", "24+20"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top_p": 0.9}, r"rollout\.top_p 0\.9 and top_k -1: must be 1 and -1"),
        ({"top_k": 20}, r"rollout\.top_p 1 and top_k 20"),
        ({"logprobs_mode": "raw_logprobs"}, r"rollout\.logprobs_mode 'raw_logprobs': must be processed_logprobs"),
    ],
)
def test_sampling_that_no_ratio_can_be_taken_of_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        check_sampling(replace(TRAINER, **change))


def test_a_budget_that_does_not_fit_a_row_is_refused_by_how_much() -> None:
    own = shared(budgets=["45+20"])
    with pytest.raises(TrainingError, match=r"66 tokens, delimiters and all, 2 more than data\.max_response_length 64"):
        own.check_plan(Thinking.OPEN)
    with pytest.raises(TrainingError, match="67 tokens"):  # the opening is to be written too
        own.check_plan(Thinking.ABSENT)
    shared(budgets=["43+20"]).check_plan(Thinking.OPEN)


def test_of_a_range_the_end_decides() -> None:
    with pytest.raises(TrainingError, match=r"budget 60\+20"):
        shared(plan="random", budgets=["4..60+20"]).check_plan(Thinking.OPEN)


def test_options_that_forbid_tokens_are_refused_where_log_probabilities_are_wanted() -> None:
    own: dict[str, Any] = {"budgets": ["24+20"], "options": {"min_thinking": 4}}
    with pytest.raises(TrainingError, match=r"calculate_log_probs to false"):
        shared(**own).check_plan(Thinking.OPEN)
    shared(replace(TRAINER, calculate_log_probs=False), **own).check_plan(Thinking.OPEN)


def test_a_draw_depends_on_the_seed_the_step_and_the_prompt_alone() -> None:
    one, same = (shared(plan="random", budgets=["4..40+20"], seed=3) for _ in range(2))
    other = shared(plan="random", budgets=["4..40+20"], seed=4)
    prompts = [[{"role": "user", "content": f"a {n} ="}] for n in range(8)]

    def drawn(own: Shared, step: int) -> list[Budget]:
        return [own.assign(prompt, step).budgets[0] for prompt in prompts]

    assert drawn(one, 0) == drawn(same, 0)
    assert len({*drawn(one, 0)}) > 1
    assert drawn(one, 0) != drawn(one, 1)
    assert drawn(one, 0) != drawn(other, 0)


def test_the_samples_of_a_prompt_are_rendered_once() -> None:
    own = shared()
    assert own.prompt(QUESTION) is own.prompt(QUESTION)
    assert own.prompt(QUESTION).thinking is Thinking.OPEN


def test_one_pass_is_for_vllm_with_the_plug_in_and_what_it_knows() -> None:
    assert not shared(one_pass=False).in_one_pass
    assert shared(one_pass=True).in_one_pass
    assert shared().in_one_pass is has_plug_in()
    assert not shared(replace(TRAINER, name="sglang")).in_one_pass
    assert not shared(opening="<think>", closing="</think>").in_one_pass


def test_the_context_is_what_verl_has_room_for() -> None:
    assert TRAINER.context(20) == 84
    assert TRAINER.context(100) == 128
    assert replace(TRAINER, max_model_len=None).context(100) == 164
