"""What models, strategies and numbers of tokens are called in tables and figures.

short_names(["org/DeepScaleR-1.5B-Preview"])   # {"org/DeepScaleR-1.5B-Preview": "DeepScaleR-1.5B-Preview"}
compact_budget("3072+1024")                    # 3K+1K
"""

from collections.abc import Iterable
from math import inf
from pathlib import PurePath

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.printable import one_line
from elastic_reasoning.core.strategies import facts_of
from elastic_reasoning.engines.names import THEN

LONGEST = 40
"""Characters of a name in a legend."""


def compact(tokens: float) -> str:
    """A number of tokens for a label: 512, 1K for 1,024 or 1,000, 1.75K for 1,792, 6.8K for 6,825."""
    if tokens < 1000:
        return f"{tokens:.0f}"
    if tokens % 256 == 0:
        return f"{tokens / 1024:g}K"
    return f"{tokens / 1000:.1f}".removesuffix(".0") + "K"


def compact_budget(budget: str) -> str:
    """A budget for a label: 3K+1K, ∞+1K."""
    parsed = Budget.parse(budget)
    return "+".join(part_text(inf if part is None else part) for part in (parsed.thinking, parsed.solution))


def part_text(part: float) -> str:
    """One part of a budget for a label: 0, 512, 1K, ∞."""
    return "∞" if part == inf else compact(part)


def abridged(names: Iterable[str], longest: int = LONGEST) -> dict[str, str]:
    """Each name with its middle left out where it is long; all of it where two would be the same."""
    names = list(dict.fromkeys(names))
    half = (longest - 1) // 2
    short = {name: name if len(name) <= longest else f"{name[:half]}…{name[-half:]}" for name in names}
    return {name: short[name] if list(short.values()).count(short[name]) == 1 else name for name in names}


def about_strategies(names: Iterable[str]) -> dict[str, str]:
    """What each of these strategies does with a budget, in a few words; one that is not known here is left out."""
    about = {name: facts_of(name).about for name in dict.fromkeys(names)}
    return {name: text for name, text in about.items() if text}


def short_names(models: Iterable[str]) -> dict[str, str]:
    """The last part of each model's path or hub name, as one printable line; the whole where two would be the same."""
    models = list(dict.fromkeys(models))
    last = {model: one_line(THEN.join(PurePath(part).name for part in model.split(THEN))) for model in models}
    return {model: last[model] if list(last.values()).count(last[model]) == 1 else one_line(model) for model in models}
