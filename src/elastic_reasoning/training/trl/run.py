"""One process's part of a GRPO run: TRL optimises on our rollouts, and every checkpoint is validated.

run = Run(config, processes, renderer, data, scorer, COLLABORATORS, on_step)
run.train(start=None)
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.configuration import deciding
from elastic_reasoning.core.errors import TrainingError, require
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.loading import load_weights
from elastic_reasoning.rollouts.drawing import DrawSettings, draw
from elastic_reasoning.rollouts.plan import Plan
from elastic_reasoning.rollouts.rollouts import (
    ValidationResult,
    problem_order,
    requests_of,
    roll_out,
    validate,
)
from elastic_reasoning.rollouts.rows import Row, advantage_sums, as_rows, whitened
from elastic_reasoning.rollouts.scoring import Scored, Scorer
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Task
from elastic_reasoning.training.checkpoints import Checkpoint, mark_complete, prune, select
from elastic_reasoning.training.clock import StepClock
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.data import Data
from elastic_reasoning.training.folder import (
    Metrics,
    OnStep,
    check_same_problems,
    saving,
    write_config,
    writing,
)
from elastic_reasoning.training.provenance import trained_for, write_trained_for
from elastic_reasoning.training.reports import reporting_in
from elastic_reasoning.training.trl.policy import Policy, new_policy
from elastic_reasoning.training.trl.timing import time_steps
from elastic_reasoning.training.trl.trainer import filler_id, new_arguments, new_trainer, quietly


@dataclass(frozen=True, slots=True)
class Collaborators:
    """What a run works with beside the model, each replaceable by one that is called in the same way.

    Attributes:
        load_task: the task of a name.
        roll_out: makes the rollouts of some prompts of a step.
        as_rows: makes scored rollouts into rows.
        validate: measures a checkpoint.
        new_policy: what generates with the weights of the trainer.
        new_trainer: what optimises on the rows.
    """

    load_task: Callable[..., Task] = load_task
    roll_out: Callable[..., list[Trace]] = roll_out
    as_rows: Callable[..., list[Row]] = as_rows
    validate: Callable[..., ValidationResult] = validate
    new_policy: Callable[..., Policy] = new_policy
    new_trainer: Callable[..., Any] = new_trainer


COLLABORATORS = Collaborators()


class Run:
    """One process's part of a run.

    Args:
        config: the run.
        processes: accelerate's state, of the processes that train together.
        renderer: makes the model's prompts.
        data: what is learnt from, and what checkpoints are validated on.
        scorer: grades rollouts; its owner closes it.
        collaborators: what the run works with.
        on_step: called after every step, in the main process.
    """

    def __init__(
        self,
        config: TrainConfig,
        processes: Any,
        renderer: Renderer,
        data: Data,
        scorer: Scorer,
        collaborators: Collaborators,
        on_step: OnStep,
    ) -> None:
        self.config = config
        self.out = Path(config.out)
        self.processes = processes
        self.main: bool = processes.is_main_process
        self.renderer = renderer
        self.data = data
        self.scorer = scorer
        self.collaborators = collaborators
        self.on_step = on_step
        self.plan = Plan(config.rollouts, config.steps, config.seed)
        self.order = problem_order(len(data.training), config.steps * config.prompts_per_step, config.seed)
        self.clock = StepClock(processes.device)
        self.policy: Policy | None = None
        self.trainer: Any = None

    def train(self, start: Checkpoint | None) -> None:
        """Train from a checkpoint, or from the beginning, to the end."""
        import torch

        config = self.config
        try:
            with quietly(), reporting_in(self.out, config.report_to):
                # Before the model is loaded: under ZeRO-3 it decides how.
                arguments = new_arguments(config, self.processes.num_processes, self.out)
                model = load_weights(config.model, config.dtype)
                self._check_context(model)
                if self.main:
                    check_same_problems(self.out, self.data.digest)
                    write_config(self.out, deciding(config))
                metrics = Metrics(self.out / "metrics.jsonl", start.step if start else 0, self.on_step, self.main)
                callback = _keeper(metrics, self._on_save, config.updates_per_step)
                self.trainer = self.collaborators.new_trainer(
                    config, arguments, model, self.renderer.tokenizer, self._dataset(), self._roll_out, callback
                )
                time_steps(self.trainer, self.clock)
                self.trainer._save_checkpoint = saving(self.out)(self.trainer._save_checkpoint)
                self.trainer.train(resume_from_checkpoint=str(start.folder) if start else None)
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"out of memory with micro_batch_size={config.micro_batch_size}: lower it, or turn on "
                "gradient_checkpointing (complete checkpoints are kept)"
            ) from error
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in config.report_to:
                raise
            raise TrainingError(f"report_to: {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error
        finally:
            if self.policy is not None:
                self.policy.close()

    def _check_context(self, model: Any) -> None:
        """Ask one problem under every budget of the run, without an answer.

        Raises:
            TrainingError: the model's context does not hold one, or the strategy cannot spend it.
        """
        context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        for assignment in self.plan.extremes():
            for request in requests_of(
                self.renderer.prompt, self.data.validation[0], assignment, self.plan.config, seed=0
            ):
                error = Walk(request, self.renderer.template, context).error
                if error:
                    raise TrainingError(f"budget {request.budget}, strategy {request.strategy}: {error}")

    def _dataset(self) -> Any:
        """The problems in the order in which they are asked."""
        rows = [{"prompt": list(problem.messages)} for problem in self.data.training]
        return require("datasets", "train").Dataset.from_list(rows).select(self.order)

    def _engine(self, trainer: Any) -> Engine:
        """What generates with the weights of now."""
        if self.policy is None:
            template = self.renderer.template
            self.policy = self.collaborators.new_policy(self.config, trainer, self.renderer.tokenizer, template)
        self.policy.refresh()
        return self.policy.engine

    def _roll_out(
        self, trainer: Any, prompts: Sequence[Any], step: int
    ) -> tuple[list[Row], list[float | None], dict[str, float]]:
        """This process's rollouts of a step."""
        config = self.config
        per_prompt = config.rollouts.rollouts_per_prompt
        num_groups = len(prompts) // per_prompt
        first_group = self.processes.process_index * num_groups
        first = step * config.prompts_per_step + first_group
        problems = [self.data.training[index] for index in self.order[first : first + num_groups]]
        if [list(problem.messages) for problem in problems] != list(prompts[::per_prompt]):
            raise TrainingError(f"the trainer asks other problems at step {step + 1} than are due: use the tested TRL")
        roll_out = self.clock.timed("generation", self.collaborators.roll_out)
        settings = DrawSettings(self.data.training, config.reward.decay, roll_out)
        with self.clock.phase("generation"):
            engine = self._engine(trainer)
        batch = draw(engine, self.scorer, problems, self.plan, step, settings, first_group)
        self._require_a_reward(batch.scored)
        normalised = config.advantages == "normalised"
        filler = filler_id(self.renderer.tokenizer, self.renderer.template)
        rows = self.collaborators.as_rows(
            batch.scored, config.rollouts, filler, normalised=normalised, mask_cut=config.mask_cut
        )
        if config.advantages == "whitened":
            rows = whitened(rows, self._sums(*advantage_sums(rows)))
        return rows, [one.reward for one in batch.scored], batch.metrics

    def _require_a_reward(self, scored: Sequence[Scored]) -> None:
        """End training, in all processes, where no rollout of a step has a reward in any of them."""
        (num,) = self._sums(sum(one.reward is not None for one in scored))
        if not num:
            first = next((one.error for one in scored), None)
            raise TrainingError(
                f"none of the rollouts of a step has a reward; the first: {first}; mend that (elastic validate tries "
                "a task's grading), or raise reward_timeout_seconds or grading_workers"
            )

    def _on_save(self, step: int) -> None:
        """Validate a checkpoint, declare it whole, and select."""
        accuracy, score = self._validate()
        self.processes.wait_for_everyone()  # until every process has written its part of the checkpoint
        if self.main:
            folder = self.out / "checkpoints" / f"checkpoint-{step * self.config.updates_per_step}"
            with writing(self.out):
                write_trained_for(folder, trained_for(self.config, step, accuracy))
                mark_complete(folder, step, accuracy, score)
                select(self.out)
                prune(self.out)
        self.processes.wait_for_everyone()

    def _validate(self) -> tuple[float, float]:
        """Accuracy and mean reward on validation problems; each process asks its part of them."""
        index, num = self.processes.process_index, self.processes.num_processes
        problems = list(enumerate(self.data.validation))[index::num]
        engine = self._engine(self.trainer)
        found = self.collaborators.validate(engine, self.scorer, problems, self.plan, self.config.num_rollouts // num)
        asked, right, earned, failed = self._sums(found.num, found.right, found.earned, found.failed)
        if failed == asked:
            raise TrainingError(f"no validation problem could be asked and graded: {found.error}")
        return right / asked, earned / asked

    def _sums(self, *values: float) -> list[float]:
        """Sums over the processes."""
        import torch

        accelerator = self.trainer.accelerator
        mine = torch.tensor(values, dtype=torch.float64, device=accelerator.device)
        sums: list[float] = accelerator.gather(mine).view(-1, len(values)).sum(dim=0).tolist()
        return sums


def _keeper(metrics: Metrics, on_save: Callable[[int], None], updates_per_step: int) -> Any:
    """A callback that logs every step, and has every checkpoint validated and declared whole."""
    from transformers import TrainerCallback

    class Keeper(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **kwargs: Any) -> None:
            if "reward" not in logs:
                return
            step = state.global_step // updates_per_step
            for name in ("loss", "grad_norm"):
                if not math.isfinite(logs[name]):
                    raise TrainingError(
                        f"the {name} of step {step} is {logs[name]}: start again with a smaller "
                        "learning_rate or max_grad_norm and another out (the last complete checkpoint is kept)"
                    )
            metrics.write(step, logs)

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            on_save(state.global_step // updates_per_step)

    return Keeper()
