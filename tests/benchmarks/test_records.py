from pathlib import Path

import sweep_tables

import records
from elastic_reasoning.records.log import read_records


def test_a_small_run_costs_something_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    (row,) = records.measure([600], tmp_path)
    assert row["resume"]["result"] == 600
    assert row["table"]["result"] == 17
    assert row["report"]["result"] < 3_500_000
    assert all(row[part]["seconds"] > 0 and row[part]["peak_mib"] > 0 for part in records.PARTS)
    assert {record.key for record in read_records(tmp_path / "600")[1]} == set(records.keys(600))
    report = {"rows": [row], "load": 0.5, "date": "2026-01-01", "machine": {"processor": "x", "cores": 2, "threads": 2}}
    assert "| 600 |" in sweep_tables.records({**report, "versions": {"torch": "1", "transformers": "2"}})
