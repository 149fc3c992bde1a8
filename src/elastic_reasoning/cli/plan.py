"""`elastic plan`: what a sweep or a training will need, before it is run."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from elastic_reasoning.cli import plan_train
from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.output import note, say_json
from elastic_reasoning.core.configuration import INLINE
from elastic_reasoning.core.errors import UsageError, unknown
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.planning.config import PlanConfig

FORMS = ("sweep", "train")
EXAMPLE = """
elastic plan sweep --models mini,mini-e1 --strategies elastic,s1 --budgets 8+20,24+20,64+20 --measure 16
elastic plan sweep --models 32B --engine vllm --hardware H100 --num_devices 8 --limit 500 --prompt_tokens 150
elastic plan sweep --recipe demo --lengths_from runs/sweep --limit 100000
elastic plan train --recipe e1-math-1.5b --hardware H100 --num_devices 8 --prompt_tokens 200
"""


@dataclass(frozen=True)
class PlanCommand(SweepConfig):
    """A sweep, and what is known of it beforehand."""

    plan: PlanConfig = field(default_factory=PlanConfig, metadata=INLINE)
    """What a plan is made from."""
    json: bool = False
    """Print the plan as JSON."""


def main(argv: list[str]) -> int:
    """Run the command."""
    form, rest = _form(argv)
    if form == "train":
        return plan_train.run(rest)
    config = parse(
        PlanCommand,
        rest,
        command=f"plan {form}".strip(),
        about="Say what a sweep will need before it is run: tokens, seconds, memory and money, per budget and in all.\n"
        "It takes the flags and recipes of elastic sweep; elastic plan train --help tells of trainings.",
        example=EXAMPLE,
        arguments="" if form else "|".join(FORMS),
    )
    from elastic_reasoning.cli.plan_tables import show_sweep
    from elastic_reasoning.planning.sweeps import plan_sweep

    plan = plan_sweep(config, config.plan)
    if config.json:
        say_json(plan.to_dict(), indent=2)
        return 0
    show_sweep(plan)
    for text in plan.notes:
        note(text)
    return 0


def _form(argv: Sequence[str]) -> tuple[str, list[str]]:
    """What is planned, and the rest of the command line.

    Raises:
        UsageError: nothing that can be planned.
    """
    if argv and argv[0] in FORMS:
        return argv[0], list(argv[1:])
    if {"-h", "--help"}.intersection(argv):
        return "", list(argv)
    if argv and not argv[0].startswith("-"):
        raise UsageError(unknown("plan", argv[0], FORMS))
    raise UsageError("nothing to plan: elastic plan sweep, or elastic plan train, with the flags of that command")
