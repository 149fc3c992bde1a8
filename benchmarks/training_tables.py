"""Tables of training and of the rollouts for it, for `readme.py`."""

from statistics import median
from typing import Any

from cells import RESULTS, measured

SAME_PROBS = 1e-3
"""Under which two engines are said to give a token the same probability."""


def training(report: dict[str, Any]) -> str:
    """The tables as `training.py` printed them."""
    return (RESULTS / "training.md").read_text(encoding="utf-8").strip()


def step_time(report: dict[str, Any]) -> str:
    lines = ["| part of a step | seconds | share |", "|---|---|---|"]
    lines += [f"| {part} | {report['seconds'][part]:.3f} | {share:.1%} |" for part, share in report["shares"].items()]
    missed = "" if report["overhead"] <= report["most"] else " (**missed**)"
    outside = f"Outside generation, loss and optimiser: {report['overhead']:.1%} of a step of `recipes/mini-e1.yaml`"
    wanted = f"at most {report['most']:.0%} were wanted{missed}"
    return "\n".join([*lines, "", f"{outside}; {wanted}. Medians of {report['num_steps']} steps. {measured(report)}."])


def vllm_rollouts(report: dict[str, Any]) -> str:
    plain = median(report["processor_seconds"]["plain"])
    lines = ["| 256 rollouts on a colocated vLLM | processor seconds | over plain |", "|---|---|---|"]
    for name, values in report["processor_seconds"].items():
        ratio = "" if name == "weight sync" else f"{median(values) / plain:.2f}"
        lines.append(f"| {name} | {median(values):.3f} | {ratio} |")
    made = f"vLLM {report['vllm']}, TRL {report['trl']}, {report['budgets']}"
    return "\n".join([*lines, "", f"Medians of {len(values)} interleaved repeats; {made}. {measured(report)}."])


def verl_rollouts(report: dict[str, Any]) -> str:
    lines = [
        f"| {report['rollouts']} rollouts at {report['budget']} | processor µs a token | over plain |",
        "|---|---|---|",
    ]
    for side, values in report["microseconds_per_token"].items():
        ratio = f"{report['of_plain'][side]:.2f}" if side in report["of_plain"] else ""
        lines.append(f"| {side} | {median(values):.0f} | {ratio} |")
    made = f"verl {report['verl']}, vLLM {report['vllm']}"
    return "\n".join([*lines, "", f"Medians of {len(values)} batches of each, by turns; {made}. {measured(report)}."])


def verl_training(report: dict[str, Any]) -> str:
    budgets = list(report["verl_less_twin"])
    lines = [f"| right answers, % | {' | '.join(budgets)} |", "|---" * (len(budgets) + 1) + "|"]
    names = {"mini": "before training", "mini-e1": "E1 by TRL", "verl": "**E1 by verl**"}
    for name, title in names.items():
        cells = [f"{100 * report['accuracy'][name][budget]:.1f}" for budget in budgets]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    differences = [report["verl_less_twin"][budget] for budget in budgets]
    cells = [f"{100 * each['difference']:+.1f} ± {100 * each['se']:.1f}" for each in differences]
    lines.append(f"| verl less TRL | {' | '.join(cells)} |")
    made = (
        f"{report['num_problems']} test problems, one training each, at {report['budget']}; ± one standard error over "
        f"problems. {report['steps']} steps of verl {report['verl']} took {report['seconds_of_steps']:,} s and "
        f"{report['sampled_tokens']:,} sampled tokens"
    )
    num_same = sum(most < SAME_PROBS for most in report["probs_diff"])
    same = (
        f"In {num_same} of the steps vLLM and the trainer differed in no token's probability by {SAME_PROBS} or more, "
        f"in the others by up to {max(report['probs_diff']):.2g}"
    )
    return "\n".join([*lines, "", f"{made}. {same}. {measured(report)}."])
