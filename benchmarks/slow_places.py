"""Places that were slow once: rows of training, the hash of weights, the self-check at load, a large vocabulary.

    python benchmarks/slow_places.py                  # a table, and results/slow_places.json; a minute
    python benchmarks/slow_places.py --before FILE    # beside the figures of another commit

Processor time of one thread, the least of several runs, so that busy neighbours count little. The hash is of 500 MB,
each time in another process, as a sweep is started. The self-check is tried on the shipped miniature and on a llama
of 135 million random parameters. The vocabulary is of 150,000 random byte-level tokens, of which `grace` must know
which end a line or a sentence. `--print` prints the figures alone, for a `--before` of later.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from provenance import provenance
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.segment import Phase, Segment
from elastic_reasoning.core.template import Prompt, Template, resolve_template
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.loading import load_template, load_weights
from elastic_reasoning.engines.local.self_check import choose_store
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.integrations.row import Row
from elastic_reasoning.integrations.vllm.admission import Served
from elastic_reasoning.rollouts.config import RolloutConfig
from elastic_reasoning.rollouts.rows import as_rows
from elastic_reasoning.rollouts.scoring import Scored

RESULTS = Path(__file__).parent / "results" / "slow_places.json"
NUM_THINKING, NUM_SOLUTION = 800, 200
NUM_BYTES = 500_000_000
NUM_REPEATS = 7
NUM_TOKENS = 150_000
CUTS = ("200+200", "400+200", "800+200")
DIGEST = """
import sys, time
from elastic_reasoning.records.digests import models_digest
began = time.process_time()
models_digest(sys.argv[1:])
print(time.process_time() - began)
"""


def least_seconds(call: Callable[[], Any], num_repeats: int = NUM_REPEATS) -> float:
    """Processor time of a call."""
    found = []
    for _ in range(num_repeats):
        began = time.process_time()
        call()
        found.append(time.process_time() - began)
    return min(found)


def scored(template: Template, budget: str) -> Scored:
    """A rollout that spent its budget."""
    allowed = Budget.parse(budget)
    assert allowed.thinking is not None
    segments = (
        Segment(Phase.THINKING, (9,) * allowed.thinking, True, (-0.5,) * allowed.thinking),
        Segment(Phase.CLOSING, template.closing.forced, False),
        Segment(Phase.SOLUTION, (10,) * NUM_SOLUTION, True, (-0.5,) * NUM_SOLUTION),
    )
    trace = Trace(Request(Prompt((5, 6)), allowed, "elastic"), segments, template)
    return Scored(trace, Grade(correct=True, answer="1"), 1.0, None)


def rows() -> dict[str, float]:
    """Milliseconds for a thousand tokens."""
    _, template = load_template("mini")
    whole = RolloutConfig(budgets=(f"{NUM_THINKING}+{NUM_SOLUTION}",), samples_per_prompt=8)
    cuts = RolloutConfig(plan="anytime", budgets=CUTS, samples_per_prompt=8)
    figures = {}
    for name, config in (("one budget", whole), ("three cuts of a thinking", cuts)):
        rollouts = [scored(template, budget) for _ in range(8) for budget in config.budgets]
        num_tokens = sum(len(one.trace.ids) for one in rollouts)
        seconds = least_seconds(lambda r=rollouts, c=config: as_rows(r, c, filler=3))  # type: ignore[misc]
        figures[f"rows, {name}, ms per 1,000 tokens"] = 1e6 * seconds / num_tokens
    return figures


def digests() -> dict[str, float]:
    """Seconds of the first start of a sweep, and of the next."""
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        weights = Path(folder) / "model.safetensors"
        weights.write_bytes(os.urandom(1 << 20) * (NUM_BYTES >> 20))
        time.sleep(3)  # a hash is kept of a file that has been left alone
        environment = {**os.environ, "XDG_CACHE_HOME": folder}
        command = [sys.executable, "-c", DIGEST, folder]
        first, *later = (
            float(subprocess.run(command, env=environment, capture_output=True, check=True).stdout) for _ in range(4)
        )
    return {"hash of 500 MB, first, s": first, "hash of 500 MB, again, s": min(later)}


def self_checks() -> dict[str, float]:
    """Forward passes and seconds."""
    torch.manual_seed(0)
    shape = {"num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152}
    config = LlamaConfig(hidden_size=576, intermediate_size=1536, tie_word_embeddings=True, **shape)
    checked = {"mini": load_weights("mini", "float32").eval(), "llama, 135M": LlamaForCausalLM(config).eval()}
    figures = {}
    for name, model in checked.items():
        passes: list[None] = []
        hook = model.base_model.register_forward_pre_hook(lambda *_, seen=passes: seen.append(None))
        choose_store(model, 64)
        hook.remove()
        figures[f"self-check of {name}, passes"] = float(len(passes))
        figures[f"self-check of {name}, s"] = least_seconds(lambda m=model: choose_store(m, 64))  # type: ignore[misc]
    return figures


def vocabulary() -> dict[str, float]:
    """Seconds until all tokens are known."""
    letters, chance = sorted(pre_tokenizers.ByteLevel.alphabet()), random.Random(0)
    tokens = {letter: index for index, letter in enumerate(letters)}
    while len(tokens) < NUM_TOKENS:
        tokens.setdefault("".join(chance.choices(letters, k=chance.randrange(2, 8))), len(tokens))
    model = Tokenizer(models.BPE(vocab=tokens, merges=[]))
    model.pre_tokenizer, model.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, eos_token=letters[0])
    tokenizer.add_tokens(["<think>", "</think>"])
    template = resolve_template(tokenizer)
    start = least_seconds(lambda: template.boundaries, 1)  # vLLM's worker does so before it takes requests
    request = Request(Prompt((5, 6)), Budget(4, 4), "elastic", Options(grace=2))
    walk = Walk(request, template if hasattr(Served, "prepare") else resolve_template(tokenizer))
    row = Row(walk, [*template.opening.ids], end=min(template.eos))
    row.output += [9, 9]
    figures = {"150,000 tokens, first grace of a vLLM worker, s": least_seconds(row.advance, 1)}
    return {**figures, "150,000 tokens, at its start, s": start if hasattr(Served, "prepare") else 0.0}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", help="the figures as JSON, and nothing else")
    parser.add_argument("--before", type=Path, help="such figures of another commit")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    figures = {
        name: float(f"{value:.3g}") for name, value in {**rows(), **digests(), **self_checks(), **vocabulary()}.items()
    }
    if arguments.print:
        print(json.dumps(figures, indent=1))
        return 0
    before = json.loads(arguments.before.read_text()) if arguments.before else {}
    table = Table("place", "before", "now")
    for name, value in figures.items():
        table.add_row(name, str(before.get(name, "")), f"{value:g}")
    Console().print(table)
    RESULTS.write_text(json.dumps({**provenance(), "before": before, "now": figures}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
