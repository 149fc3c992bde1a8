"""vLLM as a server on a free port of this machine, and in this process."""

import json
import os
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from live_server import LiveServer, running

ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}
TIGHT = (
    "--block-size=32",
    "--num-gpu-blocks-override=40",
    "--max-num-batched-tokens=64",
    "--max-num-seqs=32",
    "--distributed-executor-backend=uni",
)
"""Prompts are prefilled in chunks, and sequences are preempted: 40 blocks hold 1280 tokens.

A request with a seed that is prefilled in chunks stops vLLM 0.32 on a CPU ("CPU Generator does not use offset").
"""


class Server(LiveServer):
    """A vLLM server with our plug-in, which it finds by itself.

    Args:
        model: a folder.
        log: what the server writes is appended to this file.
        arguments: of the command.
    """

    def __init__(self, model: str, log: Path, *arguments: str) -> None:
        self.model = model
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", f"--model={model}"]
        command += ["--host=127.0.0.1", "--port={port}", "--enforce-eager", "--dtype=float32"]
        command += ["--logprobs-mode=processed_logprobs", "--disable-uvicorn-access-log"]
        super().__init__([*command, *arguments], log, ENVIRONMENT)

    def post(self, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and answer of a completion."""
        return self.ask("completions", {"return_token_ids": True, **body})

    def ask(self, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and answer of a request to the model."""
        data = json.dumps({"model": self.model, **body}).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def metric(self, name: str) -> float:
        """A counter of the server's."""
        with urllib.request.urlopen(f"{self.root}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


Start = Callable[..., Server]
"""(model by name, arguments) to a server that tests share."""


@contextmanager
def serving(model: str, log: Path, *arguments: str) -> Iterator[Server]:
    """A server that answers; it is ended afterwards."""
    server = Server(model, log, *arguments)
    with running(server):
        yield server


@contextmanager
def in_process(model: str, chat_template_kwargs: Mapping[str, Any] | None = None, **arguments: Any) -> Iterator[Any]:
    """Our engine with these engine arguments of vLLM; it is closed afterwards."""
    from elastic_reasoning.engines.vllm.engine import VllmSettings, load_vllm

    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    fixed = {"enforce_eager": True, "block_size": 32, "distributed_executor_backend": "uni"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # vLLM's own
        settings = VllmSettings(args={**fixed, **arguments})
        engine = load_vllm(model, settings, max_rows=32, dtype="float32", chat_template_kwargs=chat_template_kwargs)
    context = engine._llm.engine_core.resources.ctx
    with closing(engine):
        yield engine
    assert context.closed  # and not left to the garbage collector
