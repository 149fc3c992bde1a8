"""The check for a GPU, on a processor: that it runs, and what it writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.full
def test_the_path_of_the_check(tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    environment = {**os.environ, "DEVICE": "cpu", "PYTHON": sys.executable}
    done = subprocess.run(
        [ROOT / "scripts/gpu_check.sh", out], env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert {(row["model"], row["num_violations"]) for row in found["exactness"]} >= {("llama", 0), ("mini", 0)}
    assert all(row["num_violations"] == 0 for row in found["exactness"])
    assert found["tests"]["status"] == 0
    assert {row["name"] for row in found["speed"]} >= {"budgeted / unbudgeted", "one length / generate"}


def test_without_a_gpu_it_says_so() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(
        [ROOT / "scripts/gpu_check.sh"], env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 1
    assert "torch finds no GPU" in done.stderr
