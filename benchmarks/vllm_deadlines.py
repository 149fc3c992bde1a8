"""Deadlines that real vLLM keeps by itself, on a CPU, under open-loop load, beside the same load with budgets alone.

    python benchmarks/vllm_deadlines.py                 # a table, and results/vllm_deadlines.json
    python benchmarks/vllm_deadlines.py --requests 30   # a smoke test, nothing written

A plain vLLM server with our plug-in, which refuses nothing for want of time, and a small random model that thinks until
it is closed and answers until it is cut, so that everybody needs all that they may have. Its capacity, in requests a
second, is measured first, as many clients as rows asking with token budgets; then requests come at random at half, once
and twice that rate. The deadline is what a request takes at full load, and a half more.
"""

import argparse
import asyncio
import json
import os
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import vllm
from budget_load import CLOSING, EOS, new_requests, write_model
from open_loop import Answer, closed_loop, open_loop, poisson, summary
from provenance import provenance
from rich.console import Console
from rich.table import Table
from vllm_sides import served, wait_for
from vllm_throughput import cpu_settings

RESULTS = Path(__file__).parent / "results" / "vllm_deadlines.json"
THINKING, SOLUTION = 160, 32
LOADS = (0.5, 1.0, 2.0)
NUM_ROUNDS = 3
"""Requests of each client by which the capacity is measured."""
TARGET = 0.99
NUM_WARM = 64


async def ask(session: aiohttp.ClientSession, url: str, model: str, values: dict[str, Any], number: int) -> Answer:
    """One completion, and what its ids say."""
    [request] = new_requests("fixed", 1, seed=number)
    body = {
        "model": model,
        "prompt": list(request.prompt.ids),
        "max_tokens": THINKING + SOLUTION + 1,
        "return_token_ids": True,
        "vllm_xargs": {"thinking_budget": THINKING, "solution_budget": SOLUTION, **values},
    }
    async with session.post(f"{url}/completions", json=body) as response:
        if response.status != 200:
            return Answer(error=f"status {response.status}: {await response.text()}")
        [choice] = (await response.json())["choices"]
    ids = [token for token in choice["token_ids"] if token != EOS]
    num_thinking = ids.index(CLOSING) if CLOSING in ids else len(ids)
    num_solution = max(0, len(ids) - num_thinking - 1)
    return Answer(num_thinking, num_solution, is_whole=num_solution == SOLUTION)


async def measure(url: str, model: str, num_requests: int, num_rows: int, note: Any) -> list[dict[str, Any]]:
    """What became of each load, with the capacity and the deadline."""
    loads: list[dict[str, Any]] = []
    timeout, connector = aiohttp.ClientTimeout(600), aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        bare = partial(ask, session, url, model, {})
        await closed_loop(NUM_WARM, num_rows, bare)
        for load in LOADS:
            capacity = await closed_loop(NUM_ROUNDS * num_rows, num_rows, bare)
            deadline_seconds = round(num_rows / capacity, 2)
            note(f"{capacity:.1f} requests/s, deadline {deadline_seconds:.2f} s")
            arrivals = poisson(load * capacity, num_requests, seed=1)
            timed = partial(ask, session, url, model, {"deadline_seconds": deadline_seconds})
            for limits, asked in (("deadline and budgets", timed), ("budgets alone", bare)):
                found = summary(arrivals, await open_loop(arrivals, asked), deadline_seconds)
                line = {"load": load, "limits": limits, "capacity": capacity, "deadline_seconds": deadline_seconds}
                loads.append({**line, **asdict(found)})
                note(f"load {load:g}, {limits}: {found}")
    return loads


def show(loads: list[dict[str, Any]], console: Console) -> None:
    table = Table("load", "limits", "deadline, s")
    for column in ("in time", "no solution", "whole solution", "thinking", "p50, s", "p99, s"):
        table.add_column(column, justify="right")
    for line in loads:
        table.add_row(
            f"{line['load']:g}",
            line["limits"],
            f"{line['deadline_seconds']:.2f}",
            f"{line['in_time']:.1%}",
            str(line["num_without_solution"]),
            f"{line['whole']:.1%}",
            f"{line['mean_thinking']:.0f}",
            f"{line['seconds_p50']:.2f}",
            f"{line['seconds_p99']:.2f}",
        )
    console.print(table)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=200, help="of each load; with fewer, nothing is written")
    parser.add_argument("--rows", type=int, default=32, help="sequences that run together")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    cpu_settings()
    quiet, console = Console(stderr=True, highlight=False), Console(width=120)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder))
        with served(folder, chosen.rows, 32) as (process, address, log):
            url = wait_for(process, address, log)
            loads = asyncio.run(measure(url, folder, chosen.requests, chosen.rows, quiet.print))
    show(loads, console)
    if chosen.requests >= parser.get_default("requests"):
        made = provenance()
        report = {
            **made,
            "versions": {**made["versions"], "vllm": vllm.__version__},
            "num_rows": chosen.rows,
            "budget": f"{THINKING}+{SOLUTION}",
            "load_before": load_before,
            "loads": loads,
        }
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(json.dumps(report, indent=1) + "\n")
        console.print(f"written to {chosen.out}")


if __name__ == "__main__":
    main()
