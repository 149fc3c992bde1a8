import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "sharing.py"


def test_sharing_is_compared_with_separate_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("benchmark_sharing", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    out = tmp_path / "sharing.json"
    status = script.main(["--models", "mini", "--limit", "2", "--out", str(out)])
    table = capsys.readouterr().out
    assert status == (1 if "missed" in table else 0)
    assert "of 16" in table
    assert "of 52" in table
    assert not out.exists()
    figure = script.Figure("mini", "all", 1, 4, 0.25, 4, 4, 1.0, True)
    assert json.loads(json.dumps(script.report([figure], 2)))["figures"][0]["ratio"] == 0.25
