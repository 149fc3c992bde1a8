"""Two copies of a server, one of which is killed and comes back, asked straight and through `vllm-router`."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pytest

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")

from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.loading import load, model_path
from live_server import LiveServer, free_port, running
from real_vllm.same import compare, greedy_requests
from real_vllm.serving import TIGHT, Server

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

ROUTER = os.environ.get("VLLM_ROUTER", "")
Copies = tuple[Server, Server]


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    with ExitStack() as stack:
        log = tmp_path_factory.mktemp("copies")
        one, two = (Server(model_path("mini"), log / name, *TIGHT) for name in ("one", "two"))
        for server in (one, two):
            stack.callback(server.end)
            server.launch()
        one.wait()
        two.wait()
        yield one, two


@pytest.fixture(scope="module")
def router(copies: Copies, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A router in front of both, which sends what has one session to one of them."""
    if not ROUTER:
        pytest.skip("VLLM_ROUTER does not name a vllm-router: make test-vllm")
    command = [ROUTER, "--host=127.0.0.1", "--port={port}", "--policy=consistent_hash", "--log-level=warning"]
    command += [f"--prometheus-port={free_port()}", "--health-check-interval-secs=1", "--worker-urls"]
    server = LiveServer([*command, *(copy.root for copy in copies)], tmp_path_factory.mktemp("router") / "log", {})
    with running(server):
        yield server.url


def num_asked(copies: Copies) -> list[float]:
    return [copy.metric("vllm:request_success_total") for copy in copies]


@pytest.mark.parametrize("mode", ["one-pass", pytest.param("by-call", marks=pytest.mark.full)])
@pytest.mark.parametrize("through", ["straight", pytest.param("router", marks=pytest.mark.full)])
def test_a_copy_is_killed_and_comes_back(
    mode: str, through: str, copies: Copies, request: pytest.FixtureRequest, seen: Callable[[str], None]
) -> None:
    """What it had begun is asked of the other one, nothing is lost or doubled, and no trace differs."""
    urls = tuple(copy.url for copy in copies) if through == "straight" else (request.getfixturevalue("router"),)
    transformers = load("mini")
    engine = OpenAIEngine(ServerConfig(urls, tokenizer="mini", mode=mode, concurrency=16))
    asked = greedy_requests(transformers, 40)
    before = num_asked(copies)
    arriving = generate(engine, asked)
    traces = [next(arriving) for _ in range(50)]
    # A router may have sent one of them all problems so far: where a problem goes is a matter of its hash.
    while not all(after > early for after, early in zip(num_asked(copies), before, strict=True)):
        traces.append(next(arriving))
    killed_after = len(traces)
    copies[1].end(signal.SIGKILL)
    traces += islice(arriving, 50)
    copies[1].launch()
    traces += arriving
    copies[1].wait()
    engine.close()
    assert len(traces) == len(asked) == len({trace.request.name for trace in traces})
    ties = compare(transformers.model, generate(transformers, asked), traces)
    seen(f"{len(traces)} traces, a copy killed after {killed_after}: none lost, none doubled, {len(ties)} ties")


@pytest.mark.full
def test_a_copy_that_was_away_joins_the_sweep(copies: Copies, seen: Callable[[str], None], tmp_path: Path) -> None:
    """It is in the list of servers, which is read again, and is asked once it answers like the other one."""
    one, two = copies
    servers = tmp_path / "servers.txt"
    servers.write_text(f"{one.url}\n")
    transformers = load("mini")
    engine = OpenAIEngine(ServerConfig((f"file:{servers}",), tokenizer="mini", concurrency=4))
    asked = greedy_requests(transformers, 500, budgets=("64+20",))
    traces = []
    for trace in (arriving := generate(engine, asked)):
        traces.append(trace)
        if len(traces) == 8:
            servers.write_text(f"{one.url}\n{two.url}\n")
        if [replica.is_known for replica in engine.replicas] == [True, True]:
            break
    before = num_asked(copies)
    traces += [next(arriving) for _ in range(30)]
    after = num_asked(copies)
    arriving.close()  # type: ignore[attr-defined]
    engine.close()
    assert [trace.error for trace in traces] == [None] * len(traces)
    shares = [late - early for late, early in zip(after, before, strict=True)]
    assert min(shares) > 0
    seen(f"of the 30 requests after it had joined, the servers answered {shares[0]:.0f} and {shares[1]:.0f}")
