"""`elastic eval`: one model under one setting on one task."""

import shlex
from dataclasses import dataclass, field, fields

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.sweep import ShowOptions, run_with_progress, show_run
from elastic_reasoning.core.configuration import INLINE
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.evaluation.config import RunConfig, SweepConfig

EXAMPLE = """
elastic eval --model mini-e1 --budget 24+20 --limit 128 --samples 4 --out runs/e
elastic eval --task aime24 --model Qwen/Qwen3-0.6B --budget 1024+1024 --samples 16 --sampling.temperature 0.6
elastic eval --task math500 --data math500.jsonl --model runs/e1/model --strategy s1 --budget 1024+1024
elastic eval --thinking-model mini --solution-model mini-e1 --budget 24+20 --limit 128 --out runs/swap
"""


@dataclass(frozen=True)
class EvalCommand(RunConfig):
    """One setting, and what the command shows of it."""

    out: str = "runs/eval"
    model: str = "mini"
    """mini, mini-e1, a folder in Hugging Face format, or a hub name."""
    strategy: str = DEFAULT_STRATEGY
    """How the budget is spent (see below)."""
    budget: str = "24+20"
    """Thinking and solution tokens, as 1024+512."""
    show: ShowOptions = field(default_factory=ShowOptions, metadata=INLINE)
    """What is shown of it."""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        EvalCommand,
        argv,
        command="eval",
        about="Measure one model under one setting on a task. Started again, it goes on where it stopped.",
        example=EXAMPLE,
    )
    shared = {field.name: getattr(config, field.name) for field in fields(RunConfig)}
    sweep = SweepConfig(**shared, models=(config.model,), strategies=(config.strategy,), budgets=(config.budget,))
    run_with_progress(sweep, shlex.join(["elastic", "eval", *argv]))
    show_run(sweep, config.show)
    return 0
