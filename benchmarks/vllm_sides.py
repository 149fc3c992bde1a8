"""The sides that `vllm_throughput.py` compares: who answers on real vLLM."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import vllm
from budget_load import CLOSING, SOLUTION, Ids, Side, by_engine, size, thought, unbudgeted

from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.wire import to_wire
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.integrations.vllm.processor import BudgetProcessor

START_SECONDS = 180.0
LANDING = Options(loop_breaker=32, soft_landing=8)
UNBUDGETED = ("unbudgeted", "one call")


def directly(llm: vllm.LLM, jobs: Sequence[tuple[Sequence[int], dict[str, Any]]]) -> list[Ids]:
    """Prompts with their sampling parameters, handed to vLLM all at once."""
    prompts = [vllm.TokensPrompt(prompt_token_ids=list(prompt)) for prompt, _ in jobs]
    answers = llm.generate(
        prompts, [vllm.SamplingParams(detokenize=False, **settings) for _, settings in jobs], use_tqdm=False
    )
    return [list(answer.outputs[0].token_ids) for answer in answers]


def in_one_go(llm: vllm.LLM, requests: list[Request], more: Callable[[Request], dict[str, Any]]) -> list[Ids]:
    return directly(llm, [(r.prompt.ids, {"max_tokens": size(r), **more(r)}) for r in requests])


def in_two_phases(llm: vllm.LLM, requests: list[Request]) -> list[Ids]:
    """All thinking, wait for the longest, the delimiter, all solutions."""
    thoughts = directly(llm, [(r.prompt.ids, {"max_tokens": thought(r), "ignore_eos": True}) for r in requests])
    closed = [[*ids, CLOSING] for ids in thoughts]
    prompts = [[*request.prompt.ids, *ids] for request, ids in zip(requests, closed, strict=True)]
    solutions = directly(llm, [(prompt, {"max_tokens": SOLUTION, "ignore_eos": True}) for prompt in prompts])
    return [[*ids, *solution] for ids, solution in zip(closed, solutions, strict=True)]


class OwnTime:
    """What the plug-in's own functions take of the CPU time of a side, run by run.

    Attributes:
        shares: of each run, in their order.
    """

    def __init__(self) -> None:
        self.shares: list[float] = []
        self._seconds = 0.0
        admission = BudgetProcessor.validate_params.__func__  # type: ignore[attr-defined]
        BudgetProcessor.validate_params = classmethod(self._timed(admission))  # type: ignore[assignment]
        for name in ("update_state", "apply"):
            setattr(BudgetProcessor, name, self._timed(getattr(BudgetProcessor, name)))

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*arguments)
            finally:
                self._seconds += time.thread_time() - start

        return timed

    def of(self, side: Side) -> Side:
        """That side, watched."""

        def watched(requests: list[Request]) -> list[Ids]:
            self._seconds, start = 0.0, time.process_time()
            answers = side(requests)
            self.shares.append(self._seconds / (time.process_time() - start))
            return answers

        return watched


@contextmanager
def offline(model: str, num_rows: int) -> Iterator[dict[str, Side]]:
    """One vLLM in this process for all, and one without a prefix cache for the two phases as published."""

    def new(**settings: Any) -> vllm.LLM:
        return vllm.LLM(
            model,
            dtype="float32",
            enforce_eager=True,
            block_size=32,  # at the default of 128 nothing so short is ever found in the prefix cache
            max_num_seqs=num_rows,
            reasoning_parser="qwen3",
            **settings,
        )

    llm, uncached = new(), new(enable_prefix_caching=False)
    yield {
        "plug-in": lambda requests: in_one_go(llm, requests, lambda r: {"extra_args": to_wire(r)}),
        "loop breaker, landing": lambda requests: in_one_go(
            llm, [replace(r, options=LANDING) for r in requests], lambda r: {"extra_args": to_wire(r)}
        ),
        "unbudgeted": lambda requests: in_one_go(llm, requests, lambda r: {"ignore_eos": True}),
        "native budget": lambda requests: in_one_go(llm, requests, lambda r: {"thinking_token_budget": thought(r)}),
        "two phases": lambda requests: in_two_phases(uncached, requests),
        "two phases, prefix cache": lambda requests: in_two_phases(llm, requests),
    }


@contextmanager
def over_http(model: str, num_rows: int) -> Iterator[dict[str, Side]]:
    """A server with the block size that vLLM has on a CPU, and one whose blocks are short enough to be found again."""
    with served(model, num_rows, 128) as default, served(model, num_rows, 32) as short:
        urls = {"": wait_for(*default), ", prefix cache": wait_for(*short)}
        sides: dict[str, Side] = {}
        for name, url in urls.items():
            for mode, side in (("one-pass", "one pass"), ("by-call", "two calls")):
                engine = OpenAIEngine(ServerConfig((url,), tokenizer=model, concurrency=num_rows, mode=mode))
                sides[side + name] = partial(by_engine, engine)
                if not name and mode == "by-call":
                    sides["one call"] = lambda requests, engine=engine: by_engine(
                        engine, list(map(unbudgeted, requests))
                    )
        yield sides


@contextmanager
def served(
    model: str, num_rows: int, block_size: int, *arguments: str
) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """A vLLM server that is about to start: its process, its base URL, and its log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", f"--model={model}", "--host=127.0.0.1"]
    command += [f"--port={port}", "--dtype=float32", "--enforce-eager", "--distributed-executor-backend=uni"]
    command += [f"--block-size={block_size}", f"--max-num-seqs={num_rows}", "--no-enable-chunked-prefill"]
    command += ["--logprobs-mode=processed_logprobs", "--disable-uvicorn-access-log", *arguments]
    log = Path(model) / f"{port}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        yield process, f"http://127.0.0.1:{port}/v1", log
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> str:
    """The base URL, once something answers there."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            urlopen(f"{url}/models", timeout=5).close()
            return url
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"the server does not start:\n{log.read_text()[-2000:]}")
