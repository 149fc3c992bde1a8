"""What tokens cost, exactly, and how many of them a request can pay for."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.needs import most_tokens
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.engines.scripted import word_template
from elastic_reasoning.serving.asked import Asked, Limits
from elastic_reasoning.serving.backend import Backend
from elastic_reasoning.serving.budgets import Plan
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Usage
from elastic_reasoning.serving.money import afford
from elastic_reasoning.serving.prices import UNIT, Price, amount, as_number, spelled
from elastic_reasoning.untrusted.json import MalformedError, convert

TEMPLATE = word_template("<think>", "</think>", "<eos>", ["a", "b"])
PROMPT = Prompt((0,) * 10, Thinking.OPEN)
AMOUNTS = st.decimals(0, 100, places=6)


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_costs_are_exact(one: Decimal, two: Decimal, three: Decimal, new: int, cached: int, completion: int) -> None:
    cost = Price(input=one, cached=two, output=three).cost(Usage(new + cached, cached, completion))
    assert Decimal(cost.total) / UNIT == (new * one + cached * two + completion * three) / 10**6


@pytest.mark.parametrize("price", [-1, "NaN", 1e9, "0.0000001", True])
def test_what_is_no_price_is_refused(price: object) -> None:
    with pytest.raises(MalformedError):
        convert({"input": price, "output": 1}, Price)


@given(st.integers(0, 10**20))
def test_an_amount_is_spelled_as_people_write_it(parts: int) -> None:
    assert amount(Decimal(spelled(parts))) == parts
    assert "E" not in spelled(parts)


def backend(context: int | None, output: str, reserve: int) -> Backend:
    price = Price(input=Decimal(1), output=Decimal(output))
    config = SimpleNamespace(price=price, reserve=reserve)
    return cast(
        Backend, SimpleNamespace(name="m", config=config, engine=SimpleNamespace(template=TEMPLATE, context=context))
    )


TOKENS = st.none() | st.integers(0, 60)


@settings(max_examples=25)
@given(
    st.integers(0, 600),
    TOKENS,
    TOKENS,
    st.sampled_from(["elastic", "vanilla", "nothinking", "s1"]),
    st.integers(1, 3),
    st.sampled_from([None, 100]),
    st.integers(1, 30),
)
def test_no_request_can_cost_more_than_it_may(
    millionths: int, t: int | None, s: int | None, strategy: str, samples: int, context: int | None, reserve: int
) -> None:
    max_cost = millionths / 10**6
    asked = Asked("m", limits=Limits(max_cost=max_cost), num_samples=samples)
    plan = Plan(Budget(t, s), {}, strategy)
    model = backend(context, "2", reserve)
    try:
        found = afford(plan, asked, model, PROMPT)
    except ApiError as error:
        least = error.details["least_cost"]
        found = afford(plan, Asked("m", limits=Limits(max_cost=least), num_samples=samples), model, PROMPT)
        assert least > max_cost
        max_cost = least
    most = most_tokens(Request(PROMPT, found.budget, strategy), TEMPLATE, context)
    assert most is not None
    assert as_number((10 + 2 * samples * most) * 10**6) <= max_cost
    for got, wanted in ((found.budget.thinking, t), (found.budget.solution, s)):
        assert wanted is None or (got is not None and got <= wanted)
    assert found.budget.solution is None or found.budget.solution >= min(reserve, 60 if s is None else s)


def test_money_leaves_the_solution_its_reserve_before_there_is_any_thinking() -> None:
    asked = Asked("m", limits=Limits(max_cost=0.00006))
    found = afford(Plan(Budget(50, 50), {"thinking": "thinking_budget"}), asked, backend(None, "2", 20), PROMPT)
    assert found.budget == Budget(4, 20)  # 10 of the prompt, 2 for each of 25 tokens, one of which closes
    assert found.by_money == {"thinking", "solution"}
    assert found.sources == {"thinking": "max_cost=0.00006", "solution": "max_cost=0.00006"}


def test_images_may_fill_the_context() -> None:
    asked = Asked("m", limits=Limits(max_cost=0.00012))
    found = afford(Plan(Budget(50, 50), {}), asked, backend(100, "1", 5), Prompt(()))
    assert found.budget.total == 18  # 100 of the prompt, and two delimiters
    with pytest.raises(ApiError, match="nothing bounds"):
        afford(Plan(Budget(50, 50), {}), asked, backend(None, "1", 5), Prompt(()))


def test_without_prices_nothing_keeps_a_cost() -> None:
    model: Any = backend(None, "2", 20)
    model.config.price = None
    with pytest.raises(ApiError, match="no prices are known of m"):
        afford(Plan(Budget(1, 1), {}), Asked("m", limits=Limits(max_cost=1.0)), model, PROMPT)
