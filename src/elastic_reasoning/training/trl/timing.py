"""What TRL's trainer does, by the phases of a step."""

from typing import Any

from elastic_reasoning.training.clock import StepClock


def time_steps(trainer: Any, clock: StepClock) -> None:
    """Have the clock follow a `GRPOTrainer` or an `SFTTrainer`, and the trainer log what it took of each step.

    A step goes on until it is logged; saving and validating a checkpoint belong to none. Where DeepSpeed trains, its
    backward pass ends in the optimizer's step: `loss` is both.

    Args:
        trainer: TRL's; a `rollout_func` enters `generation` itself, and fine-tuning has no `scoring` either.
        clock: of this process.
    """
    from transformers import TrainerCallback

    for phase, owner, name in (
        ("scoring", trainer, "_generate_and_score_completions"),
        ("loss", trainer, "compute_loss"),
        ("loss", trainer.accelerator, "backward"),
        ("optimiser", trainer.accelerator, "clip_grad_norm_"),
    ):
        if hasattr(owner, name):
            setattr(owner, name, clock.timed(phase, getattr(owner, name)))

    class Phases(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            clock.restart()

        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            clock.switch("optimiser")

        def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            clock.switch("idle")

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            clock.restart()

    trainer.add_callback(Phases())
    log = trainer.log

    def log_with_seconds(logs: dict[str, float], *args: Any) -> None:
        if "loss" in logs:  # of a step, not of the whole run
            trainer._metrics["train"].pop("step_time", None)  # TRL's own, without the optimizer, of one update
            logs |= clock.take()
        log(logs, *args)

    trainer.log = log_with_seconds
