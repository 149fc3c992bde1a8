"""HumanEval and HumanEval+: a function that is to be completed from its head and docstring.

    grading = GradingConfig(allow_code_execution=True)
    task = load_task(TaskConfig("humaneval_plus", data="humanevalplus.jsonl.gz"), grading)

The row's `test` defines `check(candidate)`. EvalPlus's tests need numpy, and up to 4 GB of address space.
"""

from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.grading.programs.code import CodeTests
from elastic_reasoning.grading.programs.sandbox import Limits
from elastic_reasoning.tasks.code import OF_PROGRAMS, code_grading, make_code_problem
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.fields import Field, any_text, read_field, text
from elastic_reasoning.tasks.fixes import Fixes
from elastic_reasoning.tasks.loading import refuse_meaningless
from elastic_reasoning.tasks.rows import Hub, SourceRow
from elastic_reasoning.tasks.table import ProblemIds, TableTask, source_rows, test_only
from elastic_reasoning.tasks.task import Problem

HUBS = {  # unverified, like their revisions: no hub could be asked
    "humaneval": Hub("openai/openai_humaneval", "test"),
    "humaneval_plus": Hub("evalplus/humanevalplus", "test"),
}
TASKS = tuple(HUBS)
LIMITS = Limits(seconds=30.0, memory_mb=4096)
"""The slowest reference of HumanEval+ takes 6 s on the wall by itself, and several are graded at one time."""

PROMPT = """Complete this Python function. Give the whole function, with the imports that it needs, \
in one block that begins with ```python and ends with ```.

```python
{problem}
```"""

PROBLEM = Field(("problem", "prompt"), text)
ENTRY_POINT = Field(("entry_point",), text)
TEST = Field(("test",), text)
SOLUTION: Field[str] = Field(("canonical_solution",), any_text, default="", required=False)


def load(task: TaskConfig, grading: GradingConfig) -> TableTask:
    """HumanEval or HumanEval+ with its grader.

    Raises:
        TaskError: rows that cannot be read or are malformed, or an option that means nothing here.
    """
    refuse_meaningless(task, grading, "data", *OF_PROGRAMS)
    ids, fixes = ProblemIds(task.name, ("id", "task_id")), Fixes(task.name)
    rows = source_rows(task.name, task.data, (HUBS[task.name],))
    problems = [_problem(ids, fixes, source_row) for source_row in rows]
    return TableTask(task.name, test_only(problems), code_grading(grading), fixes.applied)


def _problem(ids: ProblemIds, fixes: Fixes, source_row: SourceRow) -> Problem:
    place, row = source_row
    problem, body = read_field(PROBLEM, place, row), read_field(SOLUTION, place, row)
    problem_id = ids.id_of(place, row, problem)
    check = fixes.test(problem_id, problem, read_field(TEST, place, row))
    tests = CodeTests(check=check, entry_point=read_field(ENTRY_POINT, place, row), prelude=problem, limits=LIMITS)
    solutions = (problem + body,) if body else ()
    return make_code_problem(problem_id, PROMPT.format(problem=problem.rstrip()), problem, tests, solutions)
