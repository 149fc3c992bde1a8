from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cases import Case, cases
from elastic_reasoning.analysis.effort import EFFORTS
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.template import Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.serving.asked import Limits
from elastic_reasoning.serving.budgets import Plan, resolve, room_behind
from elastic_reasoning.serving.config import ModelConfig
from elastic_reasoning.serving.effort import DEFAULT_THINKING, Efforts
from elastic_reasoning.serving.errors import ApiError

CALIBRATED = Efforts({"low": Budget(24, 20), "high": Budget(48, 8)}, "budgets.yaml", "elastic")
NAMES = {
    "thinking": "thinking.budget_tokens",
    "solution": "solution_budget",
    "max_tokens": "max_tokens",
    "effort": "reasoning_effort",
}
OPEN = ModelConfig()


def said(**values: object) -> Limits:
    return Limits(**values, names={part: NAMES[part] for part in values if part in NAMES})  # type: ignore[arg-type]


def plan(limits: Limits, config: ModelConfig = OPEN, efforts: Efforts | None = None, room: int | None = None) -> Plan:
    return resolve(limits, config, efforts or Efforts(), room)


def budget(
    limits: Limits, config: ModelConfig = OPEN, efforts: Efforts | None = None, room: int | None = None
) -> tuple[int | None, int | None]:
    found = plan(limits, config, efforts, room).budget
    return found.thinking, found.solution


tokens = st.none() | st.integers(0, 5000)
finite = st.integers(0, 5000)
parts = st.one_of(st.just("inf"), finite.map(str))


@st.composite
def configs(draw: st.DrawFn) -> ModelConfig:
    ceiling = f"{draw(parts)}+{draw(parts)}"
    most = Budget.parse(ceiling)
    default = [
        draw(st.just("inf") | st.integers(0, part if part is not None else 5000).map(str))
        for part in (most.thinking, most.solution)
    ]
    return ModelConfig(budget="+".join(default), ceiling=ceiling, reserve=draw(st.integers(1, 2000)))


@given(
    thinking=tokens,
    solution=tokens,
    max_tokens=st.none() | st.integers(1, 5000),
    effort=st.none() | st.sampled_from(EFFORTS),
    config=configs(),
    efforts=st.sampled_from([Efforts(), CALIBRATED]),
    room=st.none() | st.integers(-5, 5000),
)
def test_whatever_is_said_is_kept_or_refused(
    thinking: int | None,
    solution: int | None,
    max_tokens: int | None,
    effort: str | None,
    config: ModelConfig,
    efforts: Efforts,
    room: int | None,
) -> None:
    values = {"thinking": thinking, "solution": solution, "max_tokens": max_tokens, "effort": effort}
    limits = said(**{name: value for name, value in values.items() if value is not None})
    t_most, s_most = config.most.thinking, config.most.solution
    try:
        found = plan(limits, config, efforts, room)
    except ApiError as error:
        least = (thinking or 0) + (1 if solution is None else solution)
        over_ceiling = any(
            value is not None and most is not None and value > most
            for value, most in ((thinking, t_most), (solution, s_most))
        )
        assert over_ceiling or any(limit is not None and least > limit for limit in (max_tokens, room))
        assert error.status == 400  # noqa: PT017
        return
    t, s = found.budget.thinking, found.budget.solution
    for limit in (max_tokens, room):
        if limit is not None:
            assert t is not None
            assert s is not None
            assert t + s <= limit
    assert t_most is None or (t is not None and t <= t_most)
    assert s_most is None or (s is not None and s <= s_most)
    if thinking is not None:
        assert t is not None
        assert t <= thinking
        assert t == thinking or "cut to keep" in found.sources["thinking"]
    if solution is not None:
        assert s == solution
    elif s_most != 0 and (config.default.solution != 0 or max_tokens is not None):
        assert s is None or s >= 1


@given(st.integers(1, 100_000), st.sampled_from([Efforts(), CALIBRATED]))
def test_more_effort_never_thinks_less(total: int, efforts: Efforts) -> None:
    thinking = [budget(said(effort=name, max_tokens=total), OPEN, efforts)[0] or 0 for name in EFFORTS]
    assert thinking == sorted(thinking)


def test_numbers_that_a_client_asks_for() -> None:
    assert budget(said(thinking=512, solution=256)) == (512, 256)
    assert budget(said(thinking=1000, max_tokens=4096)) == (1000, 3096)
    assert budget(said(solution=96, max_tokens=4096)) == (4000, 96)
    assert budget(said(thinking=0, max_tokens=100)) == (0, 100)
    assert budget(said(max_tokens=1)) == (0, 1)
    assert budget(said()) == (None, None)
    assert budget(said(), room=3000) == (2488, 512)
    found = plan(said(thinking=1000, max_tokens=1024))
    assert found.budget == Budget(512, 512)
    assert found.sources == {
        "thinking": "thinking.budget_tokens; cut to keep 512 of max_tokens=1024 for the answer",
        "solution": "what thinking leaves of max_tokens=1024",
    }


def test_defaults_and_ceilings() -> None:
    config = ModelConfig(budget="1024+512", ceiling="2048+4096")
    assert budget(said(), config) == (1024, 512)
    assert budget(said(max_tokens=9000), config) == (1024, 4096)
    assert budget(said(thinking=2048), config) == (2048, 512)
    assert budget(said(), config, room=1000) == (500, 500)
    assert plan(said(), config, room=1000).sources == {
        "thinking": "default; cut to keep 500 of the context's 1000 tokens for the answer",
        "solution": "default; cut to the 500 left",
    }
    assert budget(said(), ModelConfig(ceiling="64+32")) == (64, 32)
    assert budget(said(), ModelConfig(budget="150+20"), room=200) == (150, 20)  # no more is kept than is wanted
    assert budget(said(max_tokens=400), ModelConfig(reserve=100)) == (300, 100)


def test_efforts() -> None:
    for effort, (thinking, solution), source in (
        ("low", (24, 20), "reasoning_effort=low (budgets.yaml)"),
        ("minimal", (24, 20), "reasoning_effort=minimal, as low (budgets.yaml)"),
        ("medium", (24, 20), "reasoning_effort=medium, as low (budgets.yaml)"),
        ("max", (48, 8), "reasoning_effort=max, as high (budgets.yaml)"),
    ):
        found = plan(said(effort=effort), efforts=CALIBRATED)
        assert found.budget == Budget(thinking, solution)
        assert found.sources == {"thinking": source, "solution": source}
    assert budget(said(effort="low", max_tokens=100), efforts=CALIBRATED) == (24, 76)
    assert budget(said(effort="low", thinking=10), efforts=CALIBRATED) == (10, 20)
    assert budget(said(effort="high")) == (16_000, None)
    assert budget(said(effort="high"), room=1000) == (500, 500)
    assert budget(said(effort="low"), room=1000) == (200, 800)
    assert plan(said(effort="low")).sources["thinking"] == "reasoning_effort=low (default table)"
    assert budget(said(effort="max"), ModelConfig(ceiling="4096+1024")) == (4096, 1024)
    assert list(DEFAULT_THINKING) == list(EFFORTS)


def test_an_effort_is_spent_as_it_was_measured() -> None:
    measured = replace(CALIBRATED, strategy="s1")
    assert plan(said(effort="low"), efforts=measured).strategy == "s1"
    assert plan(said(effort="low", strategy="vanilla"), efforts=measured).strategy == "vanilla"
    assert plan(said()).strategy == "elastic"
    assert plan(said(strategy="elastic", options=Options(grace=4))).options == Options(grace=4)


@pytest.mark.parametrize(
    ("limits", "config", "room", "message"),
    [
        (
            {"thinking": 2048, "max_tokens": 1024},
            "inf+inf",
            None,
            "thinking.budget_tokens 2048: needs 2049 tokens, with at least one for the answer, 1025 more than "
            "max_tokens 1024; lower it, or raise max_tokens",
        ),
        ({"thinking": 1024, "max_tokens": 1024}, "inf+inf", None, "1 more than max_tokens 1024"),
        (
            {"thinking": 600, "solution": 500, "max_tokens": 1024},
            "inf+inf",
            None,
            "thinking.budget_tokens 600 and solution_budget 500: needs 1100 tokens, 76 more than max_tokens 1024",
        ),
        ({"solution": 2000, "max_tokens": 1024}, "inf+inf", None, "solution_budget 2000: needs 2000 tokens, 976 more"),
        (
            {"thinking": 600, "solution": 500},
            "inf+inf",
            1000,
            "needs 1100 tokens, 100 more than the 1000 that the context leaves behind the prompt; lower the budget",
        ),
        ({}, "inf+inf", -3, "an answer: needs 1 tokens, .* 4 more than the 0 that the context leaves"),
        (
            {"thinking": 9000},
            "8192+2048",
            None,
            "thinking.budget_tokens 9000: above the ceiling of 8192 thinking tokens of this model; ask for at most",
        ),
        ({"solution": 2049}, "8192+2048", None, "solution_budget 2049: above the ceiling of 2048 solution tokens"),
        ({"strategy": "unconstrained", "max_tokens": 9}, "inf+inf", None, "bounds no tokens, so it cannot keep max_t"),
        ({"strategy": "l1-exact"}, "8192+inf", None, "bounds no tokens, so it cannot keep the ceiling of this model"),
    ],
)
def test_what_cannot_be_is_refused(limits: dict[str, object], config: str, room: int | None, message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        plan(said(**limits), ModelConfig(ceiling=config), room=room)
    assert caught.value.status == 400


@given(configs())
def test_a_default_above_the_ceiling_is_refused_when_the_gateway_starts(config: ModelConfig) -> None:
    assume(config.most.thinking is not None)
    with pytest.raises(UsageError, match="thinking tokens are above the ceiling of"):
        ModelConfig(budget=f"{(config.most.thinking or 0) + 1}+inf", ceiling=config.ceiling)


@given(cases(("elastic", "elastic", "vanilla", "s1", "nothinking")))
def test_what_fits_the_room_behind_a_prompt_fits_the_context(case: Case) -> None:
    request, template = case.request, case.template
    plan = Plan(request.budget, {}, request.strategy, request.options)
    room = room_behind(request.prompt, template, case.context, plan)
    if room is None or request.budget.total is None:
        return
    error = Walk(request, template, case.context).error or ""
    is_too_large = "context" in error
    if request.budget.total <= room:
        assert not is_too_large
    elif request.strategy == "elastic" and not request.options.get("wait"):  # then it is exact
        is_void = request.prompt.thinking is Thinking.CLOSED and (request.budget.solution or 0) <= room
        assert is_void or error
