import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "startup.py"


def test_import_and_help_are_measured() -> None:
    only = ["--only", "import elastic_reasoning", "elastic --help", "elastic generate --model minni"]
    done = subprocess.run(
        [sys.executable, SCRIPT, "--repeats", "1", *only], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert "elastic --help" in done.stdout
    assert "import elastic_reasoning" in done.stdout
    assert "elastic generate --model minni" in done.stdout
    assert "first token" not in done.stdout
