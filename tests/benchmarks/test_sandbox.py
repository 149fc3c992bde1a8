import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "sandbox.py"


def test_the_cost_of_a_run_is_measured(tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, "--repeats", "1", "--data", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "one check(candidate)" in done.stdout
    assert "two workers, grades a second" in done.stdout
