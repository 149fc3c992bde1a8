"""What exact budgets cost on real vLLM, on a CPU, beside what others do for the same tokens, in one run.

    python benchmarks/vllm_throughput.py                          # a table, and results/vllm_throughput.json
    python benchmarks/vllm_throughput.py --prompts 8 --repeats 1  # a smoke test, nothing written

The model is a small random Qwen3 that never samples a delimiter or an end of sequence: every request thinks to its
limit, and all sides make the same number of tokens, which is checked. A step of such a model costs next to nothing,
so that what a budget adds to it weighs as much as it ever will. Sides take turns within each repeat, in another
order each time, and a ratio is the median over the repeats of the ratios within one.

Offline, vLLM is in this process, on one thread, and what is measured is CPU time, which other processes disturb
little; over HTTP it is time on the clock. A ratio of two runs still moves by some hundredths, so that the time is told
too that was spent in the plug-in's own functions, as its share of the same run.

    plug-in / unbudgeted                  requests with `extra_args`, and as many tokens without a budget
    loop breaker, landing / plug-in       the plug-in that looks for loops every 8 tokens and lands over the last 8
    plug-in / native budget               vLLM's own `thinking_token_budget`, which has no budget for the solution
    plug-in / two phases                  all thinking, the delimiter appended, all solutions, and everything computed
                                          again for these, as the published E1 code does
    plug-in / two phases, prefix cache    the same where the prefix cache spares the second phase the first one
    HTTP, one pass / two calls            `OpenAIEngine` both times: thinking, then the solution, each for itself
    HTTP, one pass / two calls, prefix cache    the same with blocks short enough to be found again
    HTTP, one pass / unbudgeted           and as many tokens in one call
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
import vllm
from budget_load import write_model
from provenance import provenance
from rich.console import Console
from turns import Figure, measure, show
from vllm_sides import UNBUDGETED, OwnTime, offline, over_http

RESULTS = Path(__file__).parent / "results" / "vllm_throughput.json"
FIGURES: dict[str, tuple[str, str]] = {
    "plug-in / unbudgeted": ("plug-in", "unbudgeted"),
    "loop breaker, landing / plug-in": ("loop breaker, landing", "plug-in"),
    "plug-in / native budget": ("plug-in", "native budget"),
    "plug-in / two phases": ("plug-in", "two phases"),
    "plug-in / two phases, prefix cache": ("plug-in", "two phases, prefix cache"),
    "HTTP, one pass / two calls": ("one pass", "two calls"),
    "HTTP, one pass / two calls, prefix cache": ("one pass, prefix cache", "two calls, prefix cache"),
    "HTTP, one pass / unbudgeted": ("one pass", "one call"),
}
TARGETS = {
    ("mixed", "plug-in / unbudgeted"): 0.97,
    ("mixed", "loop breaker, landing / plug-in"): 0.95,
    ("mixed", "plug-in / native budget"): 1.0,
    ("mixed", "plug-in / two phases"): 1.15,
    ("mixed", "HTTP, one pass / two calls"): 1.3,
    ("mixed", "HTTP, one pass / unbudgeted"): 0.95,
    ("fixed", "plug-in / unbudgeted"): 0.97,
    ("fixed", "loop breaker, landing / plug-in"): 0.95,
    ("fixed", "plug-in / native budget"): 1.0,
    ("fixed", "HTTP, one pass / unbudgeted"): 0.95,
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", type=int, default=128, help="with fewer, nothing is written")
    parser.add_argument("--rows", type=int, default=128, help="sequences that run together")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=["offline", "http"], help="one of the two parts; nothing is written")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    cpu_settings()
    quiet, console = Console(stderr=True, highlight=False), Console(width=130)
    load_before = os.getloadavg()[0]
    figures: list[Figure] = []
    own = OwnTime()
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder))
        for part, started, clock in (("offline", offline, time.process_time), ("http", over_http, time.perf_counter)):
            if chosen.only in (None, part):
                with started(folder, chosen.rows) as sides:
                    if "plug-in" in sides:
                        sides["plug-in"] = own.of(sides["plug-in"])
                    figures += measure(
                        sides, FIGURES, TARGETS, clock, chosen.prompts, chosen.repeats, quiet.print, UNBUDGETED
                    )
    show(figures, console)
    own_share = by_thinking(own.shares, chosen.repeats)
    for thinking, share in own_share.items():
        console.print(f"{thinking}: the plug-in's own functions take {share:.1%} of the CPU time")
    if chosen.only is None and chosen.prompts >= parser.get_default("prompts"):
        made = report(figures, chosen.prompts, chosen.rows, chosen.repeats, load_before) | {"own_share": own_share}
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(json.dumps(made, indent=1) + "\n")
        console.print(f"written to {chosen.out}")


def by_thinking(shares: list[float], num_repeats: int) -> dict[str, float]:
    """Their medians; the first of them is of the requests that are slow."""
    of_each = {"mixed": shares[1 : 1 + num_repeats], "fixed": shares[1 + num_repeats :]}
    return {thinking: median(found) for thinking, found in of_each.items() if found}


def cpu_settings() -> None:
    """One thread for the model, so that vLLM's front and the client have a core to themselves."""
    torch.set_num_threads(1)
    for name, value in {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # else what computes is another process, whose CPU time is not seen
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
    }.items():
        os.environ.setdefault(name, value)


def report(
    figures: list[Figure], num_prompts: int, num_rows: int, num_repeats: int, load_before: float
) -> dict[str, Any]:
    made = provenance()
    return {
        **made,
        "versions": {**made["versions"], "vllm": vllm.__version__},
        "num_prompts": num_prompts,
        "num_rows": num_rows,
        "num_repeats": num_repeats,
        "load_before": load_before,
        "figures": [asdict(figure) for figure in figures],
    }


if __name__ == "__main__":
    main()
