"""`elastic validate`: whether a task can be trusted. Its references pass its own grader, and others' do not."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.output import note, say, say_json
from elastic_reasoning.cli.progress import progress_bar
from elastic_reasoning.core.configuration import INLINE
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.contamination import Overlap, contamination
from elastic_reasoning.tasks.fixes import Fix
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Task
from elastic_reasoning.tasks.validation import Validation, problems_by_split, validate


@dataclass(frozen=True)
class ValidateConfig:
    """What is validated, and how thoroughly."""

    task: TaskConfig = field(default_factory=lambda: TaskConfig(""), metadata=INLINE)
    """Which task. The first argument may stand for its name."""
    grading: GradingConfig = field(default_factory=GradingConfig, metadata=INLINE)
    """How it grades; of tasks of code, the published solutions are run."""
    num_mismatches: int = 200
    """Pairs of problems of which the one is graded with the reference of the other."""
    seed: int = 0
    """Of their draw."""
    against: str = ""
    """A training set in which the task's problems are looked for."""
    against_data: str = ""
    """A local file with its rows, in place of the hub."""
    json: bool = False
    """Print the result as JSON."""


EXAMPLE = """
elastic validate aime24
elastic validate math500 --data math500.jsonl --against deepscaler --against_data deepscaler.jsonl
elastic validate humaneval_plus --data humanevalplus.jsonl.gz --allow_code_execution
elastic validate examples/own_task.jsonl
"""


def main(argv: list[str]) -> int:
    """Run the command. Its status is 0 if every reference passes, and 1 if one does not."""
    config = parse(
        ValidateConfig,
        argv,
        command="validate",
        about="Check that a task's references pass its own grader and wrong ones do not; list what was mended.",
        example=EXAMPLE,
        positional="task",
    )
    if not config.task.name:
        raise UsageError("no task: elastic validate aime24")
    if config.num_mismatches < 0:
        raise UsageError(f"num_mismatches {config.num_mismatches}: must be 0 or more")
    if config.against_data and not config.against:
        raise UsageError(f"against_data {config.against_data!r}: name the training set with --against")
    with closing(load_task(config.task, config.grading)) as task:
        if task.note:
            note(task.note)
        overlaps = _overlaps(task, config) if config.against else []
        with progress_bar("validate") as (start, advance, _):
            found = validate(task, config.num_mismatches, config.seed, config.grading.grading_workers, start, advance)
        fixes: dict[str, Fix] = dict(getattr(task, "fixes", {}))
        if config.json:
            result = {"task": task.name, **asdict(found), "fixes": {own: asdict(fix) for own, fix in fixes.items()}}
            say_json({**result, "against": config.against, "overlaps": [asdict(each) for each in overlaps]})
        else:
            for line in _lines(task.name, found, fixes, config.against, overlaps):
                say(line)
    return 1 if found.failures else 0


def _overlaps(task: Task, config: ValidateConfig) -> list[Overlap]:
    with closing(load_task(TaskConfig(config.against, config.against_data))) as training:
        own, theirs = problems_by_split(task), problems_by_split(training)
    return contamination(
        [problem for each in own.values() for problem in each],
        [problem for each in theirs.values() for problem in each],
    )


def _lines(task: str, found: Validation, fixes: dict[str, Fix], against: str, overlaps: list[Overlap]) -> Iterator[str]:
    yield f"{task}: {', '.join(f'{number:,} {split}' for split, number in found.num_problems.items())} problems"
    if found.num_tests:
        yield f"tests that can be read: {found.num_tests:,}"
    if found.num_without_reference:
        yield f"problems without a published solution: {found.num_without_reference:,}; only their rows are checked"
    if found.num_references:
        rejected = found.num_mismatches - len(found.accepted)
        yield f"references that pass their own grader: {found.num_passed:,} of {found.num_references:,}"
        yield f"references of other problems that are rejected: {rejected:,} of {found.num_mismatches:,}"
    for failure in found.failures:
        yield f"  fails: {failure.problem}: {failure.reason}{': ' * bool(failure.reference)}{_short(failure.reference)}"
    for each in found.accepted:
        yield f"  look at: {each.problem} ({_short(each.reference)}) accepts {_short(each.other_reference)}"
    if found.doubts:
        yield f"references that a right answer may not be able to pass: {len(found.doubts):,}"
    for doubted in found.doubts:
        yield f"  look at: {doubted.problem} ({_short(doubted.reference)}): {doubted.reason}"
    if fixes:
        yield f"fixes of published rows: {len(fixes)}"
    for own, fix in fixes.items():
        values = f"{' or '.join(fix.published)} is now {' or '.join(fix.mended)}"
        yield f"  {own}, {fix.field}: {values} ({fix.reason}; source: {fix.source})"
    if against:
        yield f"problems that also stand in {against}: {len({each.test for each in overlaps}):,}"
    for overlap in overlaps:
        share = "the same words" if overlap.same else f"{overlap.share:.0%} of the runs of words"
        yield f"  {overlap.test}: {overlap.training}, {share}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
