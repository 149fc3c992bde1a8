"""Tiny random models of many families over the letters of `letters`, and what they would generate, computed naively.

    trace = by_plain_forward(tiny("llama"), letters(), request)

The naive generation has no cache and no batch: each token costs a plain forward of the whole sequence, and is drawn
by walking through the sorted probabilities in float64.
"""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from by_call import banned_of, finish_of, run_by_call
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Call, Completion, OnEos
from elastic_reasoning.core.request import Options, Request, Sampling
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.loading import load_tokenizer
from elastic_reasoning.engines.local.draws import uniforms
from elastic_reasoning.engines.local.engine import TransformersEngine
from letters import letters

NUM_LOGITS = 24  # more than the letters, as the padded vocabularies of real models are
CONTEXT = 96
WINDOW = 6

BASE = {
    "vocab_size": NUM_LOGITS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.3,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": 0,
}
EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}
WINDOWED = {"sliding_window": WINDOW}
MIXED = {**WINDOWED, "layer_types": ["sliding_attention", "full_attention"]}
LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8}

PLAIN_FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {}),
    "qwen3_moe": ("Qwen3Moe", {**EXPERTS, "decoder_sparse_step": 1, "norm_topk_prob": True}),
    "mistral": ("Mistral", WINDOWED),
    "gemma2": ("Gemma2", {**WINDOWED, "query_pre_attn_scalar": 8}),
    "gemma3": ("Gemma3Text", {**MIXED, "query_pre_attn_scalar": 8}),
    "phi3": ("Phi3", {}),
    "gpt2": ("GPT2", {**GPT2, "resid_pdrop": 0.5, "embd_pdrop": 0.5, "attn_pdrop": 0.5}),
    "gpt_neox": ("GPTNeoX", {}),
    "opt": ("OPT", {"ffn_dim": 48, "word_embed_proj_dim": 32, "pad_token_id": 1}),
    "olmo2": ("Olmo2", {}),
    "olmo3": ("Olmo3", MIXED),
    "cohere": ("Cohere", {}),
    "smollm3": ("SmolLM3", {}),
    "granite": ("Granite", {}),
    "gpt_oss": ("GptOss", {**MIXED, **EXPERTS, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}),
}
HYBRID_FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "lfm2": ("Lfm2", {"layer_types": ["conv", "full_attention"]}),
    "qwen3_next": ("Qwen3Next", {**EXPERTS, **LINEAR, "layer_types": ["linear_attention", "full_attention"]}),
}
FAMILIES = PLAIN_FAMILIES | HYBRID_FAMILIES


def build(family: str, **changes: Any) -> Any:
    """A new model of a family, in evaluation mode, with the same weights every time."""
    name, settings = FAMILIES[family]
    config = getattr(transformers, f"{name}Config")(**{**BASE, **settings, **changes})
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(config).float().eval()


@cache
def tiny(family: str = "llama") -> Any:
    """A model that tests share: they leave it as it is."""
    return build(family)


def save(model: Any, folder: Path) -> str:
    """A model with the shipped one's tokenizer, as a folder by name."""
    model.save_pretrained(folder)
    load_tokenizer("mini-e1").save_pretrained(folder)
    return str(folder)


def biased(model: Any, biases: dict[int, float]) -> Any:
    """A copy of a model whose logits of some ids are raised or lowered."""
    model = deepcopy(model)
    bias = torch.zeros(NUM_LOGITS, device=model.device)
    for token, value in biases.items():
        bias[token] = value
    model.get_output_embeddings().register_forward_hook(lambda module, inputs, logits: logits + bias)
    return model


def new_engine(model: Any, template: Template | None = None, max_rows: int = 8) -> TransformersEngine:
    return TransformersEngine(model, None, template or letters(), max_rows)


def prompt(length: int, thinking: Thinking = Thinking.OPEN) -> Prompt:
    """A prompt of letters that are neither delimiters nor ends."""
    return Prompt(tuple(4 + (3 * length + 5 * n) % 12 for n in range(length)), thinking)


def request(
    length: int = 4, budget: str = "6+4", strategy: str = "elastic", sample: int = 0, **options: Any
) -> Request:
    """An open request; options of the strategy by name."""
    return Request(prompt(length), Budget.parse(budget), strategy, Options(**options), sample=sample, name=str(sample))


SAMPLINGS = (
    Sampling(),
    Sampling(temperature=0),
    Sampling(temperature=1.5, seed=1),
    Sampling(top_p=0.7, seed=2),
    Sampling(top_k=3, seed=3),
    Sampling(temperature=0.7, top_p=0.9, top_k=5, seed=4),
)
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("elastic", {}),
    ("elastic", {"wrap_up": "wu"}),
    ("elastic", {"grace": 3}),
    ("elastic", {"min_thinking": 3, "wait": "ab"}),
    ("s1", {"answer_tokens": 2, "answer_text": "xy", "num_waits": 2, "wait": "w"}),
    ("vanilla", {}),
    ("nothinking", {}),
    ("l1-max", {"max_total": 12}),
    ("dynasor", {"probe_every": 3, "probe_text": "w{close}", "probe_tokens": 2, "num_equal": 2}),
    ("deer", {"probe_words": "a,b,c,d,x", "probe_text": "wz", "probe_tokens": 3, "sure_percent": 40}),
    ("nowait", {"forbidden_words": "a,b,x"}),
    ("reminders", {"reminder": "u{part}z", "parts": 3}),
    ("alpha-one", {"slow_after": "a,b,c,d", "slow_text": "wu", "fast_words": "x,y,z"}),
)


def mixed_requests(num: int) -> list[Request]:
    """Requests of all strategies, samplings, states of thinking, lengths of prompts and budgets."""
    states = list(Thinking)
    return [
        Request(
            prompt(1 + n * 5 % 9, states[n // 3 % 3]),
            Budget(3 + n * 7 % 11, n * 3 % 5),
            KINDS[n % len(KINDS)][0],
            Options(**KINDS[n % len(KINDS)][1]),
            SAMPLINGS[n // 2 % len(SAMPLINGS)],
            sample=n,
            name=str(n),
        )
        for n in range(num)
    ]


def by_plain_forward(model: Any, template: Template, asked: Request, context: int | None = CONTEXT) -> Trace:
    """What a request gives without cache, batch or cursor."""

    def complete(ids: tuple[int, ...], call: Call, position: int) -> Completion:
        new: list[int] = []
        logprobs: list[float] = []
        finish = None
        while finish is None:
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([[*ids, *new]]), use_cache=False).logits[0, -1].double().numpy()
            uniform = float(uniforms(asked.sampling.seed, asked.sample, position + len(new), 1)[0])
            banned = frozenset(range(template.num_tokens, NUM_LOGITS)) | banned_of(call, len(new))
            token, logprob = naive_draw(logits, uniform, asked.sampling, banned)
            new.append(token)
            logprobs.append(logprob)
            finish = finish_of(template, call, new)
        kept = len(new) - (finish is Finish.EOS and call.on_eos is OnEos.DISCARD)
        return Completion(tuple(new[:kept]), tuple(logprobs[:kept]), finish)

    return run_by_call(Walk(asked, template, context), complete)


def naive_draw(logits: Any, uniform: float, sampling: Sampling, banned: frozenset[int]) -> tuple[int, float]:
    """One token of logits `[vocabulary]` in float64, and its log-probability before bans and filters."""
    logits = logits / (sampling.temperature or 1.0)
    logprobs = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
    allowed = [token for token in range(len(logits)) if token not in banned]
    probs = {token: np.exp(logits[token] - logits[allowed].max()) for token in allowed}
    by_weight = sorted(allowed, key=lambda token: -probs[token])
    if sampling.temperature == 0:
        return by_weight[0], float(logprobs[by_weight[0]])
    filtered = sampling.top_k or sampling.top_p < 1
    if sampling.top_k:
        by_weight = by_weight[: sampling.top_k]
    mass = sum(probs[token] for token in by_weight)
    kept, sum_kept = [], 0.0
    for token in by_weight:
        if sum_kept < sampling.top_p * mass:
            kept.append(token)
            sum_kept += probs[token]
    order = kept if filtered else sorted(kept)
    target, reached = uniform * sum_kept, 0.0
    for token in order:
        reached += probs[token]
        if reached > target:
            return token, float(logprobs[token])
    return order[-1], float(logprobs[order[-1]])
