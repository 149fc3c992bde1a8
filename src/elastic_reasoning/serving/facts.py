"""What a page needs to know of a gateway before it asks anything: GET /v1/elastic/models."""

from collections.abc import Mapping
from functools import cache
from itertools import islice
from typing import Any

from docstring_parser import parse_from_object

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.core.strategies import STRATEGIES
from elastic_reasoning.core.strategies.strategy import Strategy
from elastic_reasoning.engines.names import SHIPPED, parts_of
from elastic_reasoning.serving.backend import Backend
from elastic_reasoning.serving.gateway import Gateway
from elastic_reasoning.serving.prices import Price
from elastic_reasoning.tasks.arithmetic import ANSWER, Arithmetic

NUM_EXAMPLES = 64


def facts_of(gateway: Gateway) -> dict[str, Any]:
    """Its models with their budgets, and the strategies with all that they can be told."""
    return {
        "default_strategy": DEFAULT_STRATEGY,
        "strategies": [_strategy(name, strategy) for name, strategy in STRATEGIES.items()],
        "models": [_model(backend, gateway.config.currency) for backend in gateway.backends.values()],
    }


def _strategy(name: str, strategy: Strategy) -> dict[str, Any]:
    helps = _helps(strategy.options)  # type: ignore[arg-type]
    return {
        "name": name,
        "about": strategy.about,
        "source": strategy.source,
        "bounds": strategy.bounds,
        "thinks": strategy.effective_budget(Budget(1, 1)).thinking != 0,
        "options": [
            {"name": option, "default": default, "help": helps.get(option, "")}
            for option, default in strategy.supported_options.items()
        ],
    }


@cache
def _helps(options: type[Any]) -> Mapping[str, str]:
    """The help of each option: the docstring under its field."""
    fields = parse_from_object(options).params
    return {field.arg_name: " ".join((field.description or "").split()) for field in fields}


def _model(backend: Backend, currency: str) -> dict[str, Any]:
    config = backend.config
    return {
        "id": backend.name,
        "model": config.model or backend.name,
        "context": backend.engine.context,
        "budget": _json(config.default),
        "ceiling": _json(config.most),
        "prices": None if config.price is None else {**_prices(config.price), "currency": currency},
        "examples": _examples() if _is_miniature(backend) else None,
    }


def _json(budget: Budget) -> dict[str, int | None]:
    return {"thinking": budget.thinking, "solution": budget.solution}


def _prices(price: Price) -> dict[str, float]:
    """Of a million tokens."""
    cached = price.input if price.cached is None else price.cached
    return {"input": float(price.input), "cached": float(cached), "output": float(price.output)}


def _is_miniature(backend: Backend) -> bool:
    """Whether it can do nothing but chains of operations."""
    config = backend.config
    return set(parts_of(config.tokenizer or config.model or backend.name)) <= set(SHIPPED)


@cache
def _examples() -> Mapping[str, Any]:
    """Problems that the miniature can solve and was not trained on, and how its answer is read."""
    problems = islice(Arithmetic().problems("test", NUM_EXAMPLES), NUM_EXAMPLES)
    return {
        "answer_pattern": ANSWER.pattern,
        "problems": [{"text": each.messages[0]["content"], "answer": each.answer} for each in problems],
    }
