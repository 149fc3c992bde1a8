import json
from pathlib import Path

import engine_tables
import processor_step as script
import pytest
import torch
from engine_tables import processor_step as block

SIDES = ["tables", "rows", "logits pass"]


def test_a_quick_measurement_has_all_sides_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = script.RESULTS.read_bytes() if script.RESULTS.exists() else None
    script.main(["--quick"])
    shown = capsys.readouterr().out
    assert all(side in shown for side in SIDES)
    assert (script.RESULTS.read_bytes() if script.RESULTS.exists() else None) == before


def test_both_sides_force_the_same_ids() -> None:
    model = script.template(500)
    ids = torch.tensor(script.emitted(model, 6, 70), dtype=torch.int32)
    tables, rows = (torch.zeros(6, 500) for _ in range(2))
    made = script.automata(model, 6, 70)
    steps = script.tables(made, model, ids, tables, by_kernel=False), script.rows(model, ids, rows)
    for number in range(70):
        for logits, step in zip((tables, rows), steps, strict=True):
            logits.zero_()
            step(number)
        assert torch.equal(tables.softmax(-1), rows.softmax(-1)), number


@pytest.fixture(autouse=True)
def nothing_was_measured_on_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_tables, "RESULTS", tmp_path)


def test_the_table_says_what_was_not_measured() -> None:
    source = {"date": "2026-01-02T03:04", "machine": {"processor": "x", "cores": 2, "threads": 1}}
    versions = {"versions": {"python": "3", "torch": "2", "transformers": "5"}}
    found = {**source, **versions, "card": None, "num_rows": 2, "num_ids": 5000}
    spent = {"tables": {"cpu": 60.0}, "rows": {"cpu": 1200.0}}
    table = block({"cpu": {**found, "microseconds": spent}})
    assert "| CPU | rows | 1,200 | – |  |" in table
    assert "not measured on a GPU yet" in table
    on_gpu = {**found, "card": "H", "microseconds": {"tables": {"cpu": 50.0, "gpu": 40.0}}}
    assert "| H | tables | 50 | 40 | ≤ 60 each |" in block({"cuda": on_gpu})
    assert "not measured" not in block({"cuda": on_gpu})
    missed = {**found, "card": "H", "microseconds": {"tables": {"cpu": 61.0, "gpu": 40.0}}}
    assert "| H | tables | 61 | 40 | ≤ 60 each (**missed**) |" in block({"cuda": missed})


def test_a_side_that_fails_leaves_the_others_their_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> script.Step:
        raise RuntimeError("no kernel")

    monkeypatch.setattr(script, "tables", fail)
    out = tmp_path / "found.json"
    assert script.main(["--quick", "--out", str(out)]) == 1
    report = json.loads(out.read_text())
    assert report["cpu"]["microseconds"]["tables"] == {"error": "RuntimeError: no kernel"}
    assert report["cpu"]["microseconds"]["rows"]["cpu"] > 0
    assert "| failed: RuntimeError: no kernel |" in block(report)
    capsys.readouterr()
