"""Real processes: killed, left behind, interrupted, shared by many threads, closed."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from elastic_reasoning.core.errors import GradingError
from elastic_reasoning.grading.answers.mathematics import EQUALITY, MathGrader
from elastic_reasoning.grading.workers import Workers

ENDLESS = r"\boxed{9^{9^{9^{9}}}}"
ENDLESS_GRADE = f"grader.grade(['5'], r'{ENDLESS}')"


def grading_processes(parent: int | None = None) -> set[int]:
    """The grading processes of a parent: this process, or another."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            status = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if b"equality.py" in command and status[0] != "Z" and int(status[1]) == (parent or os.getpid()):
            found.add(int(folder.name))
    return found


def running(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_nothing_runs_before_the_first_comparison_and_after_close() -> None:
    before = grading_processes()
    with closing(MathGrader(num_workers=3)) as grader:
        assert grader.grade(["5"], r"\boxed{5}").correct
        assert grading_processes() == before
        assert grader.grade(["5"], r"\boxed{\frac{10}{2}}").correct
        assert len(grading_processes() - before) == 1
    assert grading_processes() == before
    with pytest.raises(GradingError, match="closed"):
        grader.grade(["5"], r"\boxed{\frac{10}{2}}")
    grader.close()


def test_many_threads_get_a_process_each_and_their_own_grades() -> None:
    before = grading_processes()
    with closing(MathGrader(num_workers=3)) as grader, ThreadPoolExecutor(12) as threads:
        wanted = [(number, number % 3 == 0) for number in range(150)]
        grades = threads.map(
            lambda item: grader.grade(
                [str(item[0])], rf"\boxed{{\frac{{{2 * item[0]}}}{{{2 if item[1] else 1}}} + 0}}"
            ),
            wanted,
        )
        assert [grade.correct for grade in grades] == [right or number == 0 for number, right in wanted]
        assert len(grading_processes() - before) == 3


def test_a_process_killed_between_grades_is_replaced() -> None:
    with closing(MathGrader(num_workers=1)) as grader:
        before = grading_processes()
        assert grader.grade(["5"], r"\boxed{\frac{10}{2}}").correct
        for process in grading_processes() - before:
            os.kill(process, signal.SIGKILL)
        assert grader.grade(["5"], r"\boxed{\frac{10}{2}}").correct


def test_a_process_killed_in_the_middle_of_a_grade_is_replaced() -> None:
    before = grading_processes()
    with closing(MathGrader(num_workers=1, timeout_seconds=3.0)) as grader, ThreadPoolExecutor(1) as threads:
        assert grader.grade(["5"], r"\boxed{\frac{10}{2}}").correct
        (first,) = grading_processes() - before
        grade = threads.submit(grader.grade, ["5"], ENDLESS)
        time.sleep(0.3)
        os.kill(first, signal.SIGKILL)
        assert grade.result(timeout=60).reason == "time limit"
        assert grader.grade(["5"], r"\boxed{\frac{10}{2}}").correct
        assert first not in grading_processes()


def test_close_ends_a_grade_under_way() -> None:
    before = grading_processes()
    grader = MathGrader(num_workers=1, timeout_seconds=300.0)
    with ThreadPoolExecutor(2) as threads:
        grades = [threads.submit(grader.grade, ["5"], ENDLESS) for _ in range(2)]
        wait_until(lambda: grading_processes() - before)
        grader.close()
        for grade in grades:
            with pytest.raises(GradingError, match="closed"):
                grade.result(timeout=60)
    wait_until(lambda: grading_processes() == before)


def test_a_process_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "equality.py"
    broken.write_text("raise SystemExit('no sympy here')")
    with (
        closing(MathGrader(workers=Workers(1, broken))) as grader,
        pytest.raises(GradingError, match=r"did not start.*equality\.py"),
    ):
        grader.grade(["5"], r"\boxed{\frac{10}{2}}")


def script(tmp_path: Path, body: str) -> Path:
    """A program without a `__main__` guard."""
    path = tmp_path / "program.py"
    header = """
    import signal, sys
    from elastic_reasoning.grading.answers.mathematics import MathGrader
    grader = MathGrader(num_workers=2, timeout_seconds={seconds})
    assert grader.grade(["5"], r"\\boxed{{\\frac{{10}}{{2}}}}").correct
    print("graded", flush=True)
    """
    path.write_text(textwrap.dedent(header.format(seconds=2)) + textwrap.dedent(body))
    return path


def test_a_program_without_a_guard_grades_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, script(tmp_path, "")], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr, done.returncode) == ("graded\n", "", 0)


@pytest.mark.parametrize("busy", [False, True])
def test_the_processes_end_with_a_killed_parent(tmp_path: Path, busy: bool) -> None:
    body = ENDLESS_GRADE if busy else "signal.pause()"
    program = script(tmp_path, body)
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "graded\n"
        left = grading_processes(parent.pid)
        assert left
        time.sleep(0.3)
        parent.kill()
    wait_until(lambda: not any(running(process) for process in left))


def test_ctrl_c_reaches_the_parent_alone(tmp_path: Path) -> None:
    body = """
    try:
        print("waits", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        assert grader.grade(["5"], r"\\boxed{\\frac{20}{4}}").correct
        print("again")
    """
    command = [sys.executable, script(tmp_path, body)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stdout is not None
        assert [parent.stdout.readline() for _ in range(2)] == ["graded\n", "waits\n"]
        processes = grading_processes(parent.pid)
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.stdout.readline() == "again\n"
        assert processes
    assert parent.returncode == 0


def test_an_interrupted_grade_leaves_no_late_answer_for_the_next() -> None:
    def interrupt() -> None:
        time.sleep(1.0)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with closing(MathGrader(num_workers=1, timeout_seconds=30.0)) as grader:
        assert grader.grade(["5"], r"\boxed{\frac{10}{2}}").correct
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            grader.grade(["5"], ENDLESS)
        assert grader.grade(["5"], r"\boxed{\frac{10}{2}}").correct


def test_the_clock_decides_nothing() -> None:
    """A process that is held up longer than a grade may compute still gives the right verdict."""
    before = grading_processes()
    with closing(MathGrader(num_workers=1, timeout_seconds=1.0)) as grader, ThreadPoolExecutor(1) as threads:
        assert grader.grade(["5"], r"\boxed{\frac{10}{2}}").correct
        (process,) = grading_processes() - before
        os.kill(process, signal.SIGSTOP)
        grade = threads.submit(grader.grade, ["7"], r"\boxed{\frac{14}{2}}")
        time.sleep(2.0)
        assert not grade.done()
        os.kill(process, signal.SIGCONT)
        assert grade.result(timeout=60).correct


def test_a_process_that_never_gets_the_processor_is_no_verdict() -> None:
    before = grading_processes()
    with closing(MathGrader(timeout_seconds=0.5, workers=Workers(1, EQUALITY, patience=1))) as grader:
        assert grader.grade(["5"], r"\boxed{\frac{10}{2}}").correct
        (process,) = grading_processes() - before
        os.kill(process, signal.SIGSTOP)
        with pytest.raises(GradingError, match=r"did not get 0\.5 s of processor time"):
            grader.grade(["7"], r"\boxed{\frac{14}{2}}")
        assert grader.grade(["7"], r"\boxed{\frac{14}{2}}").correct
