"""Greedy decoding gives the traces of the transformers engine, token for token."""

from collections.abc import Callable
from typing import Any

import pytest

from elastic_reasoning.core.request import Request
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.loading import load
from real_servers.serving import Start
from real_vllm.same import compare, greedy_requests, largest_gap

pytestmark = [pytest.mark.timeout(1800)]

STRATEGIES = ("elastic", "vanilla", "s1", "nothinking")
Seen = Callable[[str], None]

sizes = pytest.mark.parametrize("num", [12, pytest.param(100, marks=pytest.mark.full)])


def agree(engine: Any, server: Any, requests: list[Request], seen: Seen) -> list[Trace]:
    expected, got = list(generate(engine, requests)), list(generate(server, requests))
    ties = compare(engine.model, expected, got)
    known = [trace for trace in got if trace.logprobs is not None]
    gap = f"log-probabilities within {largest_gap(expected, got):.0e}" if known else "no log-probabilities"
    seen(f"{len(requests)} traces, {gap}, {len(ties)} ties {ties or ''}")
    return got


@sizes
@pytest.mark.parametrize("model", ["mini", "mini-e1"])
def test_in_ids(start: Start, model: str, num: int, seen: Seen) -> None:
    engine, server = load(model), start(model).engine()
    assert not server.counted
    traces = agree(engine, server, greedy_requests(engine, num, strategies=STRATEGIES), seen)
    assert all(trace.logprobs is not None for trace in traces)
