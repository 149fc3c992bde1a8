"""Every way to spend a budget is exact on vLLM, and thinks what the transformers engine thinks."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")

from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.loading import load
from real_vllm.same import compare
from real_vllm.serving import Start, in_process
from ways import ALONE, WAYS, did_something, faults_of, requests_of

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

Seen = Callable[[str], None]
sizes = pytest.mark.parametrize("num", [4, pytest.param(100, marks=pytest.mark.full)])


@pytest.fixture(scope="module")
def inside() -> Iterator[Any]:
    with in_process("mini") as engine:
        yield engine


def exact(engine: Any, way: str, num: int, seen: Seen) -> None:
    traces = list(generate(engine, requests_of(engine, way, num)))
    wrong = [f"{trace.request.name}: {fault}" for trace in traces for fault in faults_of(trace, engine.context)]
    assert not wrong, "\n".join(wrong[:10])
    num_done = did_something(way, traces)
    assert num_done
    seen(f"{len(traces)} traces, none wrong, {num_done} in which {way} does what no other way does")


@sizes
@pytest.mark.parametrize("way", WAYS)
def test_in_process(inside: Any, way: str, num: int, seen: Seen) -> None:
    exact(inside, way, num, seen)


@sizes
@pytest.mark.parametrize("way", WAYS)
def test_over_http(start: Start, way: str, num: int, seen: Seen) -> None:
    server = start("mini", "--max-num-seqs=32")  # not TIGHT: these requests have seeds
    exact(OpenAIEngine(ServerConfig((server.url,), tokenizer="mini")), way, num, seen)


@sizes
@pytest.mark.parametrize("way", ALONE)
def test_greedy_traces_are_those_of_the_transformers_engine(inside: Any, way: str, num: int, seen: Seen) -> None:
    engine = load("mini")
    requests = requests_of(engine, way, num, temperature=0)
    expected, got = list(generate(engine, requests)), list(generate(inside, requests))
    ties = compare(engine.model, expected, got)
    seen(f"{len(requests)} traces, {len(ties)} ties {ties or ''}")
