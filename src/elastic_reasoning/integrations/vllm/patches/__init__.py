"""Where vLLM has no hook for what a budget needs: its own functions, wrapped.

vLLM calls `patch` in each of its processes when it starts (entry point `vllm.general_plugins`), more than once in some.
A request without a budget takes the path that it had.
"""

from elastic_reasoning.integrations.vllm.patches.arrivals import note_deadlines
from elastic_reasoning.integrations.vllm.patches.grammar import let_budgets_end
from elastic_reasoning.integrations.vllm.patches.protocol import take_budgets
from elastic_reasoning.integrations.vllm.patches.stops import stop_in_solutions
from elastic_reasoning.untrusted.own_strategies import named_in_environment, strategy_names


def patch() -> None:
    """Make all of them, each once, and learn of the strategies that the environment names."""
    strategy_names(named_in_environment())
    let_budgets_end()
    stop_in_solutions()
    note_deadlines()
    take_budgets()
