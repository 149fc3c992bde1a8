"""One run of verl that the tests share: its own trainer for two steps, with an agent loop for each kind of rollout."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.engines.names import model_path
from elastic_reasoning.tasks.arithmetic import Arithmetic
from real_verl.running import Run, row_of, run_verl

LOOPS: tuple[dict[str, Any], ...] = (
    {"name": "one-pass", "budgets": ["24+20"], "one_pass": True},
    {"name": "calls", "budgets": ["24+20"], "one_pass": False},
    {"name": "random", "plan": "random", "budgets": ["4..32+20"]},
    {"name": "column", "budgets": ["24+20"]},
    {"name": "s1", "strategies": ["s1"], "budgets": ["24+20"], "options": {"answer_tokens": 2}},
    {"name": "l1", "strategies": ["l1-max"], "budgets": ["32+20"], "options": {"max_total": 90}},
    {"name": "vanilla", "strategies": ["vanilla"], "budgets": ["24+20"]},
    {"name": "nothinking", "strategies": ["nothinking"], "budgets": ["0+20"]},
    {"name": "unconstrained", "strategies": ["unconstrained"], "budgets": ["inf+inf"]},
)
PER_LOOP, SAMPLES, STEPS, LONGEST = 4, 16, 2, 96
NUM_PROMPTS = PER_LOOP * len(LOOPS) + 2
WRONG = ({"thinking_budget": -3.0}, {"thinking_budget": 500.0})
"""Columns of rows whose rollouts cannot be made."""


@pytest.fixture(scope="session")
def run() -> Iterator[Run]:
    """What came of the trainer: step after step of every kind of rollout, and a greedy validation before them."""
    problems = iter(Arithmetic().problems("train", NUM_PROMPTS))
    rows = [
        row_of(
            next(problems),
            agent_name=loop["name"],
            **({"thinking_budget": 8.0 + n} if loop["name"] == "column" else {}),
        )
        for loop in LOOPS
        for n in range(PER_LOOP)
    ]
    rows += [row_of(next(problems), agent_name="column", **columns) for columns in WRONG]
    greedy = [
        row_of(problem, agent_name=name)
        for name in ("one-pass", "calls", "s1")
        for problem in Arithmetic().problems("validation", 24)
    ]
    settings = {
        "data.train_batch_size": len(rows),
        "data.max_response_length": LONGEST,
        "actor_rollout_ref.rollout.max_model_len": 160,
        "actor_rollout_ref.rollout.n": SAMPLES,
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu": 2 * len(rows),
        "actor_rollout_ref.actor.ppo_mini_batch_size": len(rows),
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": 2 * len(rows),
        "actor_rollout_ref.actor.optim.lr": 1e-4,
        "algorithm.rollout_correction.rollout_is": "token",
        "trainer.total_training_steps": STEPS,
        "trainer.val_before_train": True,
        "trainer.v1.sampler.custom_sampler.path": "pkg://watching",
        "trainer.v1.sampler.custom_sampler.name": "Watching",
    }
    with tempfile.TemporaryDirectory(prefix="v", ignore_cleanup_errors=True) as folder:  # short: it holds Ray's sockets
        yield run_verl(Path(folder), model_path("mini"), rows, LOOPS, settings, greedy)
