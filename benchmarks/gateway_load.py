"""What a request costs that goes through the gateway, beside LiteLLM's proxy and beside no gateway, in one run.

    python benchmarks/gateway_load.py --litellm .venv-litellm/bin/litellm    # a table, and results/gateway_load.json
    python benchmarks/gateway_load.py --quick                                # a smoke test, nothing written

Behind all of them is one scripted upstream; everything shares the cores of this machine.

    streams     so many streams at once, each of 5 tokens a second: how late a token comes, from when the upstream sent
                it, through the gateway and directly, in all and in the median second, which what stalls the whole
                machine disturbs little; the processor time that the gateway takes for a token, its start included
    memory      what the gateway holds after 2,000 and after 10,000 requests
    beside      short answers, whole and streamed: requests a second from 32 clients that ask again at once, and how
                long one takes that is alone; sides take turns within each repeat
"""

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.request import urlopen

import uvloop
from gateway_clients import Answer, connect, request_of
from gateway_sides import Process, gateway, litellm, megabytes, num_files, processor_seconds, scripted, upstream
from provenance import provenance
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results" / "gateway_load.json"
PACE = 5.0
NEW_PER_SECOND = 50
"""Streams that begin."""
NUM_CLIENTS = 32
LATE_MILLISECONDS, AT_LEAST, GROWTH = 10.0, 3.0, 1.05
"""Targets: of a token at p99; of requests a second beside LiteLLM; of memory."""
PARTS = ["streams", "memory", "beside"]
Figure = dict[str, Any]
numbers = count(1000)


def body_of(model: str, num_tokens: int, stream: bool) -> dict[str, Any]:
    """A request, which half thinks; digits in its prompt tell it from all others."""
    number = next(numbers)
    half = num_tokens // 2
    return {
        "model": model,
        "messages": [{"role": "user", "content": " ".join(str(number))}],
        "max_tokens": num_tokens,
        "stream": stream,
        "number": str(number),
        "thinking_budget": half,
        "solution_budget": num_tokens - half,
    }


def plain(body: dict[str, Any]) -> dict[str, Any]:
    """The request for who knows no budgets."""
    return {name: value for name, value in body.items() if not name.endswith("_budget") and name != "number"}


def checked(answer: Answer) -> Answer:
    if answer.failure:
        raise SystemExit(f"an answer failed: {answer.failure}")
    return answer


# Streams.


async def streamed(url: str, model: str, num_streams: int, num_tokens: int) -> dict[str, Answer]:
    """So many streams at once, by their numbers; they begin at random times."""
    draw = random.Random(0)

    async def one() -> tuple[str, Answer]:
        await asyncio.sleep(draw.uniform(0, num_streams / NEW_PER_SECOND))
        body = body_of(model, num_tokens, stream=True)
        number = body.pop("number")
        client = await connect(url)
        try:
            return number, await client.ask(request_of(f"{url}/v1/chat/completions", body))
        finally:
            client.close()

    return dict(await asyncio.gather(*(one() for _ in range(num_streams))))


def lateness(answers: dict[str, Answer], sent: dict[str, list[float]], num_tokens: int) -> list[tuple[float, float]]:
    """When each token was sent, and the milliseconds that it took from there."""
    late = []
    for number, answer in answers.items():
        came = [when for when, _ in checked(answer).words]
        if len(came) != num_tokens or len(sent[number]) != num_tokens:
            raise SystemExit(f"{len(came)} tokens came of {len(sent[number])} sent, {num_tokens} asked for")
        late += [(then, 1e3 * (there - then)) for there, then in zip(came, sent[number], strict=True)]
    return late


def summary(late: list[tuple[float, float]]) -> Figure:
    seconds: dict[int, list[float]] = {}
    for then, milliseconds in late:
        seconds.setdefault(int(then), []).append(milliseconds)
    cuts = quantiles([milliseconds for _, milliseconds in late], n=1000)
    within = median(quantiles(each, n=100)[98] for each in seconds.values() if len(each) > 100)
    return {
        **{f"p{p}_milliseconds": round(cuts[round(10 * p) - 1], 3) for p in (50, 90, 99, 99.9)},
        "p99_of_the_median_second_milliseconds": round(within, 3),
        "most_milliseconds": round(max(milliseconds for _, milliseconds in late), 3),
    }


def measure_streams(urls: dict[str, str], process: Process, origin: str, num_streams: int, num_tokens: int) -> Figure:
    figure: Figure = {"num_streams": num_streams, "tokens_per_second": PACE, "num_tokens": num_streams * num_tokens}
    for side, url in urls.items():
        before = processor_seconds(process)
        answers = asyncio.run(streamed(url, "paced", num_streams, num_tokens))
        used = processor_seconds(process) - before
        with urlopen(f"{origin}/sent") as response:
            late = lateness(answers, json.load(response), num_tokens)
        figure[side] = summary(late)
        if side == "gateway":
            figure["processor_microseconds_a_token"] = round(1e6 * used / len(late), 1)
    for name in ("p99_milliseconds", "p99_of_the_median_second_milliseconds"):
        figure[f"added_{name}"] = round(figure["gateway"][name] - figure["direct"][name], 3)
    return figure


# Requests a second.


async def repeated(url: str, new_body: Callable[[], dict[str, Any]], num_clients: int, more: Callable[[], bool]) -> int:
    """Clients that ask again at once, while there is more; how many answers came."""

    async def client() -> int:
        connection, num = await connect(url), 0
        while more():
            checked(await connection.ask(request_of(f"{url}/v1/chat/completions", new_body())))
            num += 1
        connection.close()
        return num

    return sum(await asyncio.gather(*(client() for _ in range(num_clients))))


def for_seconds(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def rate(url: str, new_body: Callable[[], dict[str, Any]], seconds: float) -> float:
    """Answers a second."""
    began = time.monotonic()
    num = asyncio.run(repeated(url, new_body, NUM_CLIENTS, for_seconds(seconds)))
    return num / (time.monotonic() - began)


async def alone(url: str, new_body: Callable[[], dict[str, Any]], num: int) -> list[tuple[float, float]]:
    """Milliseconds to the first and to the last byte of requests that follow one another."""
    connection, times = await connect(url), []
    for _ in range(num):
        answer = checked(await connection.ask(request_of(f"{url}/v1/chat/completions", new_body())))
        times.append((1e3 * (answer.first - answer.asked), 1e3 * (answer.over - answer.asked)))
    connection.close()
    return times


def measure_beside(urls: dict[str, str], num_tokens: int, seconds: float, num_repeats: int) -> list[Figure]:
    figures = []
    for stream in (False, True):

        def new_body(stream: bool = stream) -> dict[str, Any]:
            return plain(body_of("fast", num_tokens, stream))

        def budgeted(stream: bool = stream) -> dict[str, Any]:
            body = body_of("fast", num_tokens, stream)
            del body["max_tokens"], body["number"]
            return body

        bodies = {side: budgeted if side == "gateway" else new_body for side in urls}
        for side, url in urls.items():
            rate(url, bodies[side], 1.0)  # the first requests are slow
        rates: dict[str, list[float]] = {side: [] for side in urls}
        times: dict[str, list[tuple[float, float]]] = {side: [] for side in urls}
        for repeat in range(num_repeats):
            for side in list(urls) if repeat % 2 else reversed(list(urls)):
                rates[side].append(rate(urls[side], bodies[side], seconds))
                times[side] += asyncio.run(alone(urls[side], bodies[side], 50))
        for side in urls:
            first, last = zip(*times[side], strict=True)
            figures.append(
                {
                    "answers": "streamed" if stream else "whole",
                    "side": side,
                    "requests_per_second": round(median(rates[side]), 1),
                    "first_byte_milliseconds": round(median(first), 2),
                    "last_byte_milliseconds": round(median(last), 2),
                }
            )
    return figures


# Memory.


def measure_memory(url: str, process: Process, nums: list[int], num_tokens: int) -> list[Figure]:
    """What the gateway holds after so many requests, half of them streamed, and some given up."""
    figures, done = [], 0
    for num in nums:
        left = iter(range(num - done))

        def new_body() -> dict[str, Any]:
            body = body_of("fast", num_tokens, next(numbers) % 2 == 0)
            del body["number"], body["max_tokens"]
            return body

        def more(left: Any = left) -> bool:
            return next(left, None) is not None

        asyncio.run(repeated(url, new_body, NUM_CLIENTS, more))
        done = num
        time.sleep(1.0)
        figures.append(
            {"num_requests": num, "megabytes": round(megabytes(process), 1), "num_files": num_files(process)}
        )
    return figures


# All of it.


def measure(chosen: argparse.Namespace, note: Callable[[str], None]) -> dict[str, Any]:
    report: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        paced, fast = stack.enter_context(upstream([PACE, 0]))
        process, url = stack.enter_context(gateway({"paced": scripted(paced), "fast": scripted(fast)}, folder))
        if "streams" in chosen.parts:
            urls = {"direct": paced, "gateway": url}
            num_streams, num_tokens = (50, 10) if chosen.quick else (chosen.streams, 100)
            report["streams"] = measure_streams(urls, process, paced, num_streams, num_tokens)
            note(json.dumps(report["streams"]))
        if "memory" in chosen.parts:
            nums = [100, 200] if chosen.quick else [2_000, 10_000]
            report["memory"] = measure_memory(url, process, nums, 16)
            note(json.dumps(report["memory"]))
        if "beside" in chosen.parts:
            urls = {"direct": fast, "gateway": url}
            if chosen.litellm:
                _, urls["litellm"] = stack.enter_context(litellm(chosen.litellm, {"fast": fast}, folder))
            seconds, num_repeats = (1.0, 1) if chosen.quick else (4.0, 3)
            report["beside"] = measure_beside(urls, 16, seconds, num_repeats)
            note(json.dumps(report["beside"]))
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test, nothing written")
    parser.add_argument("--litellm", type=Path, help="the program of LiteLLM's proxy; without it, it is left out")
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    chosen = parser.parse_args(arguments)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    load_before = os.getloadavg()[0]
    report = measure(chosen, Console(stderr=True, highlight=False).print)
    show(report)
    if not chosen.quick and set(chosen.parts) == set(PARTS) and chosen.litellm:
        RESULTS.write_text(json.dumps({**provenance(), "load_before": load_before, **report}, indent=1) + "\n")
    return 0


def show(report: dict[str, Any]) -> None:
    """A line for each target, and the table of all sides."""
    console = Console(width=100, highlight=False)
    if streams := report.get("streams"):
        late = streams["added_p99_of_the_median_second_milliseconds"]
        console.print(f"{streams['num_streams']} streams: a token is {late} ms later at p99 (<= {LATE_MILLISECONDS:g})")
    if memory := report.get("memory"):
        first, last = memory[0]["megabytes"], memory[-1]["megabytes"]
        console.print(f"{memory[-1]['num_requests']} requests: {last} MB after {first} MB (<= {GROWTH:g} times)")
    if figures := report.get("beside"):
        table = Table(*(name.replace("_", " ") for name in figures[0]))
        for figure in figures:
            table.add_row(*map(str, figure.values()))
        console.print(table)
        rates = {(figure["answers"], figure["side"]): figure["requests_per_second"] for figure in figures}
        for answers, side in rates:
            if side == "litellm":
                times = rates[answers, "gateway"] / rates[answers, side]
                console.print(f"{answers}: {times:.1f} times LiteLLM's requests a second (>= {AT_LEAST:g})")


if __name__ == "__main__":
    sys.exit(main())
