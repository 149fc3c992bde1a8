import importlib.util
from pathlib import Path

import pytest

from shared_data import needs_data

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "grading.py"


@needs_data
def test_the_grader_is_measured_on_references_and_recorded_scores(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("benchmark_grading", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    results = script.RESULTS.read_bytes() if script.RESULTS.exists() else None
    arguments = ["--others", "1", "--benchmarks", "aime2024", "--recorded", "aime24", "amc23", "--repeats", "1"]
    status = script.main(arguments)
    printed = capsys.readouterr().out
    assert status in (0, 1)  # throughput decides, which no test may
    assert "100.00%" in printed
    assert "accepted:" not in printed
    assert results == (script.RESULTS.read_bytes() if script.RESULTS.exists() else None)
    item = script.Disagreement("math500/1", "1|2", "", True, False, "who", "why")
    assert "| math500/1 | `1\\|2` | (empty) | right | wrong | why |" in script.markdown([item])
