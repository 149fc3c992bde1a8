from pathlib import Path

import merge
import sweep_tables


def test_a_small_merge_costs_something_and_is_told(tmp_path: Path) -> None:
    folders = merge.make_two(tmp_path, 600)
    first, again = merge.merge(folders, tmp_path / "out"), merge.merge(folders, tmp_path / "out")
    assert first["cpu_seconds"] > 0 < again["peak_mib"]
    lines = [path.read_bytes().count(b"\n") for path in (tmp_path / "out/records").iterdir()]
    assert lines == [600]
    report = {"date": "2026-01-01", "machine": {"processor": "x", "cores": 2, "threads": 2}}
    rows = [{"num_records": 600, "first": first, "again": again}]
    assert "| 600 |" in sweep_tables.merge({**report, "rows": rows, "versions": {"torch": "1", "transformers": "2"}})
