"""Learning: rollouts under a budget, rewards, GRPO. The only place that imports trl."""
