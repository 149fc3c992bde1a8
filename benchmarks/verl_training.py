"""E1 on the miniature by verl's own trainer, beside the model that TRL has trained by the same recipe.

    .venv-verl/bin/python benchmarks/verl_training.py               # 80 steps, about 20 minutes on two quiet cores
    .venv-verl/bin/python benchmarks/verl_training.py --quick       # 2 steps and 32 problems, nothing written

Prompts, samples, budget, learning rate and loss are those of recipes/mini-e1.yaml, but that the learning rate falls as
a cosine: verl knows no straight line. verl runs as it is, on a CPU that tests/real_verl enters as its platform. Both
models then answer the same test problems with the same draws. Writes results/verl_training.json.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import torch
import verl
import vllm
import yaml
from provenance import provenance

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from elastic_reasoning.analysis.errorbars import paired_means
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.engines.names import model_path
from elastic_reasoning.integrations.verl.data import row_of
from elastic_reasoning.tasks.arithmetic import Arithmetic
from real_verl.running import Run, run_verl

ROOT = Path(__file__).parents[1]
RECIPE = yaml.safe_load((ROOT / "recipes" / "mini-e1.yaml").read_text(encoding="utf-8"))
BUDGETS = ("8+20", "16+20", "24+20", "32+20", "64+20")
AT = "24+20"
TWIN, BASE = "mini-e1", "mini"


def main() -> None:
    """Train, measure and print; write where nothing was made smaller."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("runs/verl-training"), help="folder of the run")
    given = parser.parse_args()
    steps, num_problems = (2, 32) if given.quick else (RECIPE["steps"], 1024)
    out = given.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    started = time.perf_counter()
    run = train(out, steps)
    seconds = time.perf_counter() - started
    torch.set_num_threads(1)
    trained = str(out / "checkpoints" / f"global_step_{steps}" / "actor" / "huggingface")
    right = {name: accuracies(name, num_problems) for name in (BASE, TWIN, trained)}
    report = summarise(run, {name.replace(trained, "verl"): value for name, value in right.items()}, seconds)
    print(json.dumps(report, indent=1))
    if not given.quick:
        (ROOT / "benchmarks" / "results" / "verl_training.json").write_text(json.dumps(report, indent=1) + "\n")


def train(folder: Path, steps: int) -> Run:
    """The recipe under verl."""
    prompts, samples = RECIPE["prompts_per_step"], RECIPE["samples_per_prompt"]
    rows = [row_of(problem, "arithmetic", "train", n) for n, problem in enumerate(Arithmetic().problems("train"))]
    settings = {
        "data.seed": RECIPE["seed"],
        "data.train_batch_size": prompts,
        "actor_rollout_ref.rollout.n": samples,
        "actor_rollout_ref.rollout.temperature": RECIPE["temperature"],
        "actor_rollout_ref.rollout.max_num_seqs": prompts * samples,
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu": RECIPE["micro_batch_size"],
        "actor_rollout_ref.actor.ppo_mini_batch_size": prompts,
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": RECIPE["micro_batch_size"],
        "actor_rollout_ref.actor.optim.lr": RECIPE["learning_rate"],
        "actor_rollout_ref.actor.optim.lr_scheduler_type": "cosine",
        "actor_rollout_ref.actor.optim.min_lr_ratio": 0.0,
        "actor_rollout_ref.actor.optim.weight_decay": 0.0,
        "actor_rollout_ref.actor.checkpoint.save_contents": "[model,hf_model]",
        "trainer.total_training_steps": steps,
        "trainer.save_freq": steps,
    }
    loops = [{"name": "elastic", "strategies": RECIPE["strategies"], "budgets": RECIPE["budgets"]}]
    return run_verl(folder, model_path(RECIPE["model"]), rows, loops, settings, seconds=3 * 3600)


def accuracies(model: str, num_problems: int) -> dict[str, list[float]]:
    """Whether each test problem is answered right `[problems]`, by budget."""
    engine, task = load(model, max_rows=256), Arithmetic()
    problems = {problem.id: problem for problem in task.problems("test", num_problems)}
    requests = [
        new_request(engine, problem.messages, budget, sampling=Sampling(seed=n), name=f"{budget} {problem.id}")
        for budget in BUDGETS
        for n, problem in enumerate(problems.values())
    ]
    found: dict[str, dict[str, float]] = {budget: {} for budget in BUDGETS}
    for trace in generate(engine, requests):
        budget, problem_id = trace.request.name.split()
        found[budget][problem_id] = float(task.grade(problems[problem_id], trace.solution_text).correct)
    return {budget: [right[problem_id] for problem_id in problems] for budget, right in found.items()}


def summarise(run: Run, right: dict[str, dict[str, list[float]]], seconds: float) -> dict[str, Any]:
    """The figures that are published."""
    differences = {}
    for budget in BUDGETS:
        twin, own = ([[value] for value in right[name][budget]] for name in (TWIN, "verl"))
        means = paired_means(twin, own)
        differences[budget] = {"difference": means.difference, "se": means.se}
    log = run.log
    rollouts = RECIPE["prompts_per_step"] * RECIPE["samples_per_prompt"]
    return {
        **provenance(),
        "verl": verl.__version__,
        "vllm": vllm.__version__,
        "steps": len(log),
        "budget": AT,
        "num_problems": len(right[BASE][AT]),
        "accuracy": {
            name: {budget: sum(values) / len(values) for budget, values in by_budget.items()}
            for name, by_budget in right.items()
        },
        "verl_less_twin": differences,
        "sampled_tokens": round(sum(step["elastic/sampled_tokens"] for step in log) * rollouts),
        "seconds": round(seconds),
        "seconds_of_steps": round(sum(step["timing_s/step"] for step in log)),
        "probs_diff": [float(f"{step['training/rollout_probs_diff_max']:.2g}") for step in log],
        "training_accuracy": [round(step["elastic/accuracy"], 4) for step in log],
        "thinking_tokens": [round(step["elastic/thinking_tokens"], 2) for step in log],
    }


if __name__ == "__main__":
    main()
