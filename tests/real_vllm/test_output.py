"""What a command prints may be read by a program: vLLM's own messages go elsewhere."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("vllm", reason="vllm is not installed: scripts/setup_vllm.sh")


@pytest.mark.full
def test_json_is_all_that_is_printed() -> None:
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "plan", "sweep", "--json", "--measure=2"]
    command += ["--models=mini", "--strategies=elastic", "--budgets=8+8", "--limit=4", "--engine=vllm"]
    command += ["--dtype=float32", "--vllm.max_model_len=512", '--vllm.args={"enforce_eager": true}']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["seconds"] > 0
    assert "WARNING" in done.stderr
