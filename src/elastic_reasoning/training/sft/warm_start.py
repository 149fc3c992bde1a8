"""Warm start: supervised fine-tuning that teaches a model to think between delimiters, on TRL's `SFTTrainer`.

    result = warm_start(WarmStartConfig(model="Qwen/Qwen2.5-Math-1.5B", data="traces.jsonl", out="runs/warm"))
    load(str(result.folder))

A run lives in a folder as one of `elastic_reasoning.training.trl.grpo` does: it goes on where it was interrupted, and
its model is the checkpoint with the least held-out loss. What counts as a checkpoint's accuracy there is exp(-loss),
the geometric mean of the probabilities of held-out tokens.
"""

import logging
import math
import random
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from elastic_reasoning.core.configuration import deciding
from elastic_reasoning.core.errors import TrainingError, require
from elastic_reasoning.engines.loading import load_tokenizer, load_weights
from elastic_reasoning.engines.model_files import find_end_ids
from elastic_reasoning.engines.names import model_path
from elastic_reasoning.training.checkpoints import (
    Checkpoint,
    checkpoints,
    mark_complete,
    prune,
    select,
    selected,
)
from elastic_reasoning.training.clock import PEAKS, SECONDS, StepClock
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.folder import Metrics, OnStep, find_run, run_lock, saving, write_config, writing
from elastic_reasoning.training.processes import init_distributed, num_launched, on_cpu
from elastic_reasoning.training.reports import reporting_in
from elastic_reasoning.training.sft.thinking_format import add_thinking_format
from elastic_reasoning.training.sft.traces import Example, Examples, draw_cut, order, read_examples
from elastic_reasoning.training.sft.warm_config import WarmStartConfig, check
from elastic_reasoning.training.trl.timing import time_steps
from elastic_reasoning.training.trl.trainer import OPTIMIZER, checkpointing, quietly, silence

logger = logging.getLogger(__name__)

LEAST = 5e-324  # a mean probability that is no longer told from 0


@dataclass(frozen=True, slots=True)
class WarmStartResult:
    """What a warm start ended with.

    Attributes:
        folder: the selected model in Hugging Face format.
        step: the step it is from.
        held_out_loss: cross-entropy a token on held-out problems, in nats: the mean over micro-batches.
        resumed_from: the step at which this run took up an earlier one, 0 for a fresh run.
    """

    folder: Path
    step: int
    held_out_loss: float
    resumed_from: int


def warm_start(
    config: WarmStartConfig,
    on_step: OnStep = lambda step, metrics: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> WarmStartResult:
    """Fine-tune, or go on with a run that was interrupted.

    Args:
        config: the run.
        on_step: called after every step with its number and metrics, and again when a step was measured.
        on_note: called with what is worth knowing of the rows.

    Raises:
        TrainingError: the configuration cannot be trained, the folder holds another run or cannot be written, or the
            loss is no longer a number.
        TaskError: the data cannot be read.
        EngineError, TemplateError: the model cannot be loaded, or given a thinking format.
        MissingDependencyError: TRL is not installed.
    """
    check(config, num_launched())
    require("trl", "train")
    require("datasets", "train")
    out = Path(config.out)
    logger.info("loading torch, transformers and TRL")
    processes = init_distributed(TrainConfig(device=config.device))
    main = processes.is_main_process
    with run_lock(out) if main else nullcontext():
        if main:
            find_run(out, _decisive(config))
        processes.wait_for_everyone()
        start = next(reversed(checkpoints(out)), None)
        if start is None or start.step < config.steps:
            _run(config, out, start, processes, on_step, on_note)
        best = selected(out)
    if best is None:
        raise TrainingError(f"{out} has no complete checkpoint: give another out")
    return WarmStartResult(best.folder, best.step, -math.log(best.accuracy or LEAST), start.step if start else 0)


def _decisive(config: WarmStartConfig) -> dict[str, Any]:
    """What decides the outcome of a run, the rows of its data among it, wherever the file lies.

    Raises:
        TrainingError: the data cannot be read.
    """
    try:
        digest = blake2b(Path(config.data).read_bytes(), digest_size=16).hexdigest()
    except OSError as error:
        raise TrainingError(f"cannot read {config.data}: {error.strerror}; give a local file as data") from None
    return {"warm_start_on": digest, **deciding(config)}


def _run(
    config: WarmStartConfig,
    out: Path,
    start: Checkpoint | None,
    processes: Any,
    on_step: OnStep,
    on_note: Callable[[str], None],
) -> None:
    trl = require("trl", "train")
    datasets = require("datasets", "train")
    with quietly(), reporting_in(out, config.report_to):
        arguments = _arguments(trl, config, processes.num_processes)  # before the model: under ZeRO-3 it decides how
        tokenizer, model = load_tokenizer(config.model), load_weights(config.model, config.dtype)
        examples = _examples(config, model, tokenizer)
        if processes.is_main_process:
            write_config(out, _decisive(config))
            on_note(_summary(config, examples))
        rows = list(order([len(example) for example in examples.train], config.steps, config.batch_size, config.seed))
        metrics = Metrics(out / "metrics.jsonl", start.step if start else 0, on_step, processes.is_main_process)
        trainer = trl.SFTTrainer(
            model=model,
            args=arguments,
            processing_class=tokenizer,
            train_dataset=datasets.Dataset.from_dict({"place": list(range(len(rows)))}),
            eval_dataset=datasets.Dataset.from_dict({"held_out": list(range(len(examples.held_out)))}),
            data_collator=_collator(trl, config, examples, rows, tokenizer),
            callbacks=[_keeper(metrics, out, processes)],
        )
        silence(trainer)
        time_steps(trainer, StepClock(processes.device))
        trainer._save_checkpoint = saving(out)(trainer._save_checkpoint)
        trainer.train(resume_from_checkpoint=str(start.folder) if start else None)


def _examples(config: WarmStartConfig, model: Any, tokenizer: Any) -> Examples:
    """The rows of the data, for a model and a tokenizer that are given a thinking format."""
    ends = find_end_ids(model_path(config.model))
    renderer = add_thinking_format(
        model, tokenizer, config.opening, config.closing, ends, chat_template_kwargs=config.chat_template_kwargs
    )
    model.generation_config.eos_token_id = sorted({*ends, tokenizer.eos_token_id})
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    limit = min(filter(None, (config.max_tokens, context)), default=None)
    return read_examples(Path(config.data), renderer, config.suffix, limit, config.held_out_share)


def _summary(config: WarmStartConfig, examples: Examples) -> str:
    num = len(examples.train)
    passes = config.steps * config.batch_size / num
    left_out = f", {examples.num_too_long} left out as too long" if examples.num_too_long else ""
    return f"{num} rows to learn from ({passes:.2g} passes), {len(examples.held_out)} held out{left_out}"


def _collator(
    trl: Any, config: WarmStartConfig, examples: Examples, rows: list[int], tokenizer: Any
) -> Callable[[list[dict[str, int]]], Any]:
    """Places in the order of rows to a padded batch. What is broken, and where, is a function of seed and place."""
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    pad = tokenizer.pad_token_id
    padded = DataCollatorForLanguageModeling(tokenizer.eos_token_id if pad is None else pad)

    def labelled(place: int) -> dict[str, list[int]]:
        example: Example = examples.train[rows[place]]
        return example.labelled(draw_cut(example, config.broken_share, random.Random(f"broken {config.seed} {place}")))

    def collate(batch: list[dict[str, int]]) -> Any:
        if "held_out" in batch[0]:
            return padded([examples.held_out[one["held_out"]].labelled() for one in batch])
        return padded([labelled(one["place"]) for one in batch])

    return collate


def _keeper(metrics: Metrics, out: Path, processes: Any) -> Any:
    """A callback that logs every step and every measurement, and declares checkpoints whole."""
    from transformers import TrainerCallback

    class Keeper(TrainerCallback):
        held_out_loss = math.nan

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **kwargs: Any) -> None:
            if "eval_loss" in logs:
                self.held_out_loss = logs["eval_loss"]
                logs = {
                    "held_out_loss": self.held_out_loss,
                    "held_out_token_accuracy": logs["eval_mean_token_accuracy"],
                }
            elif "loss" in logs:
                names = ("loss", "mean_token_accuracy", "grad_norm", "learning_rate", *SECONDS, *PEAKS.values())
                logs = {name: logs[name] for name in names if name in logs}
            else:
                return
            for name in {"loss", "grad_norm", "held_out_loss"} & logs.keys():
                if not math.isfinite(logs[name]):
                    raise TrainingError(
                        f"the {name} of step {state.global_step} is {logs[name]}: start again with a smaller "
                        "learning_rate or max_grad_norm and another out (the last complete checkpoint is kept)"
                    )
            metrics.write(state.global_step, logs)

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            processes.wait_for_everyone()  # until every process has written its part of the checkpoint
            if processes.is_main_process:
                step = state.global_step
                with writing(out):
                    probability = math.exp(-self.held_out_loss)
                    mark_complete(out / "checkpoints" / f"checkpoint-{step}", step, probability, probability)
                    select(out)
                    prune(out)
            processes.wait_for_everyone()

    return Keeper()


def _arguments(trl: Any, config: WarmStartConfig, num_processes: int) -> Any:
    """TRL's configuration. The data set is the order of rows for the whole run; what is saved is measured before."""
    cpu = on_cpu(TrainConfig(device=config.device))
    arguments = trl.SFTConfig(
        output_dir=str(Path(config.out) / "checkpoints"),
        run_name=Path(config.out).name,
        max_steps=config.steps,
        per_device_train_batch_size=config.micro_batch_size,
        per_device_eval_batch_size=config.micro_batch_size,
        gradient_accumulation_steps=config.batch_size // (config.micro_batch_size * num_processes),
        train_sampling_strategy="sequential",
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        max_length=None,
        learning_rate=config.learning_rate,
        lr_scheduler_type="constant_with_warmup" if config.lr_schedule == "constant" else config.lr_schedule,
        warmup_steps=config.num_lr_warmup_steps,
        weight_decay=0.0,
        optim=OPTIMIZER,
        max_grad_norm=config.max_grad_norm,
        seed=config.seed,
        eval_strategy="steps",
        eval_steps=config.save_every,
        prediction_loss_only=True,
        save_strategy="steps",
        save_steps=config.save_every,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=list(config.report_to) or "none",
        disable_tqdm=True,
        bf16=config.mixed_precision == "bf16",
        **checkpointing(trl.SFTConfig, config.gradient_checkpointing),
        use_cpu=cpu,
        dataloader_pin_memory=not cpu,
        ddp_find_unused_parameters=False,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # transformers would spread a batch over every GPU it sees
    return arguments
