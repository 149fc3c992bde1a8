"""The sides that `vllm_throughput.py` compares: a small model, what it is asked, and who answers on real vLLM.

A side takes requests and gives back, in their order, all ids that were made.
"""

import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import torch
import transformers
import vllm
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Request, Sampling
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.wire import to_wire
from elastic_reasoning.engines.engine import Engine, generate
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine

SPECIAL = ("<pad>", "<eos>", "<think>", "</think>")  # ids 0..3
EOS, OPENING, CLOSING = 1, 2, 3
VOCABULARY, CONTEXT = 4096, 256
SOLUTION = 32
START_SECONDS = 180.0
UNBUDGETED = ("unbudgeted", "one call")

Ids = list[int]
Side = Callable[[list[Request]], list[Ids]]


# The model and what it is asked.


def write_model(folder: Path, context: int = CONTEXT, scale: int = 1) -> None:
    """A Qwen3 of random weights that never samples a special token, and its tokenizer; `scale` times as wide."""
    config = transformers.Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=128 * scale,
        intermediate_size=384 * scale,
        num_hidden_layers=4,
        num_attention_heads=4 * scale,
        num_key_value_heads=2 * scale,
        head_dim=32,
        max_position_embeddings=context,
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=EOS,
    )
    torch.manual_seed(0)
    model = transformers.Qwen3ForCausalLM(config)
    with torch.no_grad():  # the first hidden feature is 1 throughout, and tells against special tokens
        model.model.embed_tokens.weight[:, 0] = 1.0
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight[0] = 0.0
            layer.mlp.down_proj.weight[0] = 0.0
        model.lm_head.weight[: len(SPECIAL)] = 0.0
        model.lm_head.weight[: len(SPECIAL), 0] = -1e4
    model.save_pretrained(folder)
    words = [*SPECIAL, *(f"w{number}" for number in range(len(SPECIAL), VOCABULARY))]
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token=SPECIAL[0]))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL[0],
        eos_token=SPECIAL[EOS],
        additional_special_tokens=[SPECIAL[OPENING], SPECIAL[CLOSING]],
    ).save_pretrained(folder)


def new_requests(thinking: str, num_requests: int, seed: int) -> list[Request]:
    """Prompts of 8 to 24 random ids, too short for the prefix cache, and t in 8..128, or 68 for all."""
    draw = random.Random(seed)
    requests = []
    for sample in range(num_requests):
        prompt = [*draw.choices(range(len(SPECIAL), VOCABULARY), k=draw.randint(8, 24)), OPENING]
        budget = Budget(draw.randint(8, 128) if thinking == "mixed" else 68, SOLUTION)
        requests.append(
            Request(Prompt(tuple(prompt), Thinking.OPEN), budget, sampling=Sampling(seed=seed), sample=sample)
        )
    return requests


def thought(request: Request) -> int:
    assert request.budget.thinking is not None
    return request.budget.thinking


def size(request: Request) -> int:
    """All tokens of the completion, the delimiter among them."""
    return thought(request) + 1 + SOLUTION


def unbudgeted(request: Request) -> Request:
    """As many tokens, all of them sampled in one go."""
    prompt = Prompt(request.prompt.ids, Thinking.CLOSED)
    return Request(prompt, Budget(0, size(request)), "vanilla", sampling=request.sampling, sample=request.sample)


def check(requests: list[Request], answers: list[Ids], budgeted: bool) -> int:
    """How many tokens were made, all of which must be what was asked for."""
    for request, ids in zip(requests, answers, strict=True):
        marks = [(place, token) for place, token in enumerate(ids) if token < len(SPECIAL)]
        wanted = [(thought(request), CLOSING)] if budgeted else []
        if len(ids) != size(request) or marks != wanted:
            raise SystemExit(f"wrong: {len(ids)} tokens for {size(request)}, special ones {marks} for {wanted}")
    return sum(map(len, answers))


# The sides.


def by_engine(engine: Engine, requests: list[Request]) -> list[Ids]:
    traces = sorted(generate(engine, requests), key=lambda trace: trace.request.sample)
    return [list(trace.ids) for trace in traces]


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
