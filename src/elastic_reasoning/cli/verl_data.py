"""`elastic verl-data`: a task's problems as the Parquet files that verl trains on."""

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.output import note, say, say_json
from elastic_reasoning.core.configuration import INLINE
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.tasks.config import TaskConfig


@dataclass(frozen=True)
class VerlDataConfig:
    """Which problems are written, and where to."""

    task: TaskConfig = field(default_factory=lambda: TaskConfig(""), metadata=INLINE)
    """Which problems it learns from and is validated on. The first argument may stand for its name."""
    out: str = ""
    """Folder for train.parquet and validation.parquet."""
    num_problems: int | None = None
    """Training problems at most, the first of the split; null for all."""
    num_validation_problems: int = 256
    """Validation problems at most."""
    json: bool = False
    """Print the result as JSON."""


EXAMPLE = """
elastic verl-data arithmetic --num_problems 4096 --out runs/data/arithmetic
elastic verl-data deepscaler --data deepscaler.jsonl --out runs/data/deepscaler
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        VerlDataConfig,
        argv,
        command="verl-data",
        about="Write a task's training and validation problems as Parquet files that verl reads: chat messages, and "
        "all that grading an answer takes.",
        example=EXAMPLE,
        positional="task",
    )
    if not config.task.name or not config.out:
        raise UsageError("a task and a folder for its rows are needed: elastic verl-data arithmetic --out runs/data")
    from elastic_reasoning.integrations.verl.data import write_rows
    from elastic_reasoning.tasks.loading import load_task
    from elastic_reasoning.training.data import read_problems

    with closing(load_task(config.task)) as task:
        if task.note:
            note(task.note)
        training, validation = read_problems(task, config.num_problems, config.num_validation_problems)
        splits = {"train": training, "validation": validation}
        written = {
            split: write_rows(problems, config.task.name, split, Path(config.out) / f"{split}.parquet")
            for split, problems in splits.items()
        }
    if config.json:
        say_json({"out": config.out, "problems": written})
    else:
        for split, number in written.items():
            say(f"{Path(config.out) / split}.parquet: {number:,} problems")
    return 0
