"""E1 training on TRL's `GRPOTrainer`: the one file that knows its experimental `rollout_func`.

    result = train(TrainConfig(model="mini", budget="24+20", out="runs/e1"))
    load(str(result.folder))

What is relied on of TRL, and pinned by a contract test: `rollout_func` is called once a step with its prompts, each
already repeated; `env_mask` becomes the loss mask; other keys reach the reward function; `log_metric` is averaged
into the logs; the loss is taken at the trainer's temperature.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elastic_reasoning.budget import Budget
from elastic_reasoning.engines.loading import load
from elastic_reasoning.engines.transformers import TransformersEngine
from elastic_reasoning.errors import TrainingError, require
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Problem, Task
from elastic_reasoning.trace import Trace
from elastic_reasoning.training.checkpoints import Checkpoint, mark_complete, prune, select, selected
from elastic_reasoning.training.config import TrainConfig, check
from elastic_reasoning.training.folder import Metrics, OnStep, find_run, working_in, write_config, writing
from elastic_reasoning.training.rollouts import as_rows, problem_order, roll_out, rollout_metrics, validate


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What training ended with.

    Attributes:
        folder: the selected model in Hugging Face format.
        step: the step it is from.
        accuracy: its accuracy on validation problems, under the strategy and budget of training.
        resumed_from: the step at which this run took up an earlier one, 0 for a fresh run.
    """

    folder: Path
    step: int
    accuracy: float
    resumed_from: int


def train(config: TrainConfig, on_step: OnStep = lambda step, metrics: None) -> TrainResult:
    """Train, or go on with a run that was interrupted.

    Args:
        config: the run.
        on_step: called after every step with its number and metrics.

    Raises:
        TrainingError: the configuration cannot be trained, the folder holds another run or cannot be written, or
            the loss is no longer a number.
        MissingDependencyError: TRL is not installed.
    """
    check(config)
    out = Path(config.out)
    with working_in(out):
        start = find_run(out, config)
        if start is None or start.step < config.steps:
            _run(config, out, start, on_step)
        best = selected(out)
    if best is None:
        raise TrainingError(f"{out} has no complete checkpoint: give another out")
    return TrainResult(best.folder, best.step, best.accuracy, resumed_from=start.step if start else 0)


def _run(config: TrainConfig, out: Path, start: Checkpoint | None, on_step: OnStep) -> None:
    task = load_task(config.task)
    problems = task.problems("train", config.num_problems)
    validation = task.problems("validation", config.num_validation_problems)
    trl = require("trl", "train")
    datasets = require("datasets", "train")
    engine = load(
        config.model,
        max_rows=config.max_rows,
        dtype=config.dtype,
        device=config.device,
        opening=config.opening,
        closing=config.closing,
    )
    write_config(out, config)
    metrics = Metrics(out / "metrics.jsonl", start.step if start else 0, on_step)

    def on_save(step: int) -> None:
        accuracy = validate(engine, task, validation, config)
        with writing(out):
            mark_complete(out / "checkpoints" / f"checkpoint-{step}", step, accuracy)
            select(out)
            prune(out)

    unique = datasets.Dataset.from_list([{"prompt": list(p.messages), "problem": p.id} for p in problems])
    order = problem_order(len(problems), config.steps * config.prompts_per_step, config.seed)
    with _quietly():
        trainer = trl.GRPOTrainer(
            model=engine.model,
            args=_arguments(trl, config, engine),
            processing_class=engine.tokenizer,
            train_dataset=unique.select(order),
            reward_funcs=_reward(task, problems),
            rollout_func=_rollouts(engine, config),
            callbacks=[_keeper(metrics, on_save)],
        )
        _silence(trainer)
        trainer._save_checkpoint = writing(out)(trainer._save_checkpoint)
        trainer.train(resume_from_checkpoint=str(start.folder) if start else None)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the warning that `rollout_func` is experimental, and without TRL's message to its makers."""
    from huggingface_hub import constants

    before = constants.HF_HUB_DISABLE_TELEMETRY
    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*rollout_func.*experimental")
            yield
    finally:
        constants.HF_HUB_DISABLE_TELEMETRY = before


def _silence(trainer: Any) -> None:
    """Print no logs, and write no model card into the folder of checkpoints: both are ours to tell."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    trainer.create_model_card = lambda **kwargs: None
    model = trainer.model  # its tied weights are saved once; a checkpoint without the copies is not to be warned of
    model._keys_to_ignore_on_save.update(model.all_tied_weights_keys)


def _keeper(metrics: Metrics, on_save: Callable[[int], None]) -> Any:
    """A callback that logs every step, and validates and declares whole every checkpoint."""
    from transformers import TrainerCallback

    class Keeper(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **kwargs: Any) -> None:
            if "reward" not in logs:
                return
            for name in ("loss", "grad_norm"):
                if not math.isfinite(logs[name]):
                    raise TrainingError(
                        f"the {name} of step {state.global_step} is {logs[name]}: start again with a smaller "
                        "learning_rate or max_grad_norm and another out (the last complete checkpoint is kept)"
                    )
            metrics.write(state.global_step, logs)

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            on_save(state.global_step)

    return Keeper()


def _arguments(trl: Any, config: TrainConfig, engine: TransformersEngine) -> Any:
    """TRL's configuration; what it has to say on sampling is derived from ours.

    Generation and optimisation are aligned: one batch of rollouts is one optimizer step, so that a checkpoint never
    falls between the two and every importance ratio is 1. The data set is the order of problems for the whole run.
    """
    num_micro_batches = config.num_rollouts // config.micro_batch_size
    on_cpu = engine.model.device.type == "cpu"
    arguments = trl.GRPOConfig(
        output_dir=str(Path(config.out) / "checkpoints"),
        max_steps=config.steps,
        per_device_train_batch_size=config.micro_batch_size,
        gradient_accumulation_steps=num_micro_batches,
        steps_per_generation=num_micro_batches,
        num_iterations=1,
        num_generations=config.samples_per_prompt,
        shuffle_dataset=False,
        temperature=config.sampling.temperature,
        top_p=config.sampling.top_p,
        top_k=config.sampling.top_k,
        disable_dropout=True,
        learning_rate=config.learning_rate,
        lr_scheduler_type="constant_with_warmup" if config.lr_schedule == "constant" else config.lr_schedule,
        warmup_steps=config.num_lr_warmup_steps,
        weight_decay=0.0,
        max_grad_norm=config.max_grad_norm,
        beta=config.beta,
        loss_type=config.loss,
        max_completion_length=Budget.parse(config.budget).total or engine.context,
        seed=config.seed,
        save_strategy="steps",
        save_steps=config.save_every,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        bf16=False,
        gradient_checkpointing=False,
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # transformers would spread a batch over every GPU it sees
    return arguments


def _rollouts(engine: TransformersEngine, config: TrainConfig) -> Callable[[list[Any], Any], dict[str, Any]]:
    """TRL's `rollout_func`: the prompts are already repeated `samples_per_prompt` times."""

    def rollout_func(prompts: list[Any], trainer: Any) -> dict[str, Any]:
        traces = roll_out(engine, prompts, config, trainer.state.global_step)
        rows = as_rows(traces)
        return {
            "prompt_ids": rows.prompt_ids,
            "completion_ids": rows.completion_ids,
            "logprobs": rows.logprobs,
            "env_mask": rows.sampled_mask,
            "trace": traces,
        }

    return rollout_func


def _reward(task: Task, problems: list[Problem]) -> Callable[..., list[float]]:
    """The task's own grade, 1 or 0. TRL's decoded text has lost the delimiters: the trace is graded instead."""
    by_id = {problem.id: problem for problem in problems}

    def correctness(
        problem: list[str], trace: list[Trace], log_metric: Callable[[str, float], None], **kwargs: Any
    ) -> list[float]:
        grades = [task.grade(by_id[p], t.solution_text) for p, t in zip(problem, trace, strict=True)]
        for name, value in rollout_metrics(trace).items():
            log_metric(name, value)
        log_metric("no_answer_rate", sum(grade.answer is None for grade in grades) / len(grades))
        return [float(grade.correct) for grade in grades]

    return correctness
