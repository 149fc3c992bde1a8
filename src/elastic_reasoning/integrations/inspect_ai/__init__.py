"""inspect_ai under a budget: a provider of models, our tasks, sweeps over budgets, and our records in its viewer."""
