"""Training: GRPO under budget-constrained rollouts, on one device or several, interrupted or not.

result = train(TrainConfig(model="mini", rollouts=RolloutConfig(budgets=("24+20",)), out="runs/e1"))
load(str(result.folder))
"""

import logging
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.configuration import deciding
from elastic_reasoning.core.errors import TrainingError, check_installed
from elastic_reasoning.engines.loading import load_template
from elastic_reasoning.rollouts.scoring import Scorer
from elastic_reasoning.training.checkpoints import checkpoints, selected
from elastic_reasoning.training.checks import check, check_inputs
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.data import load_data
from elastic_reasoning.training.folder import (
    OnStep,
    find_run,
    run_lock,
)
from elastic_reasoning.training.processes import init_distributed, num_launched
from elastic_reasoning.training.trl.run import COLLABORATORS, Collaborators, Run

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What training ended with.

    Attributes:
        folder: the selected model in Hugging Face format.
        step: the step it is from.
        accuracy: its accuracy on validation problems, under the strategies and budgets of validation. Where rewards
            are more than that, it was selected by their mean.
        resumed_from: the step at which this run took up an earlier one, 0 for a fresh run.
    """

    folder: Path
    step: int
    accuracy: float
    resumed_from: int


def train(
    config: TrainConfig,
    on_step: OnStep = lambda step, metrics: None,
    on_note: Callable[[str], None] = lambda note: None,
    collaborators: Collaborators = COLLABORATORS,
) -> TrainResult:
    """Train, or go on with a run that was interrupted.

    Under `accelerate launch` every process calls this; the main one writes the run's folder.

    Args:
        config: the run.
        on_step: called after every step with its number and metrics, in the main process.
        on_note: called there with what is to be known of the prompts.
        collaborators: what the run works with.

    Raises:
        TrainingError: the configuration cannot be trained, the folder holds another run or cannot be written, or
            the loss is no longer a number.
        MissingDependencyError: TRL, or what the configuration names, is not installed.
    """
    check(config, num_launched())
    check_inputs(config)
    check_installed("trl", "train")
    check_installed("datasets", "train")
    out = Path(config.out)
    logger.info("loading torch, transformers and TRL")
    processes = init_distributed(config)
    main = processes.is_main_process
    with run_lock(out) if main else nullcontext():
        if main:
            find_run(out, deciding(config), deciding(TrainConfig()))
        processes.wait_for_everyone()
        start = next(reversed(checkpoints(out)), None)
        if start is None or start.step < config.steps:
            tokenizer, template = load_template(config.model, config.chat.opening, config.chat.closing)
            renderer = Renderer(tokenizer, template, **config.chat.rendering)
            renderer.check()
            if main and renderer.note:
                on_note(renderer.note)
            task = collaborators.load_task(config.task, config.grading)
            data = load_data(config, task, lambda messages: len(renderer.prompt(messages).ids))
            with closing(Scorer(task, config.reward, config.grading.grading_workers)) as scorer:
                Run(config, processes, renderer, data, scorer, collaborators, on_step).train(start)
        best = selected(out)
    if best is None:
        raise TrainingError(f"{out} has no complete checkpoint: give another out")
    return TrainResult(best.folder, best.step, best.accuracy, resumed_from=start.step if start else 0)
