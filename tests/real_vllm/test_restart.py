"""A server that is killed in the middle of a sweep, and comes back: no sample is lost, none is doubled."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")

from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.loading import load
from elastic_reasoning.records.log import read_records
from real_vllm.same import compare, greedy_requests
from real_vllm.serving import Server

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]


@pytest.mark.full
@pytest.mark.parametrize("mode", ["one-pass", "by-call"])
def test_an_engine_goes_on_with_what_had_no_answer(mini: Server, mode: str) -> None:
    transformers = load("mini")
    engine = OpenAIEngine(ServerConfig((mini.url,), tokenizer="mini", mode=mode, concurrency=16))
    requests = greedy_requests(transformers, 40)
    running = generate(engine, requests)
    traces = [next(running) for _ in range(50)]
    mini.end(signal.SIGKILL)
    mini.launch()
    traces += running
    mini.wait()
    assert len(traces) == len(requests)
    compare(transformers.model, generate(transformers, requests), traces)


def test_a_sweep_goes_on(mini: Server, tmp_path: Path, seen: Callable[[str], None]) -> None:
    out = tmp_path / "sweep"
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "sweep", f"--out={out}", "--engine=openai"]
    command += [f"--server.base_urls={mini.url}", "--server.tokenizer=mini", "--server.concurrency=8"]
    command += [f"--models={mini.model}", "--strategies=elastic", "--budgets=8+8,64+12", "--limit=150", "--samples=2"]
    command += ["--sampling.temperature=0"]
    sweep = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while _num_records(out) < 40 and sweep.poll() is None:
            time.sleep(0.05)
        before = _num_records(out)
        mini.end(signal.SIGKILL)
        mini.launch()
        said, _ = sweep.communicate(timeout=600)
    finally:
        sweep.kill()
        mini.wait()
    assert sweep.returncode == 0, said
    assert 40 <= before < 600
    _, records = read_records(out)
    keys = Counter(record.key for record in records)
    assert (len(records), len(keys), max(keys.values())) == (600, 600, 1)
    assert not [record.error for record in records if record.error]
    seen(f"killed after {before} of 600 samples: none lost, none doubled")


def _num_records(out: Path) -> int:
    return sum(len(file.read_bytes().splitlines()) for file in out.glob("records/*.jsonl"))
