"""`elastic plan train`: what a training will need, before it is run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.output import note, say_json
from elastic_reasoning.core.configuration import INLINE
from elastic_reasoning.planning.config import PlanConfig
from elastic_reasoning.training.config import TrainConfig

EXAMPLE = """
elastic plan train --recipe mini-e1 --measure 4
elastic plan train --recipe e1-math-1.5b --hardware H100 --num_devices 8 --prompt_tokens 200
elastic plan train --recipe e1-math-1.5b --model 32B --hardware H200 --num_devices 16 --prompt_tokens 200
"""


@dataclass(frozen=True)
class PlanTrainCommand(TrainConfig):
    """A training, and what is known of it beforehand."""

    planned: PlanConfig = field(default_factory=PlanConfig, metadata=INLINE)
    """What a plan is made from."""
    json: bool = False
    """Print the plan as JSON."""


def run(argv: Sequence[str]) -> int:
    """Run the command; `argv` stands behind `elastic plan train`."""
    config = parse(
        PlanTrainCommand,
        argv,
        command="plan train",
        about="Say what a training will need before it is run: tokens, seconds, memory and money.\n"
        "It takes the flags and recipes of elastic train.",
        example=EXAMPLE,
    )
    from elastic_reasoning.cli.plan_tables import show_training
    from elastic_reasoning.planning.trainings import plan_training

    plan = plan_training(config, config.planned)
    if config.json:
        say_json(plan.to_dict(), indent=2)
        return 0
    show_training(plan)
    for text in plan.notes:
        note(text)
    return 0
