"""What needs a GPU: its tests, the exactness of the engine there, its speed. Run by scripts/gpu_check.sh.

Each part writes down what it found as soon as it has, so that a run that is cut off leaves what it knows.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import generation
import torch
from provenance import provenance

from checker import check
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.tasks.arithmetic import Arithmetic
from tiny import CONTEXT, mixed_requests, new_engine, tiny

ROOT = Path(__file__).parent.parent
FAMILIES = ("llama", "qwen2", "qwen3", "mistral", "gemma3", "gpt_oss")
NUM_REQUESTS = 48


def tests() -> dict[str, Any]:
    """The tests that are marked gpu."""
    if find_spec("pytest") is None:
        return {"not run": "pytest is not installed"}
    command = [sys.executable, "-m", "pytest", "-q", "--noconftest", "-m", "gpu", "-o", "filterwarnings=default"]
    done = subprocess.run(
        [*command, "tests/engines/test_gpu.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {"status": done.returncode, "last line": (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]}


def exactness(device: str) -> list[dict[str, Any]]:
    """Every trace of mixed requests before the naive checker."""
    found = []
    for family in FAMILIES:
        for dtype in (torch.float32, torch.bfloat16):
            model = tiny(family).to(device, dtype)
            traces = list(generate(new_engine(model, max_rows=7), mixed_requests(NUM_REQUESTS)))
            found.append(
                {
                    "model": family,
                    "dtype": str(dtype).removeprefix("torch."),
                    "num_traces": len(traces),
                    "num_violations": sum(len(check(trace, CONTEXT)) for trace in traces),
                }
            )
            model.to("cpu", torch.float32)
    found += [miniature(name, device) for name in ("mini", "mini-e1")]
    return found


def miniature(name: str, device: str) -> dict[str, Any]:
    """A shipped model on the device and on the processor: how many greedy traces are the same."""
    questions = [problem.messages for problem in Arithmetic().problems("test", 64)]
    traces: dict[str, list[Any]] = {}
    for place in ("cpu", device):
        engine = load(name, device=place, dtype="float32")
        asked = [
            new_request(engine, question, budget, strategy, sampling=Sampling(temperature=0), name=f"{n} {budget}")
            for n, question in enumerate(questions)
            for budget, strategy in (("16+20", "elastic"), ("24+20", "s1"), ("64+20", "vanilla"))
        ]
        traces[place] = sorted(generate(engine, asked), key=lambda trace: trace.request.name)
    pairs = list(zip(traces["cpu"], traces[device], strict=True))
    same = [(a, b) for a, b in pairs if a.ids == b.ids]
    errors = [abs(x - y) for a, b in same for x, y in zip(a.logprobs, b.logprobs, strict=True)]
    return {
        "model": name,
        "dtype": "float32",
        "num_traces": len(pairs),
        "num_violations": sum(len(check(trace, engine.context)) for trace in traces[device]),
        "num_same_as_cpu": len(same),
        "largest_logprob_difference": max(errors, default=0.0),
    }


def speed(device: str) -> list[dict[str, Any]]:
    """The figures of `benchmarks/generation.py` on the large random model; on a tiny one on a processor."""
    figures = generation.measure_large(device, quick=device == "cpu", num_repeats=2, note=print)
    return [asdict(figure) for figure in figures]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    if chosen.device != "cpu" and not torch.cuda.is_available():
        sys.exit("gpu_check: torch finds no GPU; DEVICE=cpu tries the same path with tiny models")
    name = torch.cuda.get_device_name() if chosen.device != "cpu" else "no GPU: the path alone"
    found: dict[str, Any] = {**provenance(), "device": name}
    stem = "gpu_check" if chosen.device != "cpu" else "gpu_check_cpu"
    out = chosen.out or ROOT / "benchmarks" / "results" / f"{stem}.json"
    parts = {
        "exactness": lambda: exactness(chosen.device),
        "tests": tests,
        "speed": lambda: speed(chosen.device),
    }
    for part, run in parts.items():
        start = time.monotonic()
        try:
            found[part] = run()
        except Exception as error:
            found[part] = {"failed": f"{type(error).__name__}: {error}"}
        found.setdefault("seconds", {})[part] = round(time.monotonic() - start, 1)
        out.write_text(json.dumps(found, indent=1) + "\n")
        print(part, json.dumps(found[part], indent=1), flush=True)
    print(f"written to {out}")


if __name__ == "__main__":
    main()
