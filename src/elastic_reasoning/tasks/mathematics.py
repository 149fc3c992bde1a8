"""The benchmarks of mathematics, and DeepScaleR's training set.

    task = load_task(TaskConfig("math500", data="math500.jsonl"))
    problem = task.problems("test", limit=1)[0]
    problem.messages[0]["content"]     # "... Let's think step by step and output the final answer within \\boxed{}."

The words after the problem are those of DeepScaleR, with which E1 was trained and measured.
"""

from dataclasses import dataclass

from elastic_reasoning.grading.answers.mathematics import MathGrader
from elastic_reasoning.grading.answers.rounding import RULE as ROUNDED_REFERENCE
from elastic_reasoning.grading.answers.rules import DEFAULT
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.fields import Field, answers, read_field, text
from elastic_reasoning.tasks.fixes import Fixes
from elastic_reasoning.tasks.loading import refuse_meaningless
from elastic_reasoning.tasks.rows import Hub, SourceRow
from elastic_reasoning.tasks.table import (
    ID,
    Grading,
    ProblemIds,
    TableTask,
    make_problem,
    source_rows,
    test_only,
    train_val_split,
)
from elastic_reasoning.tasks.task import Problem

SUFFIX = r"Let's think step by step and output the final answer within \boxed{}."

PROBLEM = ("problem",)
ANSWER = ("answer",)
MATHARENA_ID = ("id", "problem_idx")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows of a benchmark are, and the names of their fields there and in local files.

    Attributes:
        hub: the data set on the hub. None of these names, and no revision of them, could be verified against the
            hub: they are those that public code loads.
        problem, answer, id: names of the fields, the first that a row has.
        training: a training set, of which some problems are held out for validation; else a test set.
    """

    hub: Hub
    problem: tuple[str, ...] = PROBLEM
    answer: tuple[str, ...] = ANSWER
    id: tuple[str, ...] = ID
    training: bool = False


SOURCES = {
    "aime24": Source(Hub("HuggingFaceH4/aime_2024")),
    "aime25": Source(Hub("yentinglin/aime_2025")),
    "aime26": Source(Hub("MathArena/aime_2026"), id=MATHARENA_ID),
    "hmmt_feb25": Source(Hub("MathArena/hmmt_feb_2025"), id=MATHARENA_ID),
    "brumo25": Source(Hub("MathArena/brumo_2025"), id=MATHARENA_ID),
    "amc": Source(Hub("AI-MO/aimo-validation-amc")),
    "amc23": Source(Hub("math-ai/amc23", "test"), problem=("problem", "question")),
    "math500": Source(Hub("HuggingFaceH4/MATH-500", "test"), id=("id", "unique_id")),
    "minerva": Source(Hub("math-ai/minervamath", "test"), problem=("problem", "question")),
    "olympiadbench": Source(
        Hub("Hothan/OlympiadBench", config="OE_TO_maths_en_COMP"),
        problem=("problem", "question"),
        answer=("answer", "final_answer"),
    ),
    "deepscaler": Source(Hub("agentica-org/DeepScaleR-Preview-Dataset"), training=True),
}
TASKS = tuple(SOURCES)


def load(task: TaskConfig, grading: GradingConfig) -> TableTask:
    """A benchmark of mathematics with its grader.

    Raises:
        TaskError: rows that cannot be read or are malformed, or an option that means nothing here.
    """
    refuse_meaningless(task, grading, "data", "grading_workers", "round_to_reference")
    source = SOURCES[task.name]
    ids, fixes = ProblemIds(task.name, source.id), Fixes(task.name)
    rows = source_rows(task.name, task.data, (source.hub,))
    problems = [_problem(source, ids, fixes, source_row) for source_row in rows]
    splits = train_val_split(problems) if source.training else test_only(problems)
    return TableTask(task.name, splits, math_grading(grading), fixes.applied)


def _problem(source: Source, ids: ProblemIds, fixes: Fixes, source_row: SourceRow) -> Problem:
    place, row = source_row
    problem = read_field(Field(source.problem, text), place, row)
    problem_id = ids.id_of(place, row, problem)
    return boxed_problem(
        problem_id, problem, fixes.answers(problem_id, problem, read_field(Field(source.answer, answers), place, row))
    )


def boxed_problem(problem_id: str, problem: str, answers: tuple[str, ...], suffix: str = SUFFIX) -> Problem:
    """A problem whose answer is asked for in a box; any of several answers is right."""
    references = tuple(rf"\boxed{{{answer}}}" for answer in answers)
    return make_problem(
        problem_id, f"{problem} {suffix}", answers[0], problem=problem, answers=answers, references=references
    )


def math_rules(grading: GradingConfig) -> frozenset[str]:
    """The rules by which answers to mathematics are compared."""
    return DEFAULT | {ROUNDED_REFERENCE} if grading.round_to_reference else DEFAULT


def math_grading(grading: GradingConfig) -> Grading:
    """What grades answers to mathematics."""
    grader = MathGrader(grading.grading_workers, rules=math_rules(grading))
    return Grading(lambda problem, solution: grader.grade(problem.data["answers"], solution), grader.close)
