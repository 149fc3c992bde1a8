"""The rank that samples, with no others: all that goes between ranks goes to nobody, by the devices' own ways."""

from contextlib import closing

import pytest

from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.engines.local.parallel.ranks import Spread, as_rank
from elastic_reasoning.engines.local.parallel.workers import Workers
from kernel_marks import ON_GPU
from letters import letters
from tiny import build, mixed_requests


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=ON_GPU)])
def test_traces_are_those_of_no_ranks_at_all(device: str) -> None:
    model, spread = build("llama").to(device), Spread("tiny", "float32", device, 1, 8, trusts_code=False)
    workers = Workers(spread)
    with as_rank(0):
        workers.join()
    requests = mixed_requests(16)
    with closing(TransformersEngine(model, None, letters(), 8, workers=workers)) as engine:
        found = {trace.request.name: trace.ids for trace in generate(engine, requests)}
    with closing(TransformersEngine(model, None, letters(), 8, graphs=False)) as engine:
        assert found == {trace.request.name: trace.ids for trace in generate(engine, requests)}
