"""One run of verl that the tests share: its own trainer for two steps, with an agent loop for each kind of rollout."""

from collections.abc import Sequence
from typing import Any

import pytest

from elastic_reasoning.engines.names import model_path
from elastic_reasoning.integrations.verl.data import row_of
from elastic_reasoning.tasks.arithmetic import Arithmetic
from elastic_reasoning.tasks.task import Problem
from real_verl.running import Run, run_verl

"""What tests have counted, in the order of their ends."""
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
GREEDY, NUM_GREEDY = ("one-pass", "calls", "s1"), 24
"""Loops that validation goes through, which is greedy; and its problems."""


def rows_of(problems: Sequence[Problem], split: str, columns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Problems as rows of verl's data sets, with further columns; the loop is said twice, as verl keeps one alone."""
    rows = []
    for n, (problem, more) in enumerate(zip(problems, columns, strict=True)):
        row = row_of(problem, "arithmetic", split, n)
        rows.append(row | more | {"extra_info": {**row["extra_info"], "loop": more["agent_name"]}})
    return rows


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What came of the trainer: step after step of every kind of rollout, and a greedy validation before them."""
    problems = Arithmetic().problems("train", NUM_PROMPTS)
    loops = [(loop["name"], n) for loop in LOOPS for n in range(PER_LOOP)]
    columns = [{"agent_name": name, **({"thinking_budget": 8.0 + n} if name == "column" else {})} for name, n in loops]
    columns += [{"agent_name": "column", **wrong} for wrong in WRONG]
    rows = rows_of(problems, "train", columns)
    validation = Arithmetic().problems("validation", NUM_GREEDY)
    greedy = [row for name in GREEDY for row in rows_of(validation, "validation", [{"agent_name": name}] * NUM_GREEDY)]
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
        "trainer.save_freq": 1,
        "actor_rollout_ref.actor.checkpoint.save_contents": "[model,hf_model]",
        "trainer.val_before_train": True,
        "trainer.v1.sampler.custom_sampler.path": "pkg://watching",
        "trainer.v1.sampler.custom_sampler.name": "Watching",
    }
    return run_verl(tmp_path_factory.mktemp("verl"), model_path("mini"), rows, LOOPS, settings, greedy)
