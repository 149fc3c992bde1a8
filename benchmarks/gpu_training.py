"""A step of training on one GPU: where its time goes, and how much memory it takes beside what a dry run says.

    python benchmarks/gpu_training.py --device cuda --out training.json
    python benchmarks/gpu_training.py --quick --out training.json          # tiny sizes, on a processor

A model of Qwen2.5-1.5B's shape with random weights trains for `NUM_STEPS` steps under E1's budgets in each of
`LAYOUTS`. Its tokens are drawn from a vocabulary in which delimiters and ends are one word in thousands, so that nearly
every rollout takes its whole budget: lengths, and so time and memory, are the most that the run can come to. Of its
rewards, which are all 0, nothing is learnt. No checkpoint is written: the run is broken off after its last step.
"""

import argparse
import gc
import json
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from provenance import provenance
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, Qwen2Config

from elastic_reasoning.miniature.tokenizer import build_tokenizer
from elastic_reasoning.rollouts.config import RolloutConfig
from elastic_reasoning.training.clock import PEAKS, told, typical_step
from elastic_reasoning.training.config import Lora, TrainConfig
from elastic_reasoning.training.dry_run.dry_run import resolve
from elastic_reasoning.training.trl.grpo import train

NUM_STEPS = 4
MOST_OVER = 1.1
"""A dry run leaves out what an allocator wastes and the libraries' own buffers: so many times what it says is right."""
MEMORY = "memory of a device, at most"
PARTS = ("weights", "gradients", "moments", "working", "activations", "logits", "cache", "copies", "staying")
LAYOUTS: dict[str, dict[str, Any]] = {
    "float32 weights, bf16": {"mixed_precision": "bf16", "gradient_checkpointing": True},
    "bfloat16 weights": {"dtype": "bfloat16", "gradient_checkpointing": True},
    "LoRA, rank 32, bf16": {"mixed_precision": "bf16", "lora": Lora(rank=32)},
}


@dataclass(frozen=True)
class Size:
    """How large the model is, and what a step does."""

    vocabulary: int = 151936
    hidden: int = 1536
    feed_forward: int = 8960
    num_layers: int = 28
    num_heads: int = 12
    budget: str = "192+64"
    prompts_per_step: int = 8
    samples_per_prompt: int = 8
    micro_batch_size: int = 16


QUICK = Size(4096, 64, 192, 2, 4, "12+4", 2, 2, 2)


@dataclass(frozen=True)
class Measured:
    """What one layout came to.

    Attributes:
        layout: its name.
        num_steps: how many were timed.
        typical: seconds and peaks, as `elastic_reasoning.training.clock.typical_step` has them.
        sampled_tokens: of a step, forced ones not among them.
        left_over_bytes: what torch had allocated before the run.
        dry_run: bytes that the dry run says: `generating`, `optimising` and their parts.
        measured_over_said: by generating and optimising, what was allocated over what the dry run says; at most
            `MOST_OVER` is wanted. Empty on a processor, where nobody counts.
    """

    layout: str
    num_steps: int
    typical: dict[str, float]
    sampled_tokens: float
    left_over_bytes: int
    dry_run: dict[str, int]
    measured_over_said: dict[str, float] = field(default_factory=dict)


class _EnoughError(Exception):
    """All steps were timed."""


def write_model(folder: Path, size: Size, device: str) -> None:
    """A model with random weights, and the miniature's tokenizer with words up to the size of the vocabulary."""
    tokenizer = build_tokenizer()
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    words = state["model"]["vocab"]
    words |= {f"word{n}": n for n in range(len(tokenizer), size.vocabulary)}
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.save_pretrained(folder)
    config = Qwen2Config(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.feed_forward,
        num_hidden_layers=size.num_layers,
        num_attention_heads=size.num_heads,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)


def measure(folder: Path, size: Size, device: str, layout: str, out: Path) -> Measured:
    """Train in one layout."""
    config = TrainConfig(
        model=str(folder),
        out=str(out),
        rollouts=RolloutConfig(budgets=(size.budget,), samples_per_prompt=size.samples_per_prompt),
        steps=NUM_STEPS + 1,
        save_every=NUM_STEPS + 1,
        prompts_per_step=size.prompts_per_step,
        micro_batch_size=size.micro_batch_size,
        num_validation_problems=1,
        num_problems=64,
        device=device,
    )
    config = replace(config, **LAYOUTS[layout])
    memory = resolve(config).to_dict()[MEMORY]
    said = {name: int(memory[name]["value"]["whole"]) for name in (*PEAKS, *PARTS)}
    left_over = torch.cuda.memory_allocated() if device == "cuda" else 0
    steps: list[dict[str, float]] = []

    def on_step(step: int, metrics: dict[str, float]) -> None:
        steps.append(metrics)
        if step == NUM_STEPS:
            raise _EnoughError

    with suppress(_EnoughError):
        train(config, on_step)
    typical = typical_step(steps)
    sampled = config.num_rollouts * sum(step["sampled_tokens"] for step in steps) / len(steps)
    over = {kind: round(typical[name] / said[kind], 3) for kind, name in PEAKS.items() if name in typical}
    return Measured(layout, len(steps) - 1, typical, sampled, left_over, said, over)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    size, found = QUICK if chosen.quick else Size(), []
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder, "model"), size, chosen.device)
        for number, layout in enumerate(LAYOUTS):
            found.append(measure(Path(folder, "model"), size, chosen.device, layout, Path(folder, f"run{number}")))
            print(f"{layout}: {told(found[-1].typical)}; over what the dry run says: {found[-1].measured_over_said}")
            layouts = [asdict(one) for one in found]
            report = {**provenance(), "size": asdict(size), "most_over": MOST_OVER, "layouts": layouts}
            chosen.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
            gc.collect()  # the trainer holds itself
            if chosen.device == "cuda":
                torch.cuda.empty_cache()
    return 1 if any(over > MOST_OVER for one in found for over in one.measured_over_said.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
