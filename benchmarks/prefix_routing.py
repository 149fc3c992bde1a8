"""How much of the prompts two vLLM servers find in their prefix caches, by who chooses the server and by what.

    python benchmarks/prefix_routing.py                # a table, and results/prefix_routing.json
    python benchmarks/prefix_routing.py --problems 8   # a smoke test, nothing written

Problems with long prompts that begin alike, each sampled several times under two budgets, as a sweep asks for them. The
engine chooses of two URLs, or `vllm-router` (VLLM_ROUTER) stands between. Counted is what vLLM's metrics say: tokens of
prompts that were looked for in the cache, and that were found. The best that can be had is that each prompt is computed
once, and what all begin with once on each server. Every side has prompts of its own: none finds another one's.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import vllm
from provenance import provenance
from rich.console import Console
from rich.table import Table

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Request, Sampling
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.http import session
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.http.pool import Pool
from elastic_reasoning.engines.loading import model_path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from live_server import LiveServer, free_port, running  # the servers are started as the tests start them
from real_vllm.serving import Server

RESULTS = Path(__file__).parent / "results" / "prefix_routing.json"
BLOCK = 32
HEADER, PROMPT = 2 * BLOCK, 8 * BLOCK
"""Ids that all prompts of a side begin with, and ids of a prompt."""
SAMPLES, BUDGETS, CONCURRENCY = 8, (Budget(8, 4), Budget(16, 4)), 32
FIRST_ID, LAST_ID = 10, 70
"""Ids of letters and digits in the shipped model's vocabulary."""
ROUTER = os.environ.get("VLLM_ROUTER", "vllm-router")


def new_requests(num_problems: int, seed: int) -> list[Request]:
    """Every sample and budget of each problem, one problem after the other."""
    draw = random.Random(seed)

    def ids(num: int) -> tuple[int, ...]:
        return tuple(draw.randint(FIRST_ID, LAST_ID) for _ in range(num))

    header = ids(HEADER)
    prompts = [Prompt((*header, *ids(PROMPT - HEADER)), Thinking.ABSENT) for _ in range(num_problems)]
    return [
        Request(prompt, budget, sampling=Sampling(seed=n), sample=sample, name=f"{n} {sample} {budget}")
        for n, prompt in enumerate(prompts)
        for sample in range(SAMPLES)
        for budget in BUDGETS
    ]


def counters(servers: list[Server]) -> list[dict[str, float]]:
    """Tokens looked for and found, and requests, of each server."""
    names = {"queries": "prefix_cache_queries_total", "hits": "prefix_cache_hits_total", "requests": "request_success"}
    return [{key: server.metric(f"vllm:{name}") for key, name in names.items()} for server in servers]


@contextmanager
def changed(target: Any, name: str, value: Any) -> Iterator[None]:
    """Something is another for the length of the block."""
    before = getattr(target, name)
    setattr(target, name, value)
    try:
        yield
    finally:
        setattr(target, name, before)


def measure(urls: tuple[str, ...], servers: list[Server], requests: list[Request]) -> dict[str, Any]:
    """Ask for all of them, and what the servers counted meanwhile."""
    engine = OpenAIEngine(ServerConfig(urls, tokenizer="mini", concurrency=CONCURRENCY))
    before, start = counters(servers), time.perf_counter()
    errors = [trace.error for trace in generate(engine, requests) if trace.error]
    seconds = time.perf_counter() - start
    engine.close()
    assert not errors, errors[0]
    after = counters(servers)
    grown = [{key: late[key] - early[key] for key in late} for late, early in zip(after, before, strict=True)]
    total = {key: sum(each[key] for each in grown) for key in grown[0]}
    shares = sorted(each["requests"] / total["requests"] for each in grown)
    return {"hit_rate": total["hits"] / total["queries"], "busiest": shares[-1], "seconds": seconds}


@contextmanager
def routed(policy: str, servers: list[Server], log: Path) -> Iterator[tuple[str, ...]]:
    """vllm-router before the servers."""
    command = [ROUTER, "--host=127.0.0.1", "--port={port}", f"--policy={policy}", "--log-level=warning"]
    command += [f"--prometheus-port={free_port()}", "--worker-urls", *(server.root for server in servers)]
    router = LiveServer(command, log, {})
    with running(router):
        urlopen(f"{router.url}/models", timeout=30).close()
        yield (router.url,)


def sides(servers: list[Server], num_problems: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Each way to choose a server, on prompts of its own."""
    straight = tuple(server.url for server in servers)
    found: dict[str, dict[str, Any]] = {}

    def run(name: str, urls: tuple[str, ...]) -> None:
        found[name] = measure(urls, servers, new_requests(num_problems, seed=len(found)))

    run("engine, by the prompt", straight)
    with changed(Pool, "beginnings_of", lambda pool, ids: ()):
        run("engine, the least busy", straight)
    for policy in ("consistent_hash", "cache_aware", "round_robin"):
        with routed(policy, servers, folder / policy) as urls:
            run(f"vllm-router, {policy}", urls)
            if policy == "consistent_hash":
                with changed(session, "session_of", lambda ids: ""):
                    run(f"vllm-router, {policy}, not told a session", urls)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=32)
    num_problems = parser.parse_args().problems
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        arguments = (f"--block-size={BLOCK}", "--max-num-seqs=32", "--distributed-executor-backend=uni")
        arguments += ("--enable-prefix-caching",)
        servers = [Server(model_path("mini"), Path(folder) / f"server-{n}", *arguments) for n in (1, 2)]
        for server in servers:
            stack.callback(server.end)
            server.launch()
        for server in servers:
            server.wait()
        found = sides(servers, num_problems, Path(folder))
    asked = SAMPLES * len(BUDGETS)
    computed = num_problems * (PROMPT - HEADER) + 2 * HEADER
    best = 1 - computed / (num_problems * asked * PROMPT)
    table = Table("chosen by", "found in a cache", "of the best", "requests at the busier one", "seconds")
    for name, side in found.items():
        rates = f"{side['hit_rate']:.1%}", f"{side['hit_rate'] / best:.2f}"
        table.add_row(name, *rates, f"{side['busiest']:.0%}", f"{side['seconds']:.1f}")
    Console().print(table)
    if num_problems == parser.get_default("problems"):
        settings = {"problems": num_problems, "requests_each": asked, "prompt": PROMPT, "header": HEADER}
        report = {**provenance(), "settings": {**settings, "concurrency": CONCURRENCY}, "best": best, "sides": found}
        report["versions"]["vllm"] = vllm.__version__
        RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
