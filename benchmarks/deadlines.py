"""Deadlines that the gateway keeps under open-loop load, beside the same load with fixed token budgets.

    python benchmarks/deadlines.py                      # the embedded miniature: a table, and results/deadlines.json
    python benchmarks/deadlines.py --engine vllm        # real vLLM behind the gateway; in the environment of vLLM
    python benchmarks/deadlines.py --requests 30        # a smoke test, nothing written

The gateway runs in a process of its own and streams. Its capacity, in requests a second, is measured first, as many
clients as rows asking with the large budget; then requests come at random at half, once and twice that rate. The
deadline is what a request takes at full load. A client counts from when its request was due until it has all of the
answer. Each load ends with requests whose deadline nobody could keep.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from open_loop import Answer, Summary, Timed, closed_loop, open_loop, poisson, summary
from provenance import provenance
from rich.console import Console
from rich.table import Table

from elastic_reasoning.engines.loading import model_path
from elastic_reasoning.tasks.arithmetic import Arithmetic

RESULTS = Path(__file__).parent / "results" / "deadlines.json"
MODEL = "mini-e1"
LARGE, SMALL = (64, 20), (16, 20)
LOADS = (0.5, 1.0, 2.0)
NUM_ROWS = {"local": 64, "vllm": 32}
NUM_IMPOSSIBLE = 20
IMPOSSIBLE_SECONDS = 0.001
NOBODY = dict.fromkeys((field.name for field in fields(Summary)), 0.0)
"""Of a load of which nothing was admitted."""
TASK = Arithmetic()
PROBLEMS = TASK.problems("test")


def limits(budget: Sequence[int], deadline_seconds: float | None = None) -> dict[str, Any]:
    """What a request says of its limits."""
    said: dict[str, Any] = {"thinking_budget": budget[0], "solution_budget": budget[1]}
    return said if deadline_seconds is None else {**said, "deadline_seconds": deadline_seconds}


async def ask(session: aiohttp.ClientSession, url: str, said: dict[str, Any], number: int) -> Answer:
    """One streamed answer, graded."""
    problem = PROBLEMS[number % len(PROBLEMS)]
    body = {"model": MODEL, "messages": problem.messages, "stream": True, "seed": number, **said}
    async with session.post(f"{url}/chat/completions", json=body) as response:
        text = await response.text()
    if response.status != 200:
        error = json.loads(text)["error"]
        is_refused = (error["code"] or "").startswith("deadline_")
        return Answer(
            is_refused=is_refused, error="" if is_refused else f"status {response.status}: {error['message']}"
        )
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    failed = next((event["error"]["message"] for event in events if "error" in event), "")
    if failed:
        return Answer(error=failed)
    choices = [choice for event in events for choice in event["choices"]]
    solution = "".join(choice["delta"].get("content") or "" for choice in choices)
    account = events[-1]["elastic"]
    return Answer(
        account["thinking_tokens"],
        account["solution_tokens"] if solution.strip() else 0,
        is_whole=account["solution_ended_by"] != "time",
        is_right=TASK.grade(problem, solution).correct,
        is_kept=account["deadline"]["kept"] if "deadline" in account else None,
    )


def line(load: float, name: str, arrivals: Sequence[float], answers: Sequence[Timed], seconds: float) -> dict[str, Any]:
    """What became of a load; the share of all requests, refused ones too, whose answer was right and in time."""
    useful = sum(bool(timed.answer.is_right) and timed.seconds <= seconds for timed in answers)
    is_refused = all(timed.answer.is_refused for timed in answers)
    nobody = {**NOBODY, "num_requests": len(answers), "num_refused": len(answers)}
    found = nobody if is_refused else asdict(summary(arrivals, answers, seconds))
    return {"load": load, "limits": name, **found, "right_in_time_of_all": useful / len(answers)}


async def measure(url: str, num_requests: int, num_rows: int, note: Any) -> dict[str, Any]:
    """Capacity, the deadline, and what became of each load."""
    timeout, connector = aiohttp.ClientTimeout(600), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        asked = partial(ask, session, url)
        await closed_loop(2 * num_rows, num_rows, partial(asked, limits(LARGE)))
        capacity = await closed_loop(max(num_requests // 2, 2 * num_rows), num_rows, partial(asked, limits(LARGE)))
        seconds = round(num_rows / capacity, 2)
        note(f"{capacity:.1f} requests/s, deadline {seconds:.2f} s")
        kinds = {
            "deadline": limits(LARGE, seconds),
            "budget 64+20": limits(LARGE),
            "budget 16+20": limits(SMALL),
        }
        loads, num_impossible_refused = [], 0
        for load in LOADS:
            arrivals = poisson(load * capacity, num_requests, seed=1)
            for name, said in kinds.items():
                answers = await open_loop(arrivals, partial(asked, said))
                loads.append(line(load, name, arrivals, answers, seconds))
                note(f"load {load:g}, {name}: {loads[-1]}")
            impossible = limits(LARGE, IMPOSSIBLE_SECONDS)
            refused = [await asked(impossible, number) for number in range(NUM_IMPOSSIBLE)]
            num_impossible_refused += sum(answer.is_refused for answer in refused)
    return {
        "capacity": capacity,
        "deadline_seconds": seconds,
        "num_impossible": NUM_IMPOSSIBLE * len(LOADS),
        "num_impossible_refused": num_impossible_refused,
        "loads": loads,
    }


@contextmanager
def gateway(*arguments: str) -> Iterator[str]:
    """The base URL of a gateway in a process of its own."""
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "serve", "--port=0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        if not said:
            raise SystemExit("the gateway does not start")
        yield said.split()[-1]
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def vllm_gateway(num_rows: int) -> Iterator[str]:
    """The base URL of a gateway before real vLLM, which has our plug-in."""
    from vllm_sides import served, wait_for
    from vllm_throughput import cpu_settings

    cpu_settings()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        model = shutil.copytree(model_path(MODEL), Path(folder) / MODEL)
        process, address, log = stack.enter_context(served(str(model), num_rows, 32, f"--served-model-name={MODEL}"))
        upstream = wait_for(process, address, log)
        config = Path(folder) / "gateway.json"  # JSON is YAML
        served_model = {"urls": [upstream], "tokenizer": MODEL, "max_concurrent": num_rows}
        config.write_text(json.dumps({"models": {MODEL: served_model}}))
        yield stack.enter_context(gateway(f"--file={config}"))


def show(found: dict[str, Any], console: Console) -> None:
    """A table of what became of each load."""
    table = Table("load", "limits")
    for column in (
        "refused",
        "in time",
        "no solution",
        "whole",
        "right",
        "right, in time, of all",
        "thinking",
        "p99, s",
    ):
        table.add_column(column, justify="right")
    for one in found["loads"]:
        shares = (f"{one[name]:.1%}" for name in ("whole", "right", "right_in_time_of_all"))
        counts = (str(one["num_refused"]), f"{one['in_time']:.1%}", str(one["num_without_solution"]))
        last = (f"{one['mean_thinking']:.0f}", f"{one['seconds_p99']:.2f}")
        table.add_row(f"{one['load']:g}", one["limits"], *counts, *shares, *last)
    console.print(table)
    console.print(
        f"{found['num_impossible_refused']} of {found['num_impossible']} impossible deadlines refused at once"
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engine", choices=tuple(NUM_ROWS), default="local")
    parser.add_argument("--requests", type=int, default=400, help="of each load; with fewer, nothing is written")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    quiet, console = Console(stderr=True, highlight=False), Console(width=140)
    load_before, num_rows = os.getloadavg()[0], NUM_ROWS[chosen.engine]
    with gateway(f"--model={MODEL}") if chosen.engine == "local" else vllm_gateway(num_rows) as url:
        found = asyncio.run(measure(url, chosen.requests, num_rows, quiet.print))
    show(found, console)
    if chosen.requests >= parser.get_default("requests"):
        written = json.loads(chosen.out.read_text()) if chosen.out.exists() else {}
        written[chosen.engine] = {**provenance(), "load_before": load_before, "num_rows": num_rows, **found}
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text(json.dumps(written, indent=1) + "\n")
        console.print(f"written to {chosen.out}")


if __name__ == "__main__":
    main()
