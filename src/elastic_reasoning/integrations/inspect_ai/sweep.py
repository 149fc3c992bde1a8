"""A sweep over budgets as an eval set of inspect_ai: one task, and one log, for each budget.

    from inspect_ai import eval_set
    tasks = budget_tasks("elastic_reasoning/arithmetic", ["8+20", "24+20", "64+20"], limit=128)
    eval_set(tasks, model=["elastic/mini", "elastic/mini-e1"], log_dir="logs/sweep", max_connections=64)

It goes on where it stopped, as every eval set does. `elastic_reasoning.integrations.inspect_ai.table` reads the logs.
"""

from collections.abc import Iterable
from typing import Any, cast

from inspect_ai import Task, task_with
from inspect_ai.util import registry_create

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.integrations.inspect_ai.tasks import config_of


def budget_tasks(task: str, budgets: Iterable[str | Budget], **arguments: Any) -> list[Task]:
    """A task once for each budget, which every provider with `reasoning_tokens` and `max_tokens` understands.

    Args:
        task: registered with inspect_ai, as elastic_reasoning/arithmetic or inspect_evals/gsm8k.
        budgets: thinking and solution tokens of each, as 24+20.
        arguments: of the task.

    Raises:
        BudgetError: it is no budget.
    """
    return [_under(cast(Task, registry_create("task", task, **arguments)), Budget.parse(budget)) for budget in budgets]


def _under(task: Task, budget: Budget) -> Task:
    metadata = {**(task.metadata or {}), "budget": str(budget)}
    return cast(Task, task_with(task, config=task.config.merge(config_of(budget)), metadata=metadata))
