"""What `vllm_throughput.py` and `sglang_throughput.py` ask, and whom: a small model whose budgets are always spent.

A side takes requests and gives back, in their order, all ids that were made.
"""

import random
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Request, Sampling
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.engines.engine import Engine, generate

SPECIAL = ("<pad>", "<eos>", "<think>", "</think>")  # ids 0..3
EOS, OPENING, CLOSING = 1, 2, 3
VOCABULARY, CONTEXT = 4096, 256
SOLUTION = 32

Ids = list[int]
Side = Callable[[list[Request]], list[Ids]]


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


def by_engine(engine: Engine, requests: list[Request]) -> list[Ids]:
    traces = sorted(generate(engine, requests), key=lambda trace: trace.request.sample)
    return [list(trace.ids) for trace in traces]
