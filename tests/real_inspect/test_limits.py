"""Which budget a call has: from reasoning tokens, an effort, a budget, and what bounds them all."""

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="inspect_ai is not installed: make test-inspect")

from inspect_ai.model import GenerateConfig

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import RequestError, StrategyError, UsageError
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.integrations.inspect_ai.limits import Setting, plan_call, refuse_unsupported
from elastic_reasoning.serving.effort import DEFAULT_THINKING
from real_inspect.running import MARKS, call, model_of, said_of, wordy

pytestmark = MARKS

CONTEXT = 200
QUESTION = [{"role": "user", "content": "one two"}]
BUDGETS = """
version: 1
models:
  mini-e1:
    strategy: elastic
    efforts:
      low: {budget: 8+20}
      high: {budget: 64+20}
"""


def budget_of(budget: str = "", context: int | None = CONTEXT, **said: Any) -> str:
    """The budget of a call that says this, of a model that was opened with that budget."""
    setting = Setting(Budget.parse(budget) if budget else None)
    plan, _ = plan_call(wordy(context=context), QUESTION, [], GenerateConfig(**said), setting)
    return str(plan.budget)


@pytest.mark.parametrize(
    ("budget", "said", "means"),
    [
        ("24+20", {}, "24+20"),
        ("inf+20", {}, "inf+20"),
        ("24+20", {"reasoning_tokens": 8}, "8+20"),
        ("24+20", {"reasoning_tokens": 0}, "0+20"),
        ("24+20", {"reasoning_tokens": 8, "reasoning_effort": "high"}, "8+20"),
        ("24+20", {"reasoning_tokens": 8, "max_tokens": 50}, "8+42"),
        ("", {"reasoning_tokens": 24, "max_tokens": 44}, "24+20"),
        ("24+20", {"reasoning_effort": "none"}, "0+20"),
        ("24+20", {"max_tokens": 44}, "24+20"),
        ("24+20", {"max_tokens": 4096}, "24+20"),
        ("24+20", {"max_tokens": 30}, "10+20"),
        ("24+20", {"max_tokens": 16}, "8+8"),
        ("inf+20", {"max_tokens": 50}, "30+20"),
        ("", {"max_tokens": 50}, "25+25"),
        ("", {"reasoning_effort": "low", "max_tokens": 100}, "20+80"),
        ("24+20", {"reasoning_effort": "max", "max_tokens": 100}, "80+20"),
    ],
    ids=str,
)
def test_what_a_call_says_of_its_tokens(budget: str, said: dict[str, Any], means: str) -> None:
    assert budget_of(budget, **said) == means


def test_an_effort_is_what_the_gateway_takes_it_for() -> None:
    for effort, (tokens, _) in DEFAULT_THINKING.items():
        assert budget_of("24+20", context=None, reasoning_effort=effort) == f"{tokens}+20"


@pytest.mark.parametrize(
    ("budget", "said", "words"),
    [
        ("", {}, "no budget: give -M budget=512+256"),
        ("24+20", {"reasoning_tokens": 60, "max_tokens": 50}, "reasoning_tokens 60"),
        ("24+20", {"reasoning_tokens": 500}, "the context leaves behind the prompt"),
    ],
    ids=str,
)
def test_what_cannot_be_kept_is_refused(budget: str, said: dict[str, Any], words: str) -> None:
    with pytest.raises((UsageError, RequestError), match=re.escape(words)):
        budget_of(budget, **said)


def test_a_strategy_that_bounds_nothing_cannot_keep_max_tokens() -> None:
    setting = Setting(Budget(24, 20), strategy="l1-max")
    with pytest.raises((RequestError, StrategyError), match="max_tokens"):
        plan_call(wordy(context=CONTEXT), QUESTION, [], GenerateConfig(max_tokens=100), setting)


@pytest.mark.parametrize(
    "said",
    [
        {"best_of": 2},
        {"frequency_penalty": 0.5},
        {"presence_penalty": 0.5},
        {"logit_bias": {4: -100.0}},
        {"top_logprobs": 5},
        {"modalities": ["image"]},
        {"extra_body": {"thinking_budget": 8}},
        {"effort": "low"},
    ],
    ids=str,
)
def test_settings_that_nothing_here_can_do_are_refused_by_name(said: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(said))):
        refuse_unsupported(GenerateConfig(**said), "auto")


def test_settings_that_ask_for_nothing_are_no_trouble() -> None:
    refuse_unsupported(GenerateConfig(best_of=1, frequency_penalty=0, top_logprobs=0, logit_bias={}), "none")


def test_a_tool_cannot_be_forced() -> None:
    with pytest.raises(UsageError, match="tool_choice 'any'"):
        refuse_unsupported(GenerateConfig(), "any")


def test_an_effort_by_a_calibrated_file(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "budgets.yaml"
    path.write_text(BUDGETS)
    model = model_of(engine, "", budgets=str(path))
    for effort, budget in (("low", "8+20"), ("medium", "8+20"), ("high", "64+20")):
        said = said_of(call(model, "a 4 b -8 c +7 =", reasoning_effort=effort))
        assert said["budget"] == budget
        assert "budgets.yaml" in said["sources"]["thinking"]


def test_a_file_without_the_model_is_refused(engine: Engine, tmp_path: Path) -> None:
    from inspect_ai._util.error import PrerequisiteError

    path = tmp_path / "budgets.yaml"
    path.write_text(BUDGETS.replace("mini-e1", "mini-e2"))
    with pytest.raises(PrerequisiteError, match="did you mean 'mini-e2'"):
        model_of(engine, "", budgets=str(path))
