"""What the shipped models waste and lack at each budget, and what an oracle would make of the same tokens.

    python benchmarks/yardsticks.py             # the tables, and results/yardsticks.json
    python benchmarks/yardsticks.py --quick     # a smoke test, nothing written

One sweep of separate budgets, four samples a problem, so that the oracle can be measured on samples it has not seen.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch
from provenance import provenance
from rich.console import Console

from elastic_reasoning.analysis.yardsticks import yardsticks
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.records.log import read_records
from elastic_reasoning.report.yardsticks import numbers_of, yardstick_tables

RESULTS = Path(__file__).parent / "results" / "yardsticks.json"
BUDGETS = ("0+20", "8+20", "16+20", "24+20", "32+20", "48+20", "64+20", "96+20", "128+20")
NUM_PROBLEMS, NUM_SAMPLES, FEW = 256, 4, 8


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{FEW} problems, nothing written")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        config = SweepConfig(
            models=("mini", "mini-e1"),
            strategies=("elastic",),
            budgets=BUDGETS,
            limit=FEW if chosen.quick else NUM_PROBLEMS,
            samples=NUM_SAMPLES,
            engine=EngineConfig(device="cpu"),
            out=folder,
        )
        sweep(config)
        found = yardsticks(read_records(Path(folder))[1])
    console = Console(width=120)
    console.print(*yardstick_tables(found, console.width), sep="\n", markup=False)
    if not chosen.quick:
        report = {**provenance(), "num_samples_each": NUM_SAMPLES, "yardsticks": [numbers_of(each) for each in found]}
        chosen.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        console.print(f"written to {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
