"""What budgeted rollouts cost under verl beside plain ones, in processor time for each token.

    .venv-verl/bin/python benchmarks/verl_rollouts.py               # about 10 minutes on two quiet cores
    .venv-verl/bin/python benchmarks/verl_rollouts.py --quick       # a smoke test, nothing written

One run of verl's trainer makes batch after batch, by turns of three kinds: verl's own loop of one turn (plain), ours in
one pass, and ours by calls. Rollouts are as long as a row holds, so that a plain one has about as many tokens. Counted
is what vLLM, its server and the agent loops have spent, which others on the machine do not change; nothing is learnt
meanwhile. Writes results/verl_rollouts.json.
"""

import argparse
import json
import shutil
import statistics
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import verl
import vllm
from provenance import provenance

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from elastic_reasoning.engines.names import model_path
from elastic_reasoning.integrations.verl.data import row_of
from elastic_reasoning.tasks.arithmetic import Arithmetic
from real_verl.running import run_verl

RESULTS = Path(__file__).parent / "results" / "verl_rollouts.json"
SIDES = ("plain", "one pass", "by calls")
PROMPTS, SAMPLES, BUDGET, LENGTH = 16, 16, "24+20", 45
PLAIN = "verl_sides.PlainLoop"
BOTH = (
    {"name": "one pass", "budgets": [BUDGET], "one_pass": True},
    {"name": "by calls", "budgets": [BUDGET], "one_pass": False},
    {"name": "plain", "_target_": PLAIN},
)


def main() -> None:
    """Measure, and print; write where nothing was made smaller."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("runs/verl-rollouts"), help="folder of the run")
    given = parser.parse_args()
    repeats = 1 if given.quick else 10
    folder = given.out.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sides = [SIDES[(batch + batch // 3) % 3] for batch in range(3 * (repeats + 1))]  # none always follows the same
    problems = Arithmetic().problems("train", PROMPTS * len(sides))
    rows = []
    for n, problem in enumerate(problems):
        row, side = row_of(problem, "arithmetic", "train", n), sides[n // PROMPTS]
        rows.append(row | {"agent_name": side, "extra_info": {**row["extra_info"], "side": side}})
    settings = {
        "data.shuffle": False,
        "data.train_batch_size": PROMPTS,
        "data.max_response_length": LENGTH,
        "actor_rollout_ref.rollout.n": SAMPLES,
        "actor_rollout_ref.rollout.max_num_seqs": PROMPTS * SAMPLES,
        "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu": PROMPTS * SAMPLES,
        "actor_rollout_ref.actor.ppo_mini_batch_size": PROMPTS,
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": PROMPTS * SAMPLES,
        "trainer.critic_warmup": 10_000,  # until then nothing is learnt
        "trainer.total_training_steps": len(sides),
        "trainer.v1.sampler.custom_sampler.path": "pkg://verl_sides",
        "trainer.v1.sampler.custom_sampler.name": "Clocked",
        "reward.custom_reward_function.path": str(Path(__file__).parent / "verl_no_reward.py"),
    }
    run_verl(folder, model_path("mini"), rows, BOTH, settings, seconds=3600, paths=[Path(__file__).parent])
    report(folder, write=not given.quick)


def report(folder: Path, write: bool) -> None:
    """Processor time of each batch is what was spent between it and the one before; the first are not counted."""
    lines = [json.loads(line) for line in (folder / "clock.jsonl").read_text().splitlines()]
    spent: dict[str, list[float]] = defaultdict(list)
    parts: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for before, line in list(pairwise(lines))[2:]:
        each = {
            part: 1e6 * (line["seconds"][part] - value) / line["tokens"] for part, value in before["seconds"].items()
        }
        spent[line["side"]].append(sum(each.values()))
        for part, value in each.items():
            parts[line["side"]][part].append(value)
    medians = {side: statistics.median(spent[side]) for side in SIDES}
    ratios = {side: medians[side] / medians["plain"] for side in SIDES[1:]}
    for side in SIDES:
        print(f"{side:9} {medians[side]:8.1f} µs a token  {medians[side] / medians['plain']:5.2f} of plain")
    if write:
        result = {
            **provenance(),
            "verl": verl.__version__,
            "vllm": vllm.__version__,
            "rollouts": PROMPTS * SAMPLES,
            "budget": BUDGET,
            "microseconds_per_token": {side: [round(one, 2) for one in spent[side]] for side in SIDES},
            "by_process": {
                side: {part: round(statistics.median(values), 1) for part, values in parts[side].items()}
                for side in SIDES
            },
            "of_plain": {side: round(ratio, 3) for side, ratio in ratios.items()},
        }
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
