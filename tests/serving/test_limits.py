import json
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming as ChatParams
from openai.types.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

from elastic_reasoning.serving.asked import Limits
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.limits import read_limits
from elastic_reasoning.serving.names import MOST_TOKENS, TABLE, table_as_markdown

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
PATHS = st.sampled_from([name.path for name in TABLE])


def body_of(path: str, value: Any) -> dict[str, Any]:
    """A body that says one thing."""
    for key in reversed(path.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def refusal(body: dict[str, Any]) -> ApiError | None:
    """Why a body is refused."""
    try:
        read_limits(body)
    except ApiError as error:
        return error
    return None


def read(**body: Any) -> tuple[int | None, int | None, int | None, str | None]:
    limits = read_limits(body)
    return limits.thinking, limits.solution, limits.max_tokens, limits.effort


def test_every_way_to_say_it() -> None:
    for body, wanted in (
        ({"thinking_budget": 512, "solution_budget": 256}, (512, 256, None, None)),
        ({"extra_body": {"thinking_budget": 512}}, (512, None, None, None)),
        ({"chat_template_kwargs": {"thinking_budget": 512}}, (512, None, None, None)),
        ({"vllm_xargs": {"thinking_budget": 0, "solution_budget": 256}}, (0, 256, None, None)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 4096}, (2048, None, 4096, None)),
        ({"thinking": {"type": "disabled"}}, (0, None, None, None)),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, (None, None, None, "max")),
        ({"reasoning": {"max_tokens": 2000, "exclude": True}}, (2000, None, None, None)),
        ({"reasoning": {"effort": "high"}, "max_output_tokens": 99}, (None, None, 99, "high")),
        ({"reasoning": {"enabled": False}}, (0, None, None, None)),
        ({"reasoning": {"enabled": True}}, (None, None, None, None)),
        ({"reasoning_effort": "minimal", "max_completion_tokens": 7}, (None, None, 7, "minimal")),
        ({"reasoning_effort": "None"}, (0, None, None, None)),
        ({"reasoning_effort": "disable"}, (0, None, None, None)),
        ({"reasoning_effort": "default"}, (None, None, None, None)),
        ({"thinkingConfig": {"thinkingBudget": 128, "includeThoughts": True}}, (128, None, None, None)),
        ({"thinkingConfig": {"thinkingBudget": -1}}, (None, None, None, None)),
        ({"thinking_config": {"thinking_budget": 0}}, (0, None, None, None)),
        ({"extra_body": {"google": {"thinking_config": {"thinking_budget": 9}}}}, (9, None, None, None)),
        ({"thinking_token_budget": 10}, (10, None, None, None)),
        ({"thinking_budget_tokens": 11, "reasoning_budget": -1}, (11, None, None, None)),
        ({"custom_params": {"thinking_budget": 12}}, (12, None, None, None)),
        ({"nvext": {"max_thinking_tokens": 13}}, (13, None, None, None)),
        ({"enable_thinking": True, "thinking_budget": 14}, (14, None, None, None)),
        ({"enable_thinking": False}, (0, None, None, None)),
        ({"chat_template_kwargs": {"enable_thinking": False}}, (0, None, None, None)),
        ({"chat_template_kwargs": {"thinking": False}}, (0, None, None, None)),
        ({"chat_template_kwargs": {"reasoning_effort": "low"}}, (None, None, None, "low")),
        ({"think": True}, (None, None, None, None)),
        ({"think": False}, (0, None, None, None)),
        ({"think": "low"}, (None, None, None, "low")),
        ({"thinking_budget": None, "reasoning": None, "extra_body": None, "thinking": {}}, (None,) * 4),
    ):
        assert read(**body) == wanted, body  # type: ignore[arg-type]


def test_seconds_and_money() -> None:
    limits = read_limits({"deadline_seconds": 2, "extra_body": {"max_cost": 0.01}})
    assert (limits.deadline_seconds, limits.max_cost) == (2.0, 0.01)
    assert limits.names == {"deadline_seconds": "deadline_seconds", "max_cost": "extra_body.max_cost"}


def test_thinking_that_is_not_to_be_shown() -> None:
    for hides in (
        {"reasoning": {"exclude": True}},
        {"include_reasoning": False},
        {"thinking": {"type": "adaptive", "display": "omitted"}},
        {"reasoning_format": "hidden"},
        {"extra_body": {"google": {"thinking_config": {"include_thoughts": False}}}},
    ):
        assert not read_limits(hides).shows_thinking, hides
    for shows in ({}, {"reasoning": {"exclude": False}}, {"include_reasoning": True}, {"reasoning_format": "auto"}):
        assert read_limits(shows).shows_thinking
    with pytest.raises(ApiError, match=r"reasoning.exclude True and include_reasoning True disagree"):
        read_limits({"reasoning": {"exclude": True}, "include_reasoning": True})


def test_the_strategy_and_its_options() -> None:
    limits = read_limits({"strategy": "s1", "answer_tokens": 4, "vllm_xargs": {"num_waits": 1}})
    assert (limits.strategy, dict(limits.options)) == ("s1", {"answer_tokens": 4, "num_waits": 1})
    limits = read_limits({"grace": 8, "extra_body": {"wrap_up": "Time is up."}})
    assert (limits.strategy, dict(limits.options)) == ("elastic", {"grace": 8, "wrap_up": "Time is up."})
    assert read_limits({"model": "mini"}) == Limits()


@given(PATHS, PATHS, st.integers(1, 999), st.integers(1, 999))
def test_the_same_twice_is_fine_and_different_values_are_refused(one: str, other: str, a: int, b: int) -> None:
    """Under any two names, at any two places."""
    if refusal(body_of(one, a)) or refusal(body_of(other, a)):  # not a name of a number
        return
    parts = {path: set(read_limits(body_of(path, a)).names) for path in (one, other)}
    whole = body_of(one, a)
    whole["extra_body"] = {**whole.get("extra_body", {}), **body_of(other, b)}
    if a != b and parts[one] & parts[other]:
        with pytest.raises(ApiError) as caught:
            read_limits(whole)
        assert f"{one} {a} and extra_body.{other} {b} disagree" in caught.value.message
        assert (caught.value.status, caught.value.param) == (400, f"extra_body.{other}")
    else:
        limits = read_limits(whole)
        assert set(limits.names) == parts[one] | parts[other]


@given(PATHS, st.one_of(st.floats(), st.text(), st.lists(st.integers()), st.integers(), st.booleans(), st.just({})))
def test_a_value_that_cannot_be_is_a_400_that_names_the_path(path: str, value: Any) -> None:
    error = refusal(body_of(path, value))
    if error is not None:
        assert (error.status, error.param) == (400, path)
        assert path in error.message
        assert "\n" not in error.message
        return
    limits = read_limits(body_of(path, value))
    for number in (limits.thinking, limits.solution, limits.max_tokens):
        assert number is None or (type(number) is int and 0 <= number <= MOST_TOKENS)


PARTS = st.sampled_from(sorted({part for name in TABLE for part in name.path.split(".")} | {"extra_body"}))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PARTS | st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(PARTS, json_values, max_size=6))
def test_any_body_is_read_or_refused(body: dict[str, Any]) -> None:
    error = refusal(body)
    assert error is None or error.status == 400


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"thinking_budgets": 512}, "unknown parameter 'thinking_budgets': did you mean 'thinking_budget'?"),
        ({"extra_body": {"solution_budgt": 1}}, "extra_body: unknown parameter 'solution_budgt'"),
        ({"chat_template_kwargs": {"thinking_budge": 1}}, "chat_template_kwargs: unknown parameter 'thinking_budge'"),
        ({"thinking": {"type": "enabled", "budget_token": 9}}, "thinking: unknown .*did you mean 'budget_tokens'"),
        ({"reasoning": {"efort": "high"}}, "reasoning: unknown parameter 'efort': did you mean 'effort'"),
        ({"deadline_second": 3}, "did you mean 'deadline_seconds'"),
        (
            {"thinking": {"type": "disabled"}, "thinking_budget": 5},
            "thinking.type 'disabled' and thinking_budget 5 disag",
        ),
        ({"reasoning_effort": "none", "thinking_budget": 5}, "reasoning_effort 'none' and thinking_budget 5 disagree"),
        (
            {"reasoning_effort": "low", "reasoning": {"effort": "high"}},
            "reasoning_effort 'low' and reasoning.effort 'hi",
        ),
        ({"max_tokens": 4, "max_completion_tokens": 5}, "max_tokens 4 and max_completion_tokens 5 disagree"),
        ({"reasoning_effort": "hihg"}, "reasoning_effort 'hihg': unknown effort 'hihg': did you mean 'high'"),
        ({"thinking": True}, "thinking True: must be an object, as"),
        ({"max_tokens": 0}, "max_tokens 0: must be a whole number of tokens, from 1"),
        ({"thinking_budget": 2**40}, "thinking_budget 1099511627776: must be a whole number"),
        ({"thinking_budget": -2}, "thinking_budget -2: must be"),
        ({"deadline_seconds": float("nan")}, "deadline_seconds nan: must be a number of seconds above 0"),
        ({"max_cost": 0}, "max_cost 0: must be"),
        ({"strategy": "elastik"}, "did you mean 'elastic'"),
        ({"strategy": ["elastic"]}, "must be the name of a strategy"),
        ({"strategy": "vanilla", "grace": 2}, "means nothing to strategy 'vanilla'"),
        ({"grace": "much"}, "grace 'much': must be a whole number"),
        ({"grace": 2, "vllm_xargs": {"grace": 3}}, "grace 2 and vllm_xargs.grace 3 disagree"),
    ],
)
def test_what_is_refused_says_why(body: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        read_limits(body)
    assert caught.value.status == 400
    assert caught.value.param or "unknown parameter" in caught.value.message


def test_what_official_clients_can_send_is_never_taken_for_a_misspelling() -> None:
    kinds = (ChatParams, CompletionCreateParamsNonStreaming, ResponseCreateParamsNonStreaming)
    names = {name for kind in (*kinds, MessageCreateParamsNonStreaming) for name in get_type_hints(kind)}
    known = {name.path.split(".")[0] for name in TABLE}
    others = (
        "include_reasoning",
        "reasoning_format",
        "chat_template",
        "guided_json",
        "min_tokens",
        "preserve_thinking",
    )
    assert read_limits(dict.fromkeys(({*names, *others} - known), 1)) == Limits()
    kwargs = {"preserve_thinking": True, "clear_thinking": False, "add_generation_prompt": True}
    assert read_limits({"chat_template_kwargs": kwargs, "reasoning": {"summary": "auto"}}) == Limits()


def test_the_documentation_has_the_table() -> None:
    before, _, rest = PAGE.read_text().partition("<!-- names -->\n")
    assert before
    assert rest.partition("<!-- end -->")[0] == table_as_markdown()
    assert json.dumps(table_as_markdown()).count("|") > len(TABLE)
