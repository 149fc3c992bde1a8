"""Grades programs by running them against tests, in a sandbox.

    grader = CodeGrader(allow=True)
    tests = CodeTests(stdin=(StdinTest("2 3\n", "5\n"),))
    grader.grade(tests, "```python\nprint(sum(map(int, input().split())))\n```")     # Grade(correct=True, ...)

A program is what stands in the last complete code block of the solution. It is stopped at its first failing test.
Each test runs in a sandbox of its own. What a program may know of the answers differs by kind:

- Standard input and output, calls: the expected value never enters the sandbox. What comes out is compared here, so
  nothing that the program does to its own process matters, and the only way to pass is to give the right output.
- `check(candidate)`: such tests hold their answers. They run in a second sandbox, in a process that loads no code of
  the candidate; `candidate` calls over a socket into the first one. The verdict is that process's word that `check`
  returned. A program that ends early, patches built-ins or searches its memory reaches nothing of it. In the weak
  sandbox without a uid of its own (see `announce`), a program could find that process, read it, or forge its verdict.
  Arguments are copies: a `check` that looks at what became of its own argument would not see it.
"""

import os
import re
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elastic_reasoning.core.errors import GradingError
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.grading.programs.blocks import last_code_block
from elastic_reasoning.grading.programs.outputs import PUBLISHED, Answers, same_output, same_value, value_of
from elastic_reasoning.grading.programs.probe import find_sandbox
from elastic_reasoning.grading.programs.run import Run, wait
from elastic_reasoning.grading.programs.sandbox import Limits, Sandbox

CROSSING = Path(__file__).with_name("crossing.py").read_text(encoding="utf-8")
# LeetCode's test sources end in `check(Solution().method)`; here it is the grader that calls.
LAST_CALL = re.compile(r"^check\(.*\)\s*\Z", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class StdinTest:
    """A program reads `stdin`, and must print `stdout`."""

    stdin: str
    stdout: str


@dataclass(frozen=True, slots=True)
class CallTest:
    """A function is called with `arguments`, JSON values, and must return `expected` or one of `also`."""

    arguments: tuple[Any, ...]
    expected: Any
    also: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeTests:
    """The tests of one problem, all of one kind.

    Attributes:
        stdin: programs that read and print.
        calls: calls of `entry_point`, a method of class `Solution` or a function.
        entry_point: the name of what is called.
        check: source that defines `check(candidate)`, as HumanEval and LeetCode sets have it.
        prelude: put before the program, such as imports, or HumanEval's prompt; Python that loads on its own. The
            tests of `check` see it too.
        answers: what is right beside the published outputs and values.
        limits: what each test may use.
    """

    stdin: tuple[StdinTest, ...] = ()
    calls: tuple[CallTest, ...] = ()
    entry_point: str = ""
    check: str = ""
    prelude: str = ""
    answers: Answers = PUBLISHED
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Raises GradingError: none or several kinds of tests, or nothing to call."""
        kinds = [name for name in ("stdin", "calls", "check") if getattr(self, name)]
        if len(kinds) != 1:
            raise GradingError(f"tests of kinds {kinds}: give exactly one of stdin, calls and check")
        if self.check and self.answers != PUBLISHED:
            raise GradingError("tests of kind check with other answers: check itself says what is right")
        if kinds != ["stdin"] and not self.entry_point:
            raise GradingError(f"tests of kind {kinds[0]} without entry_point: name the function that they call")

    @property
    def rule(self) -> str:
        """The rule by which a program is judged."""
        return "check" if self.check else self.answers.rule


class CodeGrader:
    """Runs programs against tests. Several threads may grade at once; each then has a sandbox of its own.

    Args:
        allow: whether generated programs may be run at all.
        num_workers: how many solutions are graded at one time; 0: as many as there are cores.
        sandbox: one, or "auto", "bubblewrap" or "weak", see `find_sandbox`.

    Attributes:
        sandbox: "bubblewrap" or "weak"; empty where programs may not be run.

    Raises:
        GradingError: bubblewrap does not work here, and the weak sandbox was not asked for.
    """

    def __init__(self, allow: bool, num_workers: int = 0, sandbox: str | Sandbox = "auto") -> None:
        found = find_sandbox(sandbox) if allow and isinstance(sandbox, str) else sandbox
        self._sandbox = found if isinstance(found, Sandbox) else None
        self._slots = threading.BoundedSemaphore(num_workers or os.cpu_count() or 1)
        self._closing = threading.Event()
        self.sandbox = self._sandbox.name if self._sandbox else ""

    def announce(self) -> str:
        """What the sandbox does not stop, in one line; empty for bubblewrap with its filter of system calls."""
        return self._sandbox.weakness if self._sandbox else ""

    def grade(self, tests: CodeTests, solution: str) -> Grade:
        """Run the program of a solution against the tests; blocks.

        Returns:
            The grade, with the program as the answer, and a reason: "no answer" (no code block), "wrong answer",
            "time limit", "memory limit", "output limit", "error" (it raised or ended with a status other than 0), or
            "no proof of the end" (it ended before the test did).

        Raises:
            GradingError: running programs is not allowed, the tests themselves do not load, the sandbox does not
                start, or the grader was closed.
        """
        if self._sandbox is None:
            raise GradingError("grading this task runs generated programs: allow it with --allow-code-execution")
        code = last_code_block(solution)
        if code is None:
            return Grade(correct=False, answer=None, reason="no answer", rule=tests.rule)
        with self._slots:
            reason = _Trial(self._sandbox, self._closing, tests, code).reason()
        return Grade(correct=reason is None, answer=code, reason=reason, rule=tests.rule)

    def close(self) -> None:
        """Stop what still runs; `grade` then raises `GradingError`."""
        self._closing.set()


class _Trial:
    """One program against its tests."""

    def __init__(self, sandbox: Sandbox, closing: threading.Event, tests: CodeTests, source: str) -> None:
        self._sandbox, self._closing, self._tests = sandbox, closing, tests
        self._program = {"prelude": tests.prelude, "source": source, "entry_point": tests.entry_point}
        self._limits = tests.limits
        self._seconds_left = tests.limits.total_seconds

    def reason(self) -> str | None:
        """Why the first failing test failed, or `None`."""
        if self._tests.check:
            return self._check()
        reasons = map(self._print, self._tests.stdin) if self._tests.stdin else map(self._call, self._tests.calls)
        return next((reason for reason in reasons if reason), None)

    def _print(self, test: StdinTest) -> str | None:
        job = {"mode": "program", **self._program}
        with Run(self._sandbox, job, self._limits, test.stdin.encode(errors="replace")) as run:
            outcome = run.end(self._wait(run))
        if outcome.reason:
            return outcome.reason
        printed = outcome.stdout.decode(errors="replace")
        if self._tests.answers.checker:
            right = self._checked(test.stdin, printed, test.stdout)
        else:
            right = same_output(printed, test.stdout, self._tests.answers)
        return None if right else "wrong answer"

    def _call(self, test: CallTest) -> str | None:
        job = {"mode": "call", **self._program, "arguments": test.arguments}
        with Run(self._sandbox, job, self._limits) as run:
            outcome = run.end(self._wait(run))
        if outcome.reason or not outcome.report:
            return outcome.reason or "no proof of the end"
        given, value = value_of(outcome.report)
        if given and self._tests.answers.checker:
            right = self._checked(list(test.arguments), value, test.expected)
        else:
            wanted = (test.expected, *test.also)
            right = given and any(same_value(value, each, self._tests.answers) for each in wanted)
        return None if right else "wrong answer"

    def _checked(self, *arguments: Any) -> bool:
        """What the task's checker says of input, output and the published one, in a sandbox with a time of its own."""
        job = {"mode": "call", "source": self._tests.answers.checker, "entry_point": "check", "arguments": arguments}
        limits = Limits()
        with Run(self._sandbox, job, limits) as run:
            outcome = run.end(wait([run], limits, limits.seconds, self._closing)[0])
        given, right = value_of(outcome.report)
        if outcome.reason or not given or not isinstance(right, bool):
            last = outcome.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise GradingError(f"the checker gave neither true nor false: {outcome.reason or right!r} {last}".strip())
        return right

    def _check(self) -> str | None:
        program = {"mode": "serve", "crossing": CROSSING, **self._program}
        check = LAST_CALL.sub("", self._tests.check)
        tests = {**program, "mode": "check", "source": "", "check": check}  # nothing of the candidate
        near, far = socket.socketpair()
        with near, far, Run(self._sandbox, program, self._limits, channel=far.fileno()) as serving:
            far.close()
            with Run(self._sandbox, tests, self._limits, channel=near.fileno()) as checking:
                near.close()
                checked = checking.end(self._wait(checking, serving))
            # A report counts only from a process that came to its own end: without a uid of its own, a program could
            # write one and kill that process.
            if checked.reason:
                return checked.reason
            verdict, _, detail = checked.report.decode(errors="replace").partition("\n")
            match verdict:
                case "passed":
                    return None
                case "wrong answer" | "error" | "memory limit":
                    return verdict
                case "gone":  # how the other one ended tells why
                    reason, _ = wait([serving], self._limits, 1.0, self._closing)
                    return serving.end(reason).reason or "no proof of the end"
                case "broken":
                    raise GradingError(f"the tests do not load: {detail}")
                case _:
                    return "no proof of the end"

    def _wait(self, *runs: Run) -> str | None:
        reason, used = wait(runs, self._limits, min(self._limits.seconds, self._seconds_left), self._closing)
        self._seconds_left = max(0.0, self._seconds_left - used)
        return reason
