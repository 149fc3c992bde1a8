"""Budgets in verl's reinforcement learning: an agent loop, rewards, and what its log says of them.

    actor_rollout_ref.rollout.agent.default_agent_loop=elastic
    actor_rollout_ref.rollout.agent.agent_loop_config_path=loops.yaml

Rollouts are made by `agent_loop`, rewarded by `reward`, and their measures reach the log through `metrics`; each is
named in verl's own configuration, and nothing of verl is patched.
"""
