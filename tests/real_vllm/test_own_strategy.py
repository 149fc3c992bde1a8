"""The strategy of the docs' example in vLLM: in this process, and in a server that was told of its file, or was not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")

from elastic_reasoning.core.request import Request, Sampling
from elastic_reasoning.core.strategies import STRATEGIES
from elastic_reasoning.core.wire import to_wire
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.engines.names import model_path
from elastic_reasoning.untrusted.own_strategies import LOADED, VARIABLE
from real_vllm.serving import in_process, serving

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

PATIENT = f"{Path(__file__).parents[2] / 'examples' / 'own_strategy.py'}:patient"
QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    LOADED.pop("patient", None)
    STRATEGIES.pop("patient", None)


def local() -> tuple[Request, tuple[int, ...]]:
    """A greedy request, and the ids that the local engine makes of it."""
    engine = load("mini", max_rows=1)
    request = new_request(engine, QUESTION, "12+6", PATIENT, {"looks": 2}, Sampling(temperature=0))
    (trace,) = generate(engine, [request])
    engine.close()
    return request, trace.ids


def test_the_engine_in_process_keeps_it_in_one_pass() -> None:
    request, ids = local()
    with in_process("mini", gpu_memory_utilization=0.1) as engine:
        (trace,) = generate(engine, [request])
    assert trace.error is None
    assert trace.ids == ids
    assert trace.num_forced_tokens > 1


@pytest.mark.parametrize("told", ["variable", "argument", "not"])
def test_a_server_keeps_it_if_it_was_told(told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request, ids = local()
    arguments = ["--gpu-memory-utilization=0.1", "--max-model-len=512"]
    if told == "variable":
        monkeypatch.setenv(VARIABLE, PATIENT)
    if told == "argument":
        arguments.append(f'--additional-config={{"elastic_reasoning": {{"strategies": ["{PATIENT}"]}}}}')
    body = {"prompt": list(request.prompt.ids), "max_tokens": 64, "temperature": 0, "vllm_xargs": to_wire(request)}
    with serving(model_path("mini"), tmp_path / "log", *arguments) as server:
        status, answer = server.post(body)
    if told == "not":
        assert status == 400
        assert f"{VARIABLE}=my.py:patient" in answer["error"]["message"]
    else:
        assert status == 200, answer
        assert tuple(answer["choices"][0]["token_ids"][: len(ids)]) == ids
