"""The rank that samples, with no others: all that goes between ranks goes to nobody, by the devices' own ways."""

from contextlib import closing

import pytest
import torch.distributed as dist

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.engines.local.parallel.ranks import Spread, as_rank
from elastic_reasoning.engines.local.parallel.workers import Workers
from kernel_marks import ON_GPU
from letters import letters
from tiny import build, mixed_requests


def spread_engine(device: str = "cpu") -> TransformersEngine:
    spread = Spread("tiny", "float32", device, 1, 8, trusts_code=False)
    workers = Workers(spread)
    with as_rank(0):
        workers.join()
    return TransformersEngine(build("llama").to(device), None, letters(), 8, workers=workers)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=ON_GPU)])
def test_traces_are_those_of_no_ranks_at_all(device: str) -> None:
    requests = mixed_requests(16)
    with closing(spread_engine(device)) as engine:
        found = {trace.request.name: trace.ids for trace in generate(engine, requests)}
    with closing(TransformersEngine(engine.model, None, letters(), 8, graphs=False)) as engine:
        assert found == {trace.request.name: trace.ids for trace in generate(engine, requests)}


def test_buffers_that_a_model_changes_itself_are_no_change_of_its_share() -> None:
    """As some rotary embeddings do behind a prompt that is long."""
    with closing(spread_engine()) as engine:
        rotary = engine.model.model.rotary_emb
        rotary.register_buffer("inv_freq", rotary.inv_freq.clone(), persistent=False)
        engine.model.requires_grad_(False)
        assert len(list(generate(engine, mixed_requests(2)))) == 2


def test_meetings_that_failed_before_are_not_counted() -> None:
    world = dist.distributed_c10d._world
    world.group_count = 7
    with closing(spread_engine()):
        assert world.group_count == 1


def test_a_share_that_is_changed_alone_is_refused() -> None:
    with closing(spread_engine()) as engine:
        assert len(list(generate(engine, mixed_requests(2)))) == 2
        weight = engine.model.model.layers[1].mlp.down_proj.weight
        weight.data = -weight.data
        with pytest.raises(EngineError, match="this share alone was changed: load it again"):
            list(generate(engine, mixed_requests(2)))
