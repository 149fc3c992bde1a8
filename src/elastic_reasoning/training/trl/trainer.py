"""The adapter to TRL's `GRPOTrainer`: the one file that knows its experimental `rollout_func`.

What is relied on of TRL, and pinned by a contract test: `rollout_func` is called once for each batch of rollouts with
its prompts, each already repeated; `env_mask` becomes the loss mask; other keys are put into the inputs; a reward of
`None` counts nowhere; `log_metric` is averaged into the logs; the loss is taken at the trainer's temperature; and
advantages may differ from token to token, which is how thinking and solution get their own.
"""

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from elastic_reasoning.core.errors import ElasticError, TrainingError, require
from elastic_reasoning.core.template import Template
from elastic_reasoning.rollouts.plan import Plan
from elastic_reasoning.rollouts.rows import Row
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.processes import on_cpu
from elastic_reasoning.training.trl.vllm_policy import vllm_arguments

RollOut = Callable[[Any, Sequence[Any], int], tuple[list[Row], list[float | None], dict[str, float]]]
"""(trainer, prompts, each repeated; step, from 0) to rows, their rewards, and what is to be logged."""
UNSCORABLE = "All reward functions returned None"
OPTIMIZER = "adamw_torch_fused"
"""AdamW as one kernel over all parameters, on GPUs and on CPUs: the tested torch has it for both."""
NO_LIMIT = 1 << 20
"""Stands for the length of rollouts that only the context ends. TRL uses it for loss dr_grpo alone."""


def new_arguments(config: TrainConfig, num_processes: int, run: Path) -> Any:
    """TRL's configuration; what it has to say on sampling is derived from ours.

    Rollouts and optimisation are aligned: the rollouts of a step make its `updates_per_step` optimizer steps and no
    others, so that a checkpoint never falls between the two. The data set is the order of problems for the whole run.

    Raises:
        TrainingError: what was launched would split the model over CPUs.
    """
    trl = require("trl", "train")
    if on_cpu(config) and "true" in (os.environ.get(f"ACCELERATE_USE_{way}") for way in ("FSDP", "DEEPSPEED")):
        raise TrainingError(f"a model is split over GPUs, not on device {config.device}: launch with ddp.yaml")
    sampling = config.rollouts.sampling(config.seed)
    num_micro_batches = config.num_rollouts // (num_processes * config.micro_batch_size)
    arguments = trl.GRPOConfig(
        output_dir=str(run / "checkpoints"),
        run_name=run.name,
        max_steps=config.steps * config.updates_per_step,
        per_device_train_batch_size=config.micro_batch_size,
        gradient_accumulation_steps=num_micro_batches // config.updates_per_step,
        steps_per_generation=num_micro_batches,
        num_iterations=1,
        num_generations=config.rollouts.rollouts_per_prompt,
        shuffle_dataset=False,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        disable_dropout=config.lora.dropout == 0,
        learning_rate=config.learning_rate,
        lr_scheduler_type="constant_with_warmup" if config.lr_schedule == "constant" else config.lr_schedule,
        warmup_steps=config.num_lr_warmup_steps,
        weight_decay=config.weight_decay,
        entropy_coef=config.entropy_bonus,
        max_grad_norm=config.max_grad_norm,
        optim=OPTIMIZER,
        beta=config.beta,
        use_bias_correction_kl=False,  # the plain low-variance estimator, as in the published runs
        epsilon=config.epsilon,
        epsilon_high=config.epsilon_high,
        loss_type=config.loss,
        max_completion_length=Plan(config.rollouts, config.steps, config.seed).largest or NO_LIMIT,
        seed=config.seed,
        save_strategy="steps",
        save_steps=config.save_every * config.updates_per_step,
        logging_steps=config.updates_per_step,
        logging_nan_inf_filter=False,
        report_to=list(config.report_to) or "none",
        project="elastic-reasoning",  # of trackio, whose logs stay on this machine
        trackio_space_id=None,
        trackio_static_space_id=False,
        disable_tqdm=True,
        bf16=config.mixed_precision == "bf16",
        **checkpointing(trl.GRPOConfig, config.gradient_checkpointing),
        use_cpu=on_cpu(config),
        dataloader_pin_memory=not on_cpu(config),
        ddp_find_unused_parameters=False,
        **vllm_arguments(config),
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # transformers would spread a batch over every GPU it sees
    return arguments


def checkpointing(arguments: type[Any], on: bool) -> dict[str, bool]:
    """The argument that switches checkpointing of activations, by its name in the installed transformers.

    Newer ones call it `activation_checkpointing`, and warn where the old name alone is given.
    """
    new = "activation_checkpointing"
    return {new if new in arguments.__dataclass_fields__ else "gradient_checkpointing": on}


def new_trainer(
    config: TrainConfig, arguments: Any, model: Any, tokenizer: Any, dataset: Any, roll_out: RollOut, callback: Any
) -> Any:
    """A `GRPOTrainer` that learns from our rollouts, with our advantages."""
    trl = require("trl", "train")

    def rollout_func(prompts: list[Any], trainer: Any) -> dict[str, Any]:
        step = trainer.state.global_step // config.updates_per_step
        rows, rewards, metrics = roll_out(trainer, prompts, step)
        logprobs = [row.logprobs for row in rows]
        known = not any(row is None for row in logprobs)
        if trainer.use_vllm and not known:
            raise TrainingError("vLLM gave no log-probabilities: serve it with --logprobs-mode processed_logprobs")
        return {
            "prompt_ids": [row.prompt_ids for row in rows],
            "completion_ids": [row.completion_ids for row in rows],
            "logprobs": logprobs if known else None,
            "env_mask": [row.loss_mask for row in rows],
            "advantages": [row.advantages for row in rows],
            "earned": rewards,
            "measured": [metrics] * len(rows),
        }

    def reward(
        earned: list[float | None],
        measured: list[dict[str, float]],
        log_metric: Callable[[str, float], None],
        **kwargs: Any,
    ) -> list[float | None]:
        for name, value in measured[0].items():
            log_metric(name, value)
        return earned

    with _one_line_errors(config):
        trainer = trl.GRPOTrainer(
            model=model,
            args=arguments,
            processing_class=tokenizer,
            train_dataset=dataset,
            reward_funcs=reward,
            rollout_func=rollout_func,
            callbacks=[callback],
            peft_config=_lora(config),
        )
    _use_token_advantages(trainer)
    _trim_padding(trainer)
    silence(trainer)
    return trainer


@contextmanager
def _one_line_errors(config: TrainConfig) -> Iterator[None]:
    """What goes wrong while the trainer is made as one line: adapters that fit no layer, a vLLM that does not start."""
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        if isinstance(error, ElasticError):
            raise
        if type(error).__module__.startswith("peft"):
            what = f"lora.targets {list(config.lora.targets)}"
        elif config.engine == "transformers":
            raise
        else:
            what = config.engine + (f" at {config.vllm.url}" if config.engine == "vllm-server" else "")
        raise TrainingError(f"{what} cannot be used: {' '.join(str(error).split())[:300]}") from error


def _use_token_advantages(trainer: Any) -> None:
    """Let the loss see an advantage for each token, in place of one for each rollout."""
    generate_and_score = trainer._generate_and_score_completions

    def with_advantages(inputs: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = generate_and_score(inputs)
        dtype = torch.float64 if trainer.model.dtype == torch.float64 else torch.float32
        advantages = torch.zeros(batch["completion_ids"].shape, dtype=dtype)  # (rows, tokens)
        for row, one in zip(advantages, inputs, strict=True):
            row[: len(one["advantages"])] = torch.tensor(one["advantages"], dtype=dtype)
        batch["advantages"] = advantages.to(batch["completion_ids"].device)
        return batch

    trainer._generate_and_score_completions = with_advantages


def _trim_padding(trainer: Any) -> None:
    """Pad a micro batch to its own longest rollout, where TRL pads it to the longest of the step."""
    prepare = trainer._prepare_inputs

    def trimmed(generation_batch: Any) -> dict[str, Any]:
        batch: dict[str, Any] = prepare(generation_batch)
        lengths = {part: int(batch[f"{part}_mask"].sum(1).max()) for part in ("prompt", "completion")}
        whole = batch["completion_ids"].shape  # (rows, tokens)
        rows = {name: value for name, value in batch.items() if getattr(value, "ndim", 0) == 2}
        prompts = {name: rows[name][:, -lengths["prompt"] :] for name in ("prompt_ids", "prompt_mask")}
        completions = {
            name: value[:, : lengths["completion"]]
            for name, value in rows.items()
            if name not in prompts and value.shape == whole
        }
        return {**batch, **prompts, **completions}

    trainer._prepare_inputs = trimmed


def _lora(config: TrainConfig) -> Any:
    if not config.lora.rank:
        return None
    peft = require("peft", "train")
    return peft.LoraConfig(
        r=config.lora.rank,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        target_modules=list(config.lora.targets) or "all-linear",
        task_type="CAUSAL_LM",
    )


def silence(trainer: Any) -> None:
    """Print no logs, and write no model card into the folder of checkpoints: both are ours to tell."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    trainer.create_model_card = lambda **kwargs: None
    model = trainer.model  # its tied weights are saved once; a checkpoint without the copies is not to be warned of
    tied = getattr(model, "all_tied_weights_keys", None)
    if tied:
        model._keys_to_ignore_on_save = {*(model._keys_to_ignore_on_save or ()), *tied}


@contextmanager
def quietly() -> Iterator[None]:
    """Without the warning that `rollout_func` is experimental, TRL's message to its makers, the old names by which it
    and peft still ask newer transformers for checkpointing, and its print-out of every rollout without a reward: those
    are counted."""
    from huggingface_hub import constants

    before = constants.HF_HUB_DISABLE_TELEMETRY
    constants.HF_HUB_DISABLE_TELEMETRY = True
    log = logging.getLogger("trl.trainer.grpo_trainer")
    log.addFilter(_is_news)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*rollout_func.*experimental")
            warnings.filterwarnings("ignore", message="TRL currently supports vLLM versions")  # the tested one works
            warnings.filterwarnings("ignore", r"`(is_)?gradient_checkpointing\w*` is deprecated", FutureWarning)
            yield
    finally:
        log.removeFilter(_is_news)
        constants.HF_HUB_DISABLE_TELEMETRY = before


def _is_news(record: logging.LogRecord) -> bool:
    return UNSCORABLE not in record.getMessage()


def filler_id(tokenizer: Any, template: Template) -> int:
    """The id of the masked token that stands for a rollout which is not learnt from."""
    return int(tokenizer.eos_token_id if tokenizer.eos_token_id is not None else min(template.eos))
