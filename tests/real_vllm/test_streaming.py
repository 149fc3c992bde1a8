"""Tokens as they come from real vLLM, over HTTP and in this process, and deadlines."""

from typing import Any

import pytest

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")

from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.loading import load
from real_vllm.deadlines import check_deadlines, listened
from real_vllm.same import compare, greedy_requests
from real_vllm.serving import Server, in_process
from real_vllm.test_same_traces import Seen

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]
NUM_CLOSED = 9


def check(engine: Any, seen: Seen) -> None:
    local = load("mini")
    requests = greedy_requests(local, 10)
    ties = compare(local.model, list(generate(local, requests)), listened(engine, requests))
    num_tries = check_deadlines(engine, NUM_CLOSED)
    seen(f"{len(requests)} streamed traces, {len(ties)} ties {ties or ''}; {NUM_CLOSED} of {num_tries} closed by time")


@pytest.mark.parametrize("mode", ["one-pass", "by-call"])
def test_over_http(mini: Server, mode: str, seen: Seen) -> None:
    engine = OpenAIEngine(ServerConfig((mini.url,), tokenizer="mini", mode=mode))
    check(engine, seen)
    engine.close()


def test_in_process(seen: Seen) -> None:
    with in_process("mini") as engine:
        check(engine, seen)
