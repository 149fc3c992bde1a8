"""From the most that a request may cost to the tokens that it may use."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.needs import most_tokens, needs_of
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt
from elastic_reasoning.serving.asked import Asked
from elastic_reasoning.serving.backend import Backend
from elastic_reasoning.serving.budgets import Plan
from elastic_reasoning.serving.errors import ApiError, bad_request
from elastic_reasoning.serving.prices import Price, amount, as_number, spelled

MOST_TOKENS = 2**20
"""Of a part of a budget, where no context is known: the worst case of a longer one is not worked out."""


def _most_completion(plan: Plan, asked: Asked, backend: Backend, prompt: Prompt) -> int | None:
    """The most tokens that all samples of a request can come to, forced ones too; `None` where nothing bounds them.

    How often a strategy probes depends on what is thought: nothing bounds that.
    """
    context, budget = backend.engine.context, plan.budget
    if context is not None:  # what goes beyond it changes nothing
        budget = Budget(_lower(budget.thinking, context), _lower(budget.solution, context))
    elif max(budget.thinking or 0, budget.solution or 0) > MOST_TOKENS:
        return None
    request, template = Request(prompt, budget, plan.strategy, plan.options), backend.engine.template
    most = None if needs_of(request, template).probes else most_tokens(request, template, context)
    return None if most is None else asked.num_samples * max(most, 0)


def most_cost(plan: Plan, asked: Asked, backend: Backend, prompt: Prompt, price: Price) -> int | None:
    """The most that a request can cost, in parts; `None` where nothing bounds it.

    What images come to is known to the upstream alone: they may fill the context.
    """
    num_prompt_tokens = len(prompt.ids) or backend.engine.context
    num_tokens = _most_completion(plan, asked, backend, prompt) if price.output else 0
    if num_prompt_tokens is None or num_tokens is None:
        return None
    return price.most(num_prompt_tokens, num_tokens)


def _lower(asked_for: int | None, room: int) -> int | None:
    return None if asked_for is None else min(asked_for, room)


def afford(plan: Plan, asked: Asked, backend: Backend, prompt: Prompt) -> Plan:
    """A plan that cannot cost more than the request may: the solution keeps its reserve, then thinking gets its tokens.

    What is left after both lengthens the solution. No part becomes larger than it was planned.

    Args:
        plan: what the request may use, money aside.
        asked: with `max_cost`.
        backend: its model, with prices.
        prompt: its tokens are paid for first.

    Raises:
        ApiError: 400 where no price is known, or not even the shortest answer can be paid for.
    """
    if asked.limits.max_cost is None:
        return plan
    price, name = backend.config.price, asked.limits.names.get("max_cost", "max_cost")
    if price is None:
        raise bad_request(
            f"{name} {asked.limits.max_cost}: no prices are known of {backend.name}; bound its tokens instead, by "
            "thinking_budget and solution_budget",
            name,
            "no_price",
        )
    most = amount(asked.limits.max_cost)
    said = f"{name}={spelled(most)}"

    def fits(budget: Budget) -> bool:
        cost = most_cost(replace(plan, budget=budget), asked, backend, prompt, price)
        return cost is not None and cost <= most

    asked_for, reserve = plan.budget, backend.config.reserve
    if fits(asked_for):
        return plan
    shortest = Budget(0, reserve if asked_for.solution is None else min(reserve, asked_for.solution))
    if not fits(shortest):
        least = most_cost(replace(plan, budget=shortest), asked, backend, prompt, price)
        raise _infeasible(name, said, least)
    room = MOST_TOKENS if backend.engine.context is None else backend.engine.context
    thinking = _largest(lambda t: fits(Budget(t, shortest.solution)), asked_for.thinking, room)
    solution = _largest(lambda s: fits(Budget(thinking, s)), asked_for.solution, room)
    parts = {"thinking": (thinking, asked_for.thinking), "solution": (solution, asked_for.solution)}
    cut = frozenset(part for part, (now, before) in parts.items() if now != before)
    sources = dict.fromkeys(cut, said)
    return replace(plan, budget=Budget(thinking, solution), sources={**plan.sources, **sources}, by_money=cut)


def _largest(fits: Callable[[int], bool], asked_for: int | None, room: int) -> int:
    """The largest number up to both that fits, where every smaller one does too; 0 fits."""
    most = room if asked_for is None else min(asked_for, room)
    return bisect_left(range(1, most + 1), True, key=lambda number: not fits(number))


def _infeasible(name: str, said: str, least: int | None) -> ApiError:
    if least is None:
        return bad_request(
            f"{said}: nothing bounds the tokens of such a request, so that nothing bounds its cost; "
            "leave tools out, or choose a strategy that keeps a budget",
            name,
            "cost_infeasible",
        )
    return ApiError(
        400,
        f"{said}: the shortest answer to this prompt may cost {spelled(least)}; allow as much, or shorten the prompt",
        code="cost_infeasible",
        param=name,
        details={"least_cost": as_number(least)},
    )
