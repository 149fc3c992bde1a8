"""Where the thinking budget t has no effect, because the prompt closes thinking before the model's first token.

void_settings(settings(config), prompt)        # "elastic 8+20, 24+20" are one setting, whatever t says
"""

from collections import defaultdict
from collections.abc import Iterable

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Options
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Prompt, Thinking


def void_settings(settings: Iterable[tuple[str, Budget, Options]], prompt: Prompt) -> str:
    """Settings that differ in nothing but a t without effect, in words; empty where there are none.

    Args:
        settings: strategy, budget and options of each.
        prompt: one of those that they are measured on.
    """
    if prompt.thinking is not Thinking.CLOSED:
        return ""
    alike: dict[tuple[str, Budget], list[str]] = defaultdict(list)
    for strategy, budget, _ in settings:
        when_closed = find_strategy(strategy).when_closed
        if when_closed is not None:
            alike[strategy, when_closed(budget)].append(str(budget))
    groups = [f"{strategy} {', '.join(budgets)}" for (strategy, _), budgets in alike.items() if len(budgets) > 1]
    if not groups:
        return ""
    return f"t HAS NO EFFECT on these prompts, which close thinking: {' and '.join(groups)} are each one setting"
