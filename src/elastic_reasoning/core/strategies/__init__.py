"""How a budget is spent: one file a method, each a generator of calls with everything that others need to know of it.

find_strategy("s1").bounds        # "total"
STRATEGIES["patient"] = Strategy(run=patient, about="looks twice")

To add a method from the literature, write one more file and enter its strategy here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Calls
from elastic_reasoning.core.errors import StrategyError, unknown
from elastic_reasoning.core.request import Value
from elastic_reasoning.core.strategies.allocated import ALLOCATED
from elastic_reasoning.core.strategies.allocated import NAME as ALLOCATED_NAME
from elastic_reasoning.core.strategies.alpha_one import ALPHA_ONE
from elastic_reasoning.core.strategies.deepconf import DEEPCONF
from elastic_reasoning.core.strategies.deer import DEER
from elastic_reasoning.core.strategies.dynasor import DYNASOR
from elastic_reasoning.core.strategies.elastic import ELASTIC
from elastic_reasoning.core.strategies.l1 import L1_EXACT, L1_MAX
from elastic_reasoning.core.strategies.nothinking import NOTHINKING
from elastic_reasoning.core.strategies.nowait import NOWAIT
from elastic_reasoning.core.strategies.reminders import REMINDERS
from elastic_reasoning.core.strategies.s1 import S1
from elastic_reasoning.core.strategies.short_m import SHORT_M
from elastic_reasoning.core.strategies.strategy import Bounds as Bounds
from elastic_reasoning.core.strategies.strategy import Strategy as Strategy
from elastic_reasoning.core.strategies.unconstrained import UNCONSTRAINED
from elastic_reasoning.core.strategies.vanilla import VANILLA
from elastic_reasoning.core.strategies.vote import VOTE
from elastic_reasoning.core.template import Prompt, Template

STRATEGIES = {
    "elastic": ELASTIC,
    "nothinking": NOTHINKING,
    "vanilla": VANILLA,
    "s1": S1,
    "l1-exact": L1_EXACT,
    "l1-max": L1_MAX,
    "unconstrained": UNCONSTRAINED,
    "dynasor": DYNASOR,
    "deer": DEER,
    "nowait": NOWAIT,
    "reminders": REMINDERS,
    "alpha-one": ALPHA_ONE,
    "vote": VOTE,
    "short-m": SHORT_M,
    "deepconf": DEEPCONF,
    ALLOCATED_NAME: ALLOCATED,
}
BUILT_IN = frozenset(STRATEGIES)
"""Those that come with the package; others may be entered later."""
COMPARED = ("elastic", "vanilla", "s1", "unconstrained")
"""What a sweep compares where it is not told."""


def find_strategy(name: str, options: Mapping[str, Value] | None = None) -> Strategy:
    """The strategy of that name.

    Raises:
        StrategyError: no such strategy, or one of the options set means nothing to it.
    """
    if name not in STRATEGIES:
        raise StrategyError(f"{unknown('strategy', name, STRATEGIES)}; one of your own is given as my.py:{name}")
    if options is not None:
        check_options(options, [name])
    return STRATEGIES[name]


def names_of(has: Callable[[Strategy], object]) -> list[str]:
    """The names of the strategies of which something is true."""
    return [name for name, strategy in STRATEGIES.items() if has(strategy)]


def known_options() -> dict[str, list[str]]:
    """Everything that strategies can be told, each with the names of those that it means something to."""
    found: dict[str, list[str]] = {}
    for name, strategy in STRATEGIES.items():
        for option in strategy.supported_options:
            found.setdefault(option, []).append(name)
    return found


def check_options(options: Mapping[str, Value], names: Sequence[str]) -> None:
    """Refuse an option that means nothing to any of these strategies, or a value that is not of its kind.

    Raises:
        StrategyError: with the strategies to which it does mean something, or with the nearest name that is known.
    """
    strategies = [find_strategy(name) for name in names]
    for option, value in options.items():
        if not any(option in strategy.supported_options for strategy in strategies):
            known = known_options()
            if option not in known:
                raise StrategyError(unknown("option", option, known))
            to, having = " or ".join(map(repr, dict.fromkeys(names))), ", ".join(known[option])
            raise StrategyError(f"{option}={value!r} means nothing to strategy {to}: leave it out, or use {having}")
    for strategy in strategies:
        strategy.restrict(options)


def typed_options(given: Mapping[str, Value]) -> dict[str, Value]:
    """Known options, each as the strategy takes it that declares it first.

    Raises:
        StrategyError: a value is not of its kind.
    """
    known = known_options()
    return {name: getattr(STRATEGIES[known[name][0]].read({name: value}), name) for name, value in given.items()}


def facts_of(name: str) -> Strategy:
    """What is known of a strategy, for whoever reads records; of one that is not known here nothing is claimed."""
    return STRATEGIES.get(name, UNKNOWN)


def label_of(name: str) -> str:
    """What tables and figures call a strategy."""
    return facts_of(name).label or name


def remember(name: str, label: str, about: str, bounds: Bounds) -> None:
    """Let tables and figures know a strategy that records are of and whose file is not at hand; it cannot be run."""
    STRATEGIES.setdefault(name, replace(UNKNOWN, label=label, about=about, bounds=bounds))


def effective(name: str, budget: Budget) -> tuple[Budget, Bounds]:
    """The part of a budget that makes a difference to a strategy, and what that bounds."""
    strategy = facts_of(name)
    return strategy.effective_budget(budget), strategy.bounds


def _not_here(prompt: Prompt, budget: Budget, template: Template, options: Any, context: int | None) -> Calls:
    raise StrategyError("the strategy is not known here")


UNKNOWN = Strategy(run=_not_here)
