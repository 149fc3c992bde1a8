"""What the gateway costs of vLLM's own throughput, at 64 streams, on a CPU that both share with the clients.

    python benchmarks/gateway_vllm.py              # a table, and results/gateway_vllm.json
    python benchmarks/gateway_vllm.py --quick      # a smoke test, nothing written

vLLM has our plug-in and keeps each budget in one pass; clients ask for streams, and ask again at once, directly or
through the gateway, in turns. The model is a small random Qwen3, of several widths: the less a token costs vLLM, the
more the gateway weighs, which on a machine of its own would weigh nothing. Ratios are medians over the repeats of those
within one; processor times are those of each process.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import uvloop
import vllm
from budget_load import OPENING, SOLUTION, SPECIAL, VOCABULARY, write_model
from gateway_clients import Answer, connect, request_of
from gateway_sides import Process, gateway, processor_seconds
from provenance import provenance
from rich.console import Console
from rich.table import Table
from vllm_sides import served, wait_for
from vllm_throughput import cpu_settings

RESULTS = Path(__file__).parent / "results" / "gateway_vllm.json"
NUM_STREAMS = 64
AT_LEAST = 0.95
"""Of vLLM's own tokens a second."""
draw = random.Random(0)


def new_body(model: str) -> tuple[dict[str, Any], int]:
    """A request of 8 to 128 thinking tokens, and how many tokens it makes in all."""
    thinking = draw.randint(8, 128)
    prompt = [*draw.choices(range(len(SPECIAL), VOCABULARY), k=16), OPENING]
    budget = {"thinking_budget": thinking, "solution_budget": SOLUTION}
    streams = {"stream": True, "stream_options": {"include_usage": True}}
    return {"model": model, "prompt": prompt, **budget, **streams}, thinking + 1 + SOLUTION


def checked(answer: Answer, num_tokens: int) -> int:
    """The tokens of an answer, which are those of its budget; vLLM makes an end of sequence behind them."""
    usage = next((event["usage"] for _, event in answer.events if event.get("usage")), None)
    made = usage and usage["completion_tokens"]
    if answer.failure or made not in (num_tokens, num_tokens + 1):
        raise SystemExit(f"{made} tokens for {num_tokens}: {answer.failure}")
    return num_tokens


async def asked(url: str, model: str, seconds: float) -> float:
    """Tokens a second of so many clients."""
    end, answers = time.monotonic() + seconds, list[tuple[Answer, int]]()

    async def client() -> None:
        connection = await connect(url)
        while time.monotonic() < end:
            body, num_tokens = new_body(model)
            body |= {} if model == "tiny" else {"max_tokens": num_tokens + 1}
            answers.append((await connection.ask(request_of(f"{url}/v1/completions", body)), num_tokens))
        connection.close()

    began = time.monotonic()
    await asyncio.gather(*(client() for _ in range(NUM_STREAMS)))
    took = time.monotonic() - began
    return sum(checked(answer, num_tokens) for answer, num_tokens in answers) / took


def measure(scale: int, seconds: float, num_repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder, scale=scale)
        with served(name, NUM_STREAMS, 32) as started:
            url = wait_for(*started)
            with gateway({"tiny": {"model": name, "urls": [url], "tokenizer": name}}, folder) as (process, ours):
                processes = {"vllm": started[0], "gateway": process}
                sides = {"direct": (url.removesuffix("/v1"), name), "gateway": (ours, "tiny")}
                return compared(scale, sides, processes, seconds, num_repeats)


def compared(
    scale: int, sides: dict[str, tuple[str, str]], processes: dict[str, Process], seconds: float, num_repeats: int
) -> dict[str, Any]:
    speeds: dict[str, list[float]] = {side: [] for side in sides}
    spent: dict[str, list[float]] = {name: [] for name in processes}
    for url, model in sides.values():
        asyncio.run(asked(url, model, 2.0))  # the first requests are slow
    for repeat in range(num_repeats):
        for side in list(sides) if repeat % 2 else reversed(list(sides)):
            before = {name: processor_seconds(process) for name, process in processes.items()}
            began = time.monotonic()
            speeds[side].append(asyncio.run(asked(*sides[side], seconds)))
            num_tokens = speeds[side][-1] * (time.monotonic() - began)
            if side == "gateway":
                for name, process in processes.items():
                    spent[name].append(1e6 * (processor_seconds(process) - before[name]) / num_tokens)
    ratios = [ours / theirs for ours, theirs in zip(speeds["gateway"], speeds["direct"], strict=True)]
    return {
        "hidden_size": 128 * scale,
        **{f"{side}_tokens_per_second": round(median(values)) for side, values in speeds.items()},
        "ratio": round(median(ratios), 3),
        **{f"{name}_processor_microseconds_a_token": round(median(values), 1) for name, values in spent.items()},
        "reached": median(ratios) >= AT_LEAST,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test, nothing written")
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 4, 8], help="128 times so wide")
    chosen = parser.parse_args(arguments)
    cpu_settings()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    figures = []
    for scale in chosen.scales[:1] if chosen.quick else chosen.scales:
        figures.append(measure(scale, *((3.0, 1) if chosen.quick else (5.0, 3))))
        print(json.dumps(figures[-1]), file=sys.stderr, flush=True)
    table = Table(*(name.replace("_", " ") for name in figures[0]))
    for figure in figures:
        table.add_row(*map(str, figure.values()))
    Console(width=120).print(table)
    if not chosen.quick:
        made = provenance()
        about = {**made, "versions": {**made["versions"], "vllm": vllm.__version__}, "num_streams": NUM_STREAMS}
        RESULTS.write_text(json.dumps({**about, "target": AT_LEAST, "figures": figures}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
