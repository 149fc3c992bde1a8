"""What exact budgets cost on real SGLang, on a CPU, beside what others do for the same tokens, in one run.

    python benchmarks/sglang_throughput.py            # a table, and results/sglang_throughput.json
    python benchmarks/sglang_throughput.py --quick    # a smoke test, nothing written

The model and what it is asked are those of `vllm_throughput.py`: every request thinks to its limit, and all sides make
the same number of tokens, which is checked. Sides take turns within each repeat, in another order each time, and a
ratio is the median over the repeats of the ratios within one. What is measured is time on the clock: SGLang computes in
processes of its own. A server that is not asked sleeps.

    one pass / unbudgeted           requests with a budget, and as many tokens without one, each batch in one request
    one pass / strict thinking      SGLang's own `--enable-strict-thinking`, which has no budget for the solution; on a
                                    GPU alone, as SGLang 0.5.23 ends at its first request with it on a CPU
    engine, one pass / two calls    `OpenAIEngine` both times: thinking, then the solution, each for itself
    engine, one pass / unbudgeted   and as many tokens in one call
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

from budget_load import Ids, Side, by_engine, size, thought, unbudgeted, write_model
from provenance import provenance
from rich.console import Console
from torch import cuda
from turns import measure, show

from elastic_reasoning.core.request import Request
from elastic_reasoning.core.wire import to_wire
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "sglang_throughput.json"
STUBS = HERE.parent / "tests" / "real_servers" / "sglang_stubs"
START_SECONDS = 900.0
UNBUDGETED = ("unbudgeted", "one call")
FIGURES = {
    "one pass / unbudgeted": ("one pass", "unbudgeted"),
    "one pass / strict thinking": ("one pass", "strict thinking"),
    "engine, one pass / two calls": ("engine", "two calls"),
    "engine, one pass / unbudgeted": ("engine", "one call"),
}
TARGETS = {("mixed", "one pass / unbudgeted"): 0.95, ("fixed", "one pass / unbudgeted"): 0.95}
BODY = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "skip_special_tokens": False}
"""Sampling, the same of all."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", type=int, default=128)
    parser.add_argument("--rows", type=int, default=128, help="sequences that run together")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="8 prompts once; nothing is written")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    num_prompts, num_repeats = (8, 1) if chosen.quick else (chosen.prompts, chosen.repeats)
    quiet, console = Console(stderr=True, highlight=False), Console(width=120)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder))
        with sides_of(folder, chosen.rows) as sides:
            figures = measure(
                sides, FIGURES, TARGETS, time.perf_counter, num_prompts, num_repeats, quiet.print, UNBUDGETED
            )
    show(figures, console)
    if not chosen.quick:
        made = provenance()
        made["versions"]["sglang"] = version("sglang")
        made |= {"num_prompts": num_prompts, "num_rows": chosen.rows, "num_repeats": num_repeats}
        made |= {"load_before": load_before, "figures": [asdict(figure) for figure in figures]}
        chosen.out.write_text(json.dumps(made, indent=1) + "\n")
        console.print(f"written to {chosen.out}")


@contextmanager
def sides_of(model: str, num_rows: int) -> Iterator[dict[str, Side]]:
    """One server for all but strict thinking, which would look at every request."""
    parser = "--reasoning-parser=qwen3"
    with ExitStack() as stack:
        flags = ["--enable-custom-logit-processor", *(["--enable-strict-thinking"] if cuda.is_available() else [])]
        starting = [stack.enter_context(served(model, num_rows, flag, parser)) for flag in flags]
        ours, *others = (wait_for(*server) for server in starting)
        engines = []
        for mode in ("one-pass", "by-call"):
            config = ServerConfig((f"{ours}/v1",), tokenizer=model, concurrency=num_rows, mode=mode)
            engines.append(OpenAIEngine(config))
            stack.callback(engines[-1].close)
        more: dict[str, Side] = {}
        for strict in others:
            more["strict thinking"] = partial(at_once, strict, own_budget, require_reasoning=True)
        yield more | {
            "one pass": partial(at_once, ours, lambda r: {"custom_params": {"elastic": dict(to_wire(r))}}),
            "unbudgeted": partial(at_once, ours, lambda r: {"ignore_eos": True}),
            "engine": partial(by_engine, engines[0]),
            "two calls": partial(by_engine, engines[1]),
            "one call": lambda requests: by_engine(engines[1], [unbudgeted(request) for request in requests]),
        }


def own_budget(request: Request) -> dict[str, Any]:
    """As SGLang is asked for its own."""
    return {"custom_params": {"thinking_budget": thought(request)}}


def at_once(
    root: str, more: Callable[[Request], dict[str, Any]], requests: list[Request], **settings: Any
) -> list[Ids]:
    """All requests in one, each with parameters of its own."""
    params = [{**BODY, "max_new_tokens": size(request), **more(request)} for request in requests]
    body = {"input_ids": [list(request.prompt.ids) for request in requests], "sampling_params": params, **settings}
    asked = HttpRequest(f"{root}/generate", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(asked, timeout=600) as answer:
        return [list(one["output_ids"]) for one in json.load(answer)]


@contextmanager
def served(model: str, num_rows: int, *arguments: str) -> Iterator[tuple["subprocess.Popen[bytes]", str, Path]]:
    """A server that is about to start: its process, its address, and its log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "sglang.launch_server", f"--model-path={model}", "--host=127.0.0.1"]
    command += [f"--port={port}", "--dtype=float32"]
    command += [] if cuda.is_available() else ["--device=cpu", "--attention-backend=torch_native"]
    command += ["--mem-fraction-static=0.3", "--max-total-tokens=32768", f"--max-running-requests={num_rows}"]
    command += ["--disable-cuda-graph", "--skip-server-warmup", "--sleep-on-idle", "--log-level=warning", *arguments]
    environment = {"SGLANG_USE_CPU_ENGINE": "1", "PYTHONPATH": str(STUBS), "OMP_NUM_THREADS": "1"}
    log = Path(model) / f"{port}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env={**os.environ, **environment}, start_new_session=True
        )
    try:
        yield process, f"http://127.0.0.1:{port}", log
    finally:
        if process.poll() is None:  # else what it died of is what is to be told
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def wait_for(process: "subprocess.Popen[bytes]", root: str, log: Path) -> str:
    """The address, once something answers there."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            urlopen(f"{root}/health", timeout=5).close()
            return root
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"the server does not start:\n{log.read_text()[-2000:]}")


if __name__ == "__main__":
    main()
