import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.core.errors import GradingError
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.grading.programs.sandbox import Limits
from elastic_reasoning.rollouts.config import Constants, RewardConfig
from elastic_reasoning.rollouts.scoring import Scored, Scorer, decayed
from elastic_reasoning.tasks.arithmetic import Arithmetic
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Problem
from letters import answer, letters

HANGS = "hangs"
IN_TIME = 60.0
"""More than any grade of a test takes; where it passes, the test fails."""


@dataclass
class OwnTask:
    """A task that grades by a function of the problem's name and the solution."""

    graded: Callable[[str, str], Any]
    name: str = "own"
    note: str = ""
    closed: bool = False

    def problems(self, split: str, limit: int | None = None) -> list[Problem]:
        return []

    def grade(self, problem: Problem, solution: str) -> Any:
        return self.graded(problem.id, solution)

    def close(self) -> None:
        self.closed = True


def problems(*names: str) -> list[Problem]:
    return [Problem(name, (), "") for name in names]


def solved(text: str = "xy") -> Trace:
    """Three tokens of thinking, the delimiter, and a solution."""
    return answer(letters(), f"abcC{text}$", "4+4")


def right(name: str, solution: str) -> Grade:
    return Grade(correct=True, answer=solution)


def score(
    graded: Callable[[str, str], Any],
    names: list[str],
    traces: list[Trace] | None = None,
    num_workers: int = 2,
    **settings: Any,
) -> list[Scored]:
    config = RewardConfig(**{"reward_timeout_seconds": IN_TIME, **settings})
    return Scorer(OwnTask(graded), config, num_workers).score(traces or [solved()] * len(names), problems(*names))


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Ends at the end of a test what hung in it."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_every_rollout_comes_back_in_order_with_its_own_grade(num_workers: int) -> None:
    names = [str(number) for number in range(300)]
    traces = [solved("xy" if number % 2 else "wu") for number in range(300)]
    found = score(lambda name, s: Grade(int(name) % 3 == 0, f"{name} {s}"), names, traces, num_workers)
    for number, scored in enumerate(found):
        assert scored.trace is traces[number]
        assert scored.grade == Grade(number % 3 == 0, f"{number} {'xy' if number % 2 else 'wu'}")
        assert (scored.reward, scored.error) == (float(number % 3 == 0), None)


def test_the_reward_is_the_weighted_sum() -> None:
    (scored,) = score(
        right,
        ["a"],
        rewards={"correct": 2.0, "format": 0.25, "overlong": 0.5},
        constants=Constants(overlong_tokens=9, overlong_buffer=4),
    )
    assert scored.trace.num_sampled_tokens == 7
    assert scored.reward == 2.0 + 0.25 - 0.5 * (7 - 5) / 4


def of_exits(rights: list[bool | None], worth: float = 1.0) -> list[Scored]:
    """Exits of thinkings; `None` is one without a reward."""
    return [
        Scored(solved(), None, None, "lost")
        if known is None
        else Scored(solved(), Grade(known, "5"), worth * known, None)
        for known in rights
    ]


def test_the_later_right_exits_of_a_thinking_earn_less() -> None:
    """S-GRPO: 1, 1/2, 1/4 for the first, second and third right answer, 0 for wrong ones."""
    found = decayed(of_exits([False, True, False, True, True, True, None, True, False, True]), 5, 0.5)
    assert [one.reward for one in found] == [0, 1, 0, 0.5, 0.25, 1, None, 0.5, 0, 0.25]


@pytest.mark.parametrize(("decay", "wanted"), [(0.0, [2, 0, 0, 0]), (1.0, [2, 0, 2, 2])])
def test_the_ends_of_decay(decay: float, wanted: list[float]) -> None:
    found = decayed(of_exits([True, False, True, True], worth=2.0), 4, decay)
    assert [one.reward for one in found] == wanted


def test_the_miniature_is_graded_as_in_evaluation() -> None:
    task = Arithmetic()
    (problem,) = task.problems("train", 1)
    template = letters(alphabet="$OCab answer0123456789")
    traces = [answer(template, f"abCanswer {digit}$", "8+9") for digit in range(10)]
    with closing(Scorer(task, RewardConfig())) as scorer:
        found = scorer.score(traces, [problem] * 10)
    assert [scored.grade for scored in found] == [task.grade(problem, trace.solution_text) for trace in traces]
    assert [scored.reward for scored in found] == [float(str(digit) == problem.answer) for digit in range(10)]


def test_a_failed_rollout_is_not_graded() -> None:
    graded = []

    def grade(name: str, solution: str) -> Grade:
        graded.append(name)
        return right(name, solution)

    failed = replace(solved(), error="the server is gone")
    found = score(grade, ["a", "b"], [failed, solved()])
    assert graded == ["b"]
    assert found[0] == Scored(failed, None, None, "the server is gone")
    assert found[1].reward == 1.0


def raises(error: BaseException) -> Callable[[str, str], Grade]:
    def grade(name: str, solution: str) -> Grade:
        if name == "bad":
            raise error
        return right(name, solution)

    return grade


@pytest.mark.parametrize(
    ("graded", "why"),
    [
        (raises(GradingError("the tests do not load")), "not graded: the tests do not load"),
        (raises(ZeroDivisionError("by zero,\n  twice")), "not graded: ZeroDivisionError: by zero, twice"),
        (raises(SystemExit(3)), "not graded: SystemExit: 3"),
        (lambda name, s: None if name == "bad" else right(name, s), "not graded: AttributeError: 'NoneType' object"),
    ],
)
def test_what_cannot_be_graded_has_no_reward(graded: Callable[[str, str], Any], why: str) -> None:
    first, bad, last = score(graded, ["a", "bad", "b"], num_workers=1)
    assert first.reward == last.reward == 1.0
    assert (bad.grade, bad.reward) == (None, None)
    assert bad.error is not None
    assert bad.error.startswith(why)


def test_nothing_has_a_reward_where_nothing_can_be_graded() -> None:
    found = score(raises(ValueError("no judge")), ["bad"] * 5)
    assert [(each.reward, each.error) for each in found] == [(None, "not graded: ValueError: no judge")] * 5
    assert score(right, []) == []


def hanging(release: threading.Event) -> Callable[[str, str], Grade]:
    def grade(name: str, solution: str) -> Grade:
        if name == HANGS:
            release.wait()
        return right(name, solution)

    return grade


def test_grades_that_all_hang_are_abandoned(release: threading.Event) -> None:
    found = score(hanging(release), [HANGS] * 40, reward_timeout_seconds=0.2)
    assert [each.error for each in found] == ["no reward within 0.2 seconds"] * 40


def test_grades_that_hang_cost_no_other_its_reward(release: threading.Event) -> None:
    """More of them than there are workers, and before all others."""
    names = [HANGS] * 5 + ["good"] * 60
    scorer = Scorer(OwnTask(hanging(release)), RewardConfig(reward_timeout_seconds=1.5), 2)
    for _ in range(2):  # what hung does not delay the next step
        found = scorer.score([solved()] * len(names), problems(*names))
        assert [scored.error for scored in found] == ["no reward within 1.5 seconds"] * 5 + [None] * 60
        assert [scored.reward for scored in found] == [None] * 5 + [1.0] * 60


def test_what_was_abandoned_is_not_graded_later(release: threading.Event) -> None:
    graded = []

    def grade(name: str, solution: str) -> Grade:
        graded.append(name)
        release.wait()
        return right(name, solution)

    before = set(threading.enumerate())
    score(grade, [str(number) for number in range(100)], reward_timeout_seconds=0.5)
    num_begun = len(graded)
    assert 2 <= num_begun <= 2 * 10
    threads = set(threading.enumerate()) - before
    release.set()
    for thread in threads:
        thread.join(IN_TIME)
    assert len(graded) == num_begun


def test_as_many_grades_at_once_as_there_are_workers() -> None:
    together = threading.Barrier(5)

    def grade(name: str, solution: str) -> Grade:
        together.wait(IN_TIME)
        return right(name, solution)

    # So much time that no thread is started for those that wait.
    found = score(grade, ["a"] * 20, num_workers=5, reward_timeout_seconds=20 * IN_TIME)
    assert all(scored.reward == 1.0 for scored in found)


def test_an_interrupt_is_not_held_up(release: threading.Event) -> None:
    """It is raised while grades are waited for."""
    begun = []

    def grade(name: str, solution: str) -> Grade:
        begun.append(name)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        release.wait()
        return right(name, solution)

    with pytest.raises(KeyboardInterrupt):
        score(grade, ["a"] * 50, num_workers=1)
    assert len(begun) == 1


HANGING_PROGRAM = """
import sys, time
sys.path[:0] = {folders!r}
from test_scoring import OwnTask, problems, right, solved
from elastic_reasoning.rollouts.config import RewardConfig
from elastic_reasoning.rollouts.scoring import Scorer

def grade(name, solution):
    if name == "hangs":
        time.sleep(3600)
    return right(name, solution)

scorer = Scorer(OwnTask(grade), RewardConfig(reward_timeout_seconds=0.5), 2)
found = scorer.score([solved()] * 3, problems("hangs", "good", "hangs"))
print([scored.reward for scored in found])
"""


def test_a_grade_that_sleeps_for_an_hour_does_not_keep_the_program_alive() -> None:
    here = Path(__file__).parent
    program = HANGING_PROGRAM.format(folders=[str(here), str(here.parent)])
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=IN_TIME, check=False)
    assert (done.stdout, done.returncode) == ("[None, 1.0, None]\n", 0), done.stderr


def test_closing_ends_what_grading_has_started() -> None:
    task = OwnTask(right)
    Scorer(task, RewardConfig()).close()
    assert task.closed


PROGRAMS = {
    "right": "print(sum(map(int, input().split())))",
    "wrong": "print(0)",
    "error": "raise ValueError",
    "endless": "while True: pass",
}


def test_programs_are_graded_in_the_sandbox(tmp_path: Path) -> None:
    row = {"problem": "Add.", "grader": "code", "split": "train", "tests": [{"input": "2 3\n", "output": "5\n"}]}
    file = tmp_path / "add.jsonl"
    file.write_text(json.dumps(row) + "\n")
    task = load_task(TaskConfig(str(file)), GradingConfig(allow_code_execution=True, grading_workers=2))
    (problem,) = task.problems("train")
    tests = replace(problem.data["tests"], limits=Limits(seconds=3.0))  # sooner than for users
    problem = replace(problem, data={**problem.data, "tests": tests})
    alphabet = "$OC" + "".join(
        sorted({letter for text in PROGRAMS.values() for letter in f"`python\n{text}"} - set("OC$"))
    )
    template = letters(alphabet=alphabet)
    traces = [answer(template, f"aC```python\n{text}\n```$", "4+99") for text in PROGRAMS.values()]
    with closing(Scorer(task, RewardConfig(), 2)) as scorer:
        found = scorer.score(traces, [problem] * len(traces))
    assert [scored.error for scored in found] == [None] * 4
    assert [scored.reward for scored in found] == [1.0, 0.0, 0.0, 0.0]
    assert [scored.grade.reason for scored in found if scored.grade] == [None, "wrong answer", "error", "time limit"]
    refusing = load_task(TaskConfig(str(file)))
    with closing(Scorer(refusing, RewardConfig(), 2)) as scorer:
        assert all("--allow-code-execution" in str(each.error) for each in scorer.score(traces, [problem] * 4))
