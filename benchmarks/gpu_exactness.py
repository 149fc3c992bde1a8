"""Whether the transformers engine keeps its promises on a device: every trace before the naive checker of the tests.

python benchmarks/gpu_exactness.py --device cuda --out exactness.json
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from provenance import provenance

from checker import check
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.tasks.arithmetic import Arithmetic
from tiny import CONTEXT, mixed_requests, new_engine, tiny

FAMILIES = ("llama", "qwen2", "qwen3", "mistral", "gemma3", "gpt_oss")
MINIATURES = ("mini", "mini-e1")


def random_model(family: str, device: str, num_requests: int) -> list[dict[str, Any]]:
    """Mixed requests of a tiny model with random weights, in two types."""
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        model = tiny(family).to(device, dtype)
        traces = list(generate(new_engine(model, max_rows=7), mixed_requests(num_requests)))
        found.append(
            {
                "model": family,
                "dtype": str(dtype).removeprefix("torch."),
                "num_traces": len(traces),
                "num_violations": sum(len(check(trace, CONTEXT)) for trace in traces),
            }
        )
        model.to("cpu", torch.float32)
    return found


def miniature(name: str, device: str, num_questions: int) -> dict[str, Any]:
    """A shipped model on the device and on the processor: how many greedy traces are the same."""
    questions = [problem.messages for problem in Arithmetic().problems("test", num_questions)]
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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help="one family, few requests")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)  # small models: more would wait for each other
    families, num_requests, num_questions = (FAMILIES[2:3], 12, 4) if chosen.quick else (FAMILIES, 48, 32)
    found: list[dict[str, Any]] = []
    for model in (*families, *MINIATURES):
        if model in MINIATURES:
            found.append(miniature(model, chosen.device, num_questions))
        else:
            found += random_model(model, chosen.device, num_requests)
        print(found[-1], flush=True)
        chosen.out.write_text(json.dumps({**provenance(), "models": found}, indent=1) + "\n", encoding="utf-8")
    return 1 if any(one["num_violations"] for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
