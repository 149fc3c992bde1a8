"""Which phase E1 training changed on the miniature, and how its thinking is written.

    python benchmarks/phases.py                # two tables, and results/phases.json; about three minutes
    python benchmarks/phases.py --limit 16     # a smoke test, nothing written

The paper's ablation (Xu et al. 2025, arXiv 2505.05315): one model thinks, the other one writes the solution. Beside
it, how the thoughts of the two models differ, without a limit and at the budget of the training.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from provenance import provenance

from elastic_reasoning.analysis.compare import paired_difference
from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.analysis.reasoning import Change, changes
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.record import Record

RESULTS = Path(__file__).parent / "results" / "phases.json"
BASE, E1 = "mini", "mini-e1"
PAIRS = (f"{BASE}>{E1}", f"{E1}>{BASE}", E1)
BUDGETS = ("8+20", "16+20", "24+20", "32+20", "48+20", "64+20")
TRAINED = "24+20"
NUM_PROBLEMS = 1024


@dataclass(frozen=True)
class Swap:
    """Accuracy of a model or a pair less that of the base alone, paired over the problems."""

    model: str
    budget: str
    accuracy: float
    difference: float
    se: float | None


def records_of(folder: Path, limit: int) -> list[Record]:
    """The base, the trained model and both pairs under budgets, and the two alone without a limit."""
    shared = {"limit": limit, "engine": EngineConfig(device="cpu", max_rows=128)}
    pairs = SweepConfig(
        models=(BASE, *PAIRS), strategies=("elastic",), budgets=BUDGETS, out=str(folder / "p"), **shared
    )
    free = SweepConfig(models=(BASE, E1), strategies=("unconstrained",), out=str(folder / "f"), **shared)
    records = []
    for config in (pairs, free):
        sweep(config)
        records += read_records(Path(config.out))[1]
    return records


def swaps(records: list[Record]) -> list[Swap]:
    found = []
    accuracies = {(row.model, row.budget): row.accuracy for row in summarise(records) if row.strategy == "elastic"}
    for budget in BUDGETS:
        for model in PAIRS:
            gain = paired_difference(records, Setting.of(BASE, "elastic", budget), Setting.of(model, "elastic", budget))
            found.append(Swap(model, budget, accuracies[model, budget] or 0.0, gain.difference, gain.se))
    return found


def changed(records: list[Record], strategy: str, budget: str) -> list[Change]:
    """The measures of the base's thinking and of the trained model's, with their paired differences."""
    a = Setting.of(BASE, strategy, budget)
    b = Setting.of(E1, strategy, budget)
    return changes(records, a, b)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=NUM_PROBLEMS, help="test problems")
    parser.add_argument("--out", type=Path, default=None, help="JSON file; results/phases.json for a full run")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        records = records_of(Path(folder), arguments.limit)
    report = {
        **provenance(),
        "num_problems": arguments.limit,
        "base": {row.budget: row.accuracy for row in summarise(records) if row.model == BASE},
        "swaps": [asdict(swap) for swap in swaps(records)],
        "changes": {
            "unconstrained": [asdict(change) for change in changed(records, "unconstrained", "inf+inf")],
            TRAINED: [asdict(change) for change in changed(records, "elastic", TRAINED)],
        },
    }
    print(json.dumps(report, indent=2))
    if path := arguments.out or (RESULTS if arguments.limit == NUM_PROBLEMS else None):
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
