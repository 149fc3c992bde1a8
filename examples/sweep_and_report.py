"""Accuracy over budgets, and a page of traces, from Python."""

import tempfile
from pathlib import Path

from elastic_reasoning.analysis.metrics import summarise
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.records.log import read_records
from elastic_reasoning.report.report import write_report

folder = Path(tempfile.mkdtemp())
sweep(SweepConfig(strategies=("elastic", "vanilla"), budgets=("8+20", "24+20", "64+20"), limit=32, out=str(folder)))
for row in summarise(read_records(folder)[1]):
    print(f"{row.model:8} {row.strategy:8} {row.budget:6} {row.accuracy:.3f} ± {row.accuracy_se:.3f}")
print(write_report(folder, folder / "report")["page"])
