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
from ways import ALONE, WAYS, check_way, requests_of

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

Seen = Callable[[str], None]
sizes = pytest.mark.parametrize("num", [4, pytest.param(100, marks=pytest.mark.full)])


@pytest.fixture(scope="module")
def inside() -> Iterator[Any]:
    with in_process("mini") as engine:
        yield engine


@sizes
@pytest.mark.parametrize("way", WAYS)
def test_in_process(inside: Any, way: str, num: int, seen: Seen) -> None:
    check_way(inside, way, num, seen)


@sizes
@pytest.mark.parametrize("way", WAYS)
def test_over_http(start: Start, way: str, num: int, seen: Seen) -> None:
    server = start("mini", "--max-num-seqs=32")  # not TIGHT: these requests have seeds
    check_way(OpenAIEngine(ServerConfig((server.url,), tokenizer="mini")), way, num, seen)


@sizes
@pytest.mark.parametrize("way", ALONE)
def test_greedy_traces_are_those_of_the_transformers_engine(inside: Any, way: str, num: int, seen: Seen) -> None:
    engine = load("mini")
    requests = requests_of(engine, way, num, temperature=0)
    expected, got = list(generate(engine, requests)), list(generate(inside, requests))
    ties = compare(engine.model, expected, got)
    seen(f"{len(requests)} traces, {len(ties)} ties {ties or ''}")
