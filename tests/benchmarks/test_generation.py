import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "generation.py"


def test_every_figure_of_both_models_is_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("benchmark_generation", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    out = tmp_path / "figures.json"
    script.main(["--quick", "--out", str(out)])
    printed = " ".join(capsys.readouterr().out.split())
    for figure in script.TARGETS:
        assert printed.count(f"│ {figure} │") == 2
    assert len(json.loads(out.read_text())["figures"]) == 2 * len(script.TARGETS)
