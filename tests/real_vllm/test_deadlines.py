"""Deadlines that real vLLM keeps by itself: a model that thinks until it is closed is closed in time, and answers.

What is random is tested beside budgets in `test_exact.py`, under preemption and with prefills in chunks.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")

from budget_load import CLOSING, EOS, new_requests, write_model

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from real_vllm.deadlines import listened
from real_vllm.serving import Server, in_process, serving

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

CONTEXT, SOLUTION = 4000, 16
SECONDS = (2.0, 3.0, 4.5)
MOST_LATE = 10.0
Seen = Callable[[str], None]


@pytest.fixture(scope="module")
def tireless(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that neither closes its thinking nor ends."""
    folder = tmp_path_factory.mktemp("tireless") / "model"
    write_model(folder, CONTEXT)
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}")
    return str(folder)


def requests_with(num: int, wrap_up: str = "") -> list[Request]:
    """Requests whose thinking has no limit but time."""
    return [
        replace(
            request,
            budget=Budget(None, SOLUTION),
            options=Options(wrap_up=wrap_up),
            deadline_seconds=SECONDS[number % len(SECONDS)],
            name=str(number),
        )
        for number, request in enumerate(new_requests("fixed", num, seed=1))
    ]


def check(traces: list[Trace]) -> None:
    """Time has closed all of them, and all have a solution."""
    for trace in traces:
        assert trace.error is None
        assert trace.num_thinking_tokens < CONTEXT / 2  # on a busy machine there may be time for none
        assert trace.num_solution_tokens > 0
        assert trace.closed_by_deadline == bool(trace.request.options.get("wrap_up"))


def told(lateness: list[float]) -> str:
    """How many answers were late, and by how much; a machine that is busy with something else may make some so."""
    assert max(lateness) < MOST_LATE
    return f"{sum(late > 0 for late in lateness)} late, the last by {max(lateness):.2f} s"


@pytest.mark.full
@pytest.mark.parametrize("wrap_up", ["", "w9"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_in_process(tireless: str, wrap_up: str, asynchronous: bool, seen: Seen) -> None:
    with in_process(tireless, async_scheduling=asynchronous, num_gpu_blocks_override=128) as engine:
        start, ended = time.time(), {}
        requests = requests_with(30, wrap_up)
        for trace in generate(engine, requests):
            ended[trace.request.name] = (trace, time.time() - start)
    check([trace for trace, _ in ended.values()])
    lateness = [seconds - (trace.request.deadline_seconds or 0) for trace, seconds in ended.values()]
    num_whole = sum(trace.segments[-1].finish is Finish.LENGTH for trace, _ in ended.values())
    seen(f"{len(ended)} answers, {num_whole} whole solutions, {told(lateness)}")


@pytest.fixture(scope="module")
def server(tireless: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of that model with a cache so small that on a quick machine sequences are preempted."""
    log = tmp_path_factory.mktemp("server") / "log"
    more = ("--block-size=32", "--num-gpu-blocks-override=128", "--max-num-seqs=32", "--no-enable-chunked-prefill")
    with serving(tireless, log, *more, "--distributed-executor-backend=uni") as server:
        yield server


def test_over_http(server: Server, seen: Seen) -> None:
    """Streamed and whole, with deadlines at the top level and among `vllm_xargs`."""
    before = server.metric("vllm:num_preemptions_total")
    answers = asyncio.run(ask_all(server, requests_with(24)))
    preempted = server.metric("vllm:num_preemptions_total") - before
    for ids, _, _ in answers:
        assert len(ids) > ids.index(CLOSING) + 2
        assert ids.count(CLOSING) == ids.count(EOS) == 1
    lateness = [seconds - deadline for _, seconds, deadline in answers]
    num_whole = sum(len(ids) - ids.index(CLOSING) - 2 == SOLUTION for ids, _, _ in answers)
    seen(f"{len(answers)} answers, {num_whole} whole solutions, {preempted:.0f} preemptions, {told(lateness)}")


async def ask_all(server: Server, requests: list[Request]) -> list[tuple[list[int], float, float]]:
    """Ids of each, the seconds that they took, and those that they had."""
    import aiohttp

    async def ask(number: int, request: Request) -> tuple[list[int], float, float]:
        assert request.deadline_seconds is not None
        deadline, limits = {"deadline_seconds": request.deadline_seconds}, {"solution_budget": SOLUTION}
        body = {"model": server.model, "prompt": list(request.prompt.ids), "max_tokens": 3900, "return_token_ids": True}
        body |= {**deadline, "vllm_xargs": limits} if number % 2 else {"vllm_xargs": {**deadline, **limits}}
        start, ids = time.perf_counter(), list[int]()
        async with session.post(f"{server.url}/completions", json={**body, "stream": number % 3 == 0}) as answer:
            assert answer.status == 200, await answer.text()
            async for line in answer.content:
                data = line.decode().removeprefix("data: ").strip()
                if data.startswith("{"):
                    ids += json.loads(data)["choices"][0]["token_ids"] or []
        return ids, time.perf_counter() - start, request.deadline_seconds

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(120)) as session:
        return await asyncio.gather(*(ask(number, request) for number, request in enumerate(requests)))


@pytest.mark.parametrize("wrap_up", ["", "w9"])
def test_our_client_reads_what_the_server_has_closed(tireless: str, server: Server, wrap_up: str) -> None:
    engine = OpenAIEngine(ServerConfig((server.url,), tokenizer=tireless, mode="one-pass"))
    requests = requests_with(6, wrap_up)
    check([*generate(engine, requests[:3]), *listened(engine, requests[3:])])
    engine.close()
