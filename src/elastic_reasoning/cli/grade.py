"""`elastic grade`: stored records graded again, without generating."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.output import note, say, say_json
from elastic_reasoning.cli.progress import progress_bar
from elastic_reasoning.cli.sweep import ShowOptions, show
from elastic_reasoning.core.configuration import INLINE
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.records.storage import fetched, is_url

EXAMPLE = """
elastic grade runs/aime24
elastic grade runs/minerva --round-to-reference true --out runs/minerva-rounded
elastic grade runs/math500 --explain
elastic grade runs/lcb --data livecodebench.jsonl --allow-code-execution --out runs/lcb-again
"""


@dataclass(frozen=True)
class GradeConfig:
    """What to grade again."""

    records: str = ""
    """Folder that a sweep has written; the first argument may stand for it."""
    out: str = ""
    """Folder for the records with their new verdicts; the records' folder with "-graded" behind it if empty. The
    old ones stay as they are.
    """
    data: str = ""
    """The task's rows, where they are no longer where the sweep found them."""
    grading: GradingConfig = field(default_factory=GradingConfig, metadata=INLINE)
    """How they are graded."""
    explain: bool = False
    """Write nothing; print by which rules answers of mathematics are right, which of them rest on an assumption,
    and what was rejected but equals its reference by an assumption that is off. The records may also be a file with
    `reference` and `solution` in each row.
    """
    json: bool = False
    """Print the counts of changed verdicts, or the explanation, as JSON, in place of the table."""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        GradeConfig,
        argv,
        command="grade",
        about="Grade stored records again, without generating, into another folder.",
        example=EXAMPLE,
        positional="records",
    )
    if not config.records:
        raise UsageError("no folder of records: elastic grade runs/sweep")
    folder = fetched(config.records)
    if config.explain:
        from elastic_reasoning.cli.explain import show_explanation

        return show_explanation(folder, config.data, config.grading, config.json)
    from elastic_reasoning.evaluation.regrade import regrade

    if is_url(config.out) or (is_url(config.records) and not config.out):
        raise UsageError(f"out {config.out!r}: give a folder of this machine for the records as they are graded now")
    out = Path(config.out) if config.out else folder.with_name(f"{folder.resolve().name}-graded")
    with progress_bar("grade") as (start, advance, _):
        try:
            result = regrade(
                folder,
                out,
                config.data,
                config.grading,
                start,
                lambda record: advance(),
                note,
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"to go on: {shlex.join(['elastic', 'grade', *argv])}") from None
    changes = [
        {"before": _words(before), "now": _words(now), "num_records": number}
        for (before, now), number in result.changes.most_common()
    ]
    if config.json:
        say_json({"records": str(out), "num_graded": result.num_graded, "changes": changes})
        return 0
    show(out, ShowOptions(report=False))
    say(f"{result.num_graded} records were graded now, {result.changes.total()} verdicts are other ones than before")
    for change in changes:
        say(f"  {change['num_records']:>6}  {change['before']} -> {change['now']}")
    return 0


def _words(verdict: tuple[bool | None, str | None]) -> str:
    correct, reason = verdict
    return "correct" if correct else reason or "not correct"
