"""A server that is killed in the middle of a sweep: no sample is lost, none is doubled."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from elastic_reasoning.records.log import read_records
from real_servers.serving import Served

pytestmark = [pytest.mark.timeout(1800)]

NUM = 2 * 40 * 2


def sweep(server: Served, out: Path, retry_seconds: float) -> "subprocess.Popen[str]":
    """80 problems in two samples under one budget."""
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "sweep", f"--out={out}", "--engine=openai"]
    command += [f"--server.base_urls={server.url}", "--server.tokenizer=mini", "--server.concurrency=4"]
    command += [f"--server.retry_seconds={retry_seconds}", f"--models={server.model}", "--strategies=elastic"]
    command += ["--budgets=8+8,64+12", "--limit=40", "--samples=2"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_records(out: Path, num: int, running: "subprocess.Popen[str]") -> int:
    """How many there are, once there are so many."""
    while (found := sum(len(file.read_bytes().splitlines()) for file in out.glob("records/*.jsonl"))) < num:
        assert running.poll() is None, running.communicate()
        time.sleep(0.01)
    return found


def check_records(out: Path) -> None:
    _, records = read_records(out)
    keys = Counter(record.key for record in records)
    assert (len(records), len(keys), max(keys.values())) == (NUM, NUM, 1)
    assert not [record.error for record in records if record.error]


@pytest.mark.parametrize("comes_back", ["while the sweep waits", "before the next sweep"])
def test_a_sweep_goes_on(mini: Served, tmp_path: Path, comes_back: str, seen: Callable[[str], None]) -> None:
    waits = comes_back == "while the sweep waits"
    running = sweep(mini, tmp_path / "sweep", 300 if waits else 0)
    try:
        before = wait_for_records(tmp_path / "sweep", 20, running)
        mini.end(signal.SIGKILL)
        if not waits:
            said, _ = running.communicate(timeout=600)
            assert running.returncode == 2, said
            assert "does not answer" in said
        mini.launch()
        mini.wait()
        if not waits:
            running = sweep(mini, tmp_path / "sweep", 300)
        said, _ = running.communicate(timeout=600)
    finally:
        running.kill()
    assert running.returncode == 0, said
    check_records(tmp_path / "sweep")
    seen(f"killed after {before} of {NUM} samples: none lost, none doubled")
