"""Every way to spend a budget is exact on llama.cpp and SGLang, as far as they give what it needs."""

from collections.abc import Callable

import pytest

from elastic_reasoning.engines.engine import generate
from real_servers.serving import Start
from ways import WAYS, did_something, faults_of, requests_of

pytestmark = [pytest.mark.timeout(1800)]

Seen = Callable[[str], None]


@pytest.mark.parametrize("num", [2, pytest.param(50, marks=pytest.mark.full)])
@pytest.mark.parametrize("way", WAYS)
def test_a_way_is_exact(start: Start, way: str, num: int, seen: Seen) -> None:
    engine = start("mini").engine()
    traces = list(generate(engine, requests_of(engine, way, num)))
    wrong = [f"{trace.request.name}: {fault}" for trace in traces for fault in faults_of(trace, engine.context)]
    assert not wrong, "\n".join(wrong[:10])
    num_done = did_something(way, traces)
    assert num_done
    seen(f"{len(traces)} traces, none wrong, {num_done} in which {way} does what no other way does")
