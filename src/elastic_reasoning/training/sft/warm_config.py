"""What a warm start is: the fields of a recipe, of the flags of `elastic warm-start`, and of `WarmStartConfig`."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elastic_reasoning.core.configuration import EXECUTION
from elastic_reasoning.core.errors import TrainingError, unknown
from elastic_reasoning.engines.names import check_model_name
from elastic_reasoning.training.checks import DEVICES, DTYPES, PRECISIONS, SCHEDULES, check_reports


@dataclass(frozen=True)
class WarmStartConfig:
    """Supervised fine-tuning on thoughts."""

    model: str = ""
    """A folder in Hugging Face format, or a hub name."""
    data: str = field(default="", metadata=EXECUTION)  # what is in it does decide: its hash is kept
    """Local JSONL or Parquet file with the fields problem, thinking and solution; with "finished": false where the
    thinking breaks off and the solution goes on from there, so that its closing delimiter has no loss.
    """
    out: str = field(default="runs/warm-start", metadata=EXECUTION)
    """Folder for checkpoints, metrics and the selected model; an interrupted run goes on in it."""
    suffix: str = ""
    """Text that is appended to every problem, such as the instruction that a task will append."""
    opening: str | None = None
    """Opening delimiter of thinking; the tokenizer's own, or <think>, if not given."""
    closing: str | None = None
    """Closing delimiter; the tokenizer's own, or </think>, if not given."""
    chat_template_kwargs: dict[str, Any] = field(default_factory=dict)
    """Arguments of the chat template, as {"enable_thinking": true} or {"thinking": true}."""
    max_tokens: int | None = None
    """Longer rows are left out, and counted; null for the model's context."""
    broken_share: float = 0.0
    """Part of the other examples whose thinking is broken off at a random token before the same solution; for data
    whose solutions hold their own reasoning: others would be learnt as guesses.
    """
    held_out_share: float = 0.02
    """Part of the problems that is held out to measure on."""
    steps: int = 1000
    """Optimizer steps."""
    batch_size: int = 64
    """Rows of one step, over all processes."""
    micro_batch_size: int = 1
    """Rows of one forward and backward pass of one process."""
    learning_rate: float = 1e-5
    """At the start."""
    lr_schedule: str = "cosine"
    """linear (to 0), constant, or cosine."""
    num_lr_warmup_steps: int = 0
    """Optimizer steps of linear rise before that."""
    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm."""
    save_every: int = 100
    """Steps between checkpoints; each is measured on what is held out."""
    seed: int = 0
    """Of the order of rows and of broken thoughts."""
    dtype: str = "float32"
    """Of the weights: float32, bfloat16 or float64."""
    mixed_precision: str = "no"
    """no, or bf16: compute in bfloat16 on float32 weights."""
    gradient_checkpointing: bool = field(default=False, metadata=EXECUTION)
    """Compute activations twice instead of keeping them."""
    device: str = field(default="auto", metadata=EXECUTION)
    """auto, cpu or cuda."""
    report_to: tuple[str, ...] = field(default=(), metadata=EXECUTION)
    """tensorboard, wandb and trackio, any of them."""


def check(config: WarmStartConfig, num_processes: int = 1) -> None:
    """Refuse what cannot be trained, before anything is loaded; `num_processes` is how many train together.

    Raises:
        TrainingError: with the value, what is allowed, and the fix.
        MissingDependencyError: what `report_to` needs is not installed.
    """
    for name, example in (("model", "Qwen/Qwen2.5-Math-1.5B"), ("data", "traces.jsonl")):
        if not getattr(config, name):
            raise TrainingError(f"no {name}: give --{name} {example}")
    if not Path(config.data).is_file():
        why = "a folder" if Path(config.data).is_dir() else "No such file or directory"
        raise TrainingError(f"cannot read {config.data}: {why}; give a local file as data")
    check_model_name(config.model)
    if config.device not in DEVICES:
        raise TrainingError(unknown("device", config.device, DEVICES))
    for name in ("steps", "batch_size", "micro_batch_size", "save_every"):
        if getattr(config, name) < 1:
            raise TrainingError(f"{name} {getattr(config, name)}: must be 1 or more")
    for name in ("learning_rate", "max_grad_norm"):
        if not 0 < getattr(config, name) < math.inf:
            raise TrainingError(f"{name} {getattr(config, name)}: must be a number above 0")
    if not 0 <= config.broken_share <= 1:
        raise TrainingError(f"broken_share {config.broken_share}: must be from 0 to 1")
    if not 0 < config.held_out_share < 1:
        raise TrainingError(f"held_out_share {config.held_out_share}: must be above 0 and below 1")
    together = config.micro_batch_size * num_processes
    if config.batch_size % together:
        raise TrainingError(
            f"batch_size {config.batch_size} is no multiple of micro_batch_size times processes, "
            f"{config.micro_batch_size} * {num_processes}: give one that is"
        )
    for name, known in (("lr_schedule", SCHEDULES), ("dtype", DTYPES), ("mixed_precision", PRECISIONS)):
        if getattr(config, name) not in known:
            raise TrainingError(unknown(name, getattr(config, name), known))
    check_reports(config.report_to)
