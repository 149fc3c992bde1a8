"""Programs against tests: which pass, why others do not, and what is taken for the program."""

import errno
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from elastic_reasoning.core.errors import GradingError, MachineError
from elastic_reasoning.grading.programs.blocks import last_code_block
from elastic_reasoning.grading.programs.code import CallTest, CodeGrader, CodeTests, StdinTest
from elastic_reasoning.grading.programs.outputs import Answers
from elastic_reasoning.grading.programs.sandbox import Limits
from elastic_reasoning.tasks.code_tests import IMPORTS
from sandboxes import nothing_left

LIMITS = Limits(seconds=20.0)


@pytest.fixture
def grader(monkeypatch: pytest.MonkeyPatch) -> Iterator[CodeGrader]:
    """The grader of this machine, whichever sandbox it has; nothing may be left by it."""
    with nothing_left(monkeypatch):
        grader = CodeGrader(allow=True, num_workers=2)
        yield grader
        grader.close()


def block(program: str) -> str:
    return f"The program is:\n```python\n{program}\n```\n"


def printing(stdin: str, stdout: str, **limits: float) -> CodeTests:
    return CodeTests(stdin=(StdinTest(stdin, stdout),), limits=replace(LIMITS, **limits))


def calling(*tests: tuple[tuple[object, ...], object], name: str = "f") -> CodeTests:
    return CodeTests(calls=tuple(CallTest(*test) for test in tests), entry_point=name, limits=LIMITS)


def test_nothing_is_run_unless_it_is_allowed() -> None:
    with pytest.raises(GradingError, match="--allow-code-execution"):
        CodeGrader(allow=False).grade(printing("", ""), block("print()"))


@pytest.mark.parametrize(("value", "correct"), [("x", True), ("x[0]", True), ("x + x", False)])
def test_any_of_several_values_is_right(grader: CodeGrader, value: str, correct: bool) -> None:
    tests = CodeTests(calls=(CallTest(([3],), 3, ([3],)),), entry_point="f", limits=LIMITS)
    assert grader.grade(tests, block(f"def f(x):\n    return {value}")).correct == correct


def test_a_grade_holds_the_program(grader: CodeGrader) -> None:
    grade = grader.grade(printing("2 3\n", "5\n"), block("print(sum(map(int, input().split())))"))
    assert (grade.correct, grade.reason, grade.unboxed) == (True, None, False)
    assert grade.answer == "print(sum(map(int, input().split())))\n"
    none = grader.grade(printing("", ""), "The answer is 5.")
    assert (none.correct, none.answer, none.reason) == (False, None, "no answer")


PROGRAMS = {
    "unicode": ("print(input()[::-1])", "äö語🙂\n", "🙂語öä\n"),
    "no output": ("input()", "x\n", ""),
    "no input": ("import sys\nprint(repr(sys.stdin.read()))", "", "''"),
    "input read twice": ("import sys\nprint(len(sys.stdin.read()), len(sys.stdin.read()))", "abc", "3 0"),
    "input by its number": ("print(open(0).read())", "a", "a"),
    "input by its name": ("print(open('/dev/stdin').read(), file=open('/dev/stdout', 'w'))", "a", "a"),
    "input in a thread": (
        "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(1 << 27)\n"
        "def main():\n    def f(n): return n and 1 + f(n - 1)\n    print(f(int(input())))\n"
        "thread = threading.Thread(target=main)\nthread.start()\nthread.join()",
        "50000",
        "50000",
    ),
    "deep recursion": (
        "import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return n and 1 + f(n - 1)\nprint(f(int(input())))",
        "100000",
        "100000",
    ),
    "main": ("def main():\n    print(input())\nif __name__ == '__main__':\n    main()", "7", "7"),
    "exit()": ("print(input())\nexit()", "7", "7"),
    "sys.exit(0)": ("import sys\nprint(input())\nsys.exit(0)", "7", "7"),
    "os._exit after a flush": ("import os\nprint(input(), flush=True)\nos._exit(0)", "7", "7"),
    "a class that is pickled": (
        "import pickle\nclass A: pass\na = pickle.loads(pickle.dumps(A()))\nprint(type(a) is A)",
        "",
        "True",
    ),
    "a data class": (
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    a: 'int'\nprint(A(1))",
        "",
        "A(a=1)",
    ),
    "numpy": ("import numpy as np\nprint(np.arange(3).sum())", "", "3"),
    "processes": ("import multiprocessing as m\nwith m.Pool(2) as p: print(p.map(abs, [-1, 2]))", "", "[1, 2]"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_that_read_and_print(grader: CodeGrader, name: str) -> None:
    program, stdin, stdout = PROGRAMS[name]
    assert grader.grade(printing(stdin, stdout), block(program)).reason is None


FAILURES = {
    "wrong answer": "print(8)",
    "error": "print(7)\n1 / 0",
    "time limit": "while True: pass",
    "memory limit": "x = [0] * (1 << 30)",
    "output limit": "while True: print(7)",
}


@pytest.mark.parametrize("reason", FAILURES)
def test_reasons(grader: CodeGrader, reason: str) -> None:
    tests = printing("", "7", seconds=0.5 if reason == "time limit" else 20)
    assert grader.grade(tests, block(FAILURES[reason])).reason == reason


@pytest.mark.parametrize(
    "program",
    [
        "import os; os._exit(0)",
        "import sys; sys.exit(0)",
        "exit()",
        "",
        "if True print(7)",
        "import os; os.close(1)",
        "print(7)\0",
        "print('\udc80')",
        "print(7)\nprint(8)",
    ],
)
def test_a_program_that_ends_without_printing_does_not_pass(grader: CodeGrader, program: str) -> None:
    assert grader.grade(printing("", "7"), block(program)).reason in ("wrong answer", "error")


def test_ten_megabytes_of_input(grader: CodeGrader) -> None:
    stdin = "\n".join(["1000001", *["12345678"] * 1_000_001])
    program = "import sys\nprint(sum(map(int, sys.stdin.read().split()[1:])))"
    assert len(stdin) > 9_000_000
    assert grader.grade(printing(stdin, str(12345678 * 1_000_001)), block(program)).reason is None


def test_two_hundred_tests_stop_at_the_first_that_fails(grader: CodeGrader) -> None:
    tests = CodeTests(stdin=tuple(StdinTest(str(n), str(n * n)) for n in range(200)), limits=LIMITS)
    assert grader.grade(tests, block("print(int(input()) ** 2)")).correct
    program = "n = int(input())\nif n > 1: 1 / 0\nprint(n * n + n)"
    assert grader.grade(tests, block(program)).reason == "wrong answer"


def test_all_tests_of_a_solution_share_a_total(grader: CodeGrader) -> None:
    limits = replace(LIMITS, total_seconds=0.6)
    tests = CodeTests(stdin=(StdinTest("", ""),) * 100, limits=limits)
    assert grader.grade(tests, block("import time; time.sleep(0.25)")).reason == "time limit"


CALLS = {
    "a function": "def f(a, b): return [a, b]",
    "a method": "class Solution:\n    def f(self, a, b): return [a, b]",
    "a tuple": "def f(a, b): return a, b",
    "numbers of numpy": "import numpy as np\ndef f(a, b): return [np.int64(a), np.float64(b)]",
    "an array": "import numpy as np\ndef f(a, b): return np.array([a, b])",
    "noise": "print('noise')\ndef f(a, b):\n    print(a)\n    return [a, b]\nprint('noise')",
    "what is below main is left out": "def f(a, b): return [a, b]\nif __name__ == '__main__': 1 / 0",
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(grader: CodeGrader, name: str) -> None:
    assert grader.grade(calling(((1, 2.5), [1, 2.5]), ((0, 0), [0, 0])), block(CALLS[name])).reason is None


NO_CALLS = {
    "def f(a): return 8": "wrong answer",
    "def f(a): return {7}": "wrong answer",
    "def f(a): return lambda: 7": "wrong answer",
    "class Seven(int):\n    __eq__ = lambda a, b: True\n    __hash__ = None\ndef f(a): return Seven(8)": "wrong answer",
    "class Any:\n    __eq__ = lambda a, b: True\ndef f(a): return Any()": "wrong answer",
    "import builtins, json\njson.dumps = lambda *a, **k: '{\"value\": true}'\ndef f(a): return 0": "wrong answer",
    "def f(a):\n    x = []\n    x.append(x)\n    return x": "wrong answer",
    "def f(a): return 10 ** 5000": "wrong answer",
    "def g(a): return 7": "error",
    "def f(a): raise ValueError(a)": "error",
    "def f(a): raise SystemExit(0)": "no proof of the end",
    "import os\ndef f(a): os._exit(0)": "no proof of the end",
    "import sys; sys.exit()": "no proof of the end",
    "import os\nos.fork() and os._exit(0)\ndef f(a): return 8": "no proof of the end",
    "def f(a): return 'x' * 2_000_000": "output limit",
}


@pytest.mark.parametrize("program", NO_CALLS)
def test_calls_that_do_not_pass(grader: CodeGrader, program: str) -> None:
    assert grader.grade(calling(((1,), 7)), block(program)).reason == NO_CALLS[program]


def test_a_prelude_comes_before_the_program(grader: CodeGrader) -> None:
    tests = replace(calling(((3,), 3)), prelude="from typing import List\nfrom math import *")
    assert grader.grade(tests, block("def f(a: List[int]): return floor(a + 0.5)")).correct


@pytest.mark.parametrize("head", ["", "'''Doc.'''\n", "# -*- coding: utf-8 -*-\n# A comment.\n"])
def test_a_program_may_begin_with_imports_from_the_future(grader: CodeGrader, head: str) -> None:
    future = f"{head}from __future__ import annotations\n"
    tests = replace(printing("", "3"), prelude="from math import *")
    assert grader.grade(tests, block(f"{future}def f(a: Unknown): return floor(a)\nprint(f(3.5))")).reason is None
    tests = replace(calling(((3,), 3)), prelude="from math import *")
    assert grader.grade(tests, block(f"{future}def f(a: Unknown): return floor(a)")).reason is None


def test_annotations_are_evaluated_where_the_program_does_not_put_them_off(grader: CodeGrader) -> None:
    assert grader.grade(calling(((3,), 3)), block("def f(a: Unknown): return a")).reason == "error"


def test_recursion_is_as_deep_as_the_reference_grader_lets_it_be(grader: CodeGrader) -> None:
    deep = "def f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f(20000))"
    assert grader.grade(replace(printing("", "20000"), prelude=IMPORTS), block(deep)).reason is None
    called = "def f(n): return 0 if n == 0 else 1 + f(n - 1)"
    assert grader.grade(replace(calling(((20000,), 20000)), prelude=IMPORTS), block(called)).reason is None


@pytest.mark.parametrize("package", ["sortedcontainers", "sympy", "networkx"])
def test_common_packages_are_there(grader: CodeGrader, package: str) -> None:
    assert grader.grade(printing("", package), block(f"import {package}\nprint({package}.__name__)")).reason is None


DIFFERS = "def check(input, output, expected):\n    return output.strip() != input.strip()"


def test_a_checker_of_the_task_decides(grader: CodeGrader) -> None:
    tests = replace(printing("abc", "bac"), answers=Answers(several=True, checker=DIFFERS))
    right = grader.grade(tests, block("print(input()[::-1])"))
    assert (right.correct, right.rule) == (True, "checker")
    assert grader.grade(tests, block("print(input())")).reason == "wrong answer"
    assert grader.grade(tests, block("1 / 0")).reason == "error"
    calls = replace(calling(((3,), 7)), answers=Answers(checker="def check(i, o, e): return o % i[0] == 0"))
    assert grader.grade(calls, block("def f(n): return 6")).correct
    assert grader.grade(calls, block("def f(n): return 7")).reason == "wrong answer"


@pytest.mark.parametrize("checker", ["def check(i, o, e): return o", "def check(i, o, e): 1 / 0", "x"])
def test_a_checker_that_does_not_say_yes_or_no_is_no_verdict(grader: CodeGrader, checker: str) -> None:
    tests = replace(printing("", "7"), answers=Answers(checker=checker))
    with pytest.raises(GradingError, match="the checker gave neither true nor false"):
        grader.grade(tests, block("print(7)"))


def test_a_verdict_where_others_are_right_too_says_so(grader: CodeGrader) -> None:
    tests = replace(printing("", "7"), answers=Answers(several=True))
    assert grader.grade(tests, block("print(8)")).rule == "one of several outputs"
    assert grader.grade(tests, block("print(7)")).rule == "one of several outputs"
    assert grader.grade(tests, "no program").rule == "one of several outputs"
    assert grader.grade(printing("", "7"), block("print(8)")).rule == "same output"


def test_a_full_disk_is_nothing_to_a_run(grader: CodeGrader, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **keywords: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    assert grader.grade(printing("", "7"), block("print(7)")).correct


def test_what_the_machine_lacks_is_no_verdict(grader: CodeGrader, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*arguments: object, **keywords: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "memfd_create", lacking)
    with pytest.raises(MachineError, match=r"the sandbox did not start.*Too many open files"):
        grader.grade(printing("", "7"), block("print(7)"))


def test_several_threads_grade_at_once(grader: CodeGrader) -> None:
    reasons: dict[int, str | None] = {}

    def grade(number: int) -> None:
        tests = printing(str(number), str(number) if number % 3 else "no")
        reasons[number] = grader.grade(tests, block("print(input())")).reason

    threads = [threading.Thread(target=grade, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reasons == {number: None if number % 3 else "wrong answer" for number in range(12)}


def test_closing_stops_what_runs(grader: CodeGrader) -> None:
    timer = threading.Timer(0.3, grader.close)
    timer.start()
    with pytest.raises(GradingError, match="closed"):
        grader.grade(printing("", "", seconds=100), block("while True: pass"))
    timer.join()


def test_tests_of_no_kind_or_two() -> None:
    with pytest.raises(GradingError, match="exactly one of stdin, calls and check"):
        CodeTests()
    with pytest.raises(GradingError, match="exactly one"):
        CodeTests(stdin=(StdinTest("", ""),), check="def check(candidate): pass", entry_point="f")
    with pytest.raises(GradingError, match="entry_point"):
        CodeTests(calls=(CallTest((), 1),))


BLOCKS = {
    "Here: ```python\na\n```": "a\n",
    "Here is the code:```\na\n```": "a\n",
    "1. Here: ```python\n   a\n   ```": "   a\n",
    "```python\na\n``` This prints 7.": "a\n",
    "```python\na\n```This prints 7.": "a\n",
    "```python\na\n``` It uses `heapq`.\nDone": "a\n",
    "```python\na\nreturn x```\ndone": "a\nreturn x\n",
    "```python\na\n```text\n7\n```": "a\n",
    "```python\na\n```output\n7": "a\n",
    "~~~python\na\n~~~": "a\n",
    "~~~\na\n```\nb\n~~~": "a\n```\nb\n",
    "```python\nx = '''\n``` not a fence\n'''\nb\n```": "x = '''\n``` not a fence\n'''\nb\n",
    "```python\ns = 'a```'\nb\n```": "s = 'a```'\nb\n",
    "```python\n# ends in ```\nb\n```": "# ends in ```\nb\n",
    "```python\na\n```\n**Explanation** ```O(n)```": "a\n",
    "```python {.numberLines}\na\n```": "a\n",
    "Text with ``` in it\n```python\na\n```": "a\n",
    "```python\na\n```": "a\n",
    "```\na\n```": "a\n",
    "```py\na\n```": "a\n",
    "```Python3\na\n```": "a\n",
    "```python title=x\na\n```": "a\n",
    "first\n```python\na\n```\nbetter\n```python\nb\n```\ndone": "b\n",
    "```python\na\n```\nprints\n```text\n7\n```": "a\n",
    "```cpp\nint a;\n```": None,
    "```python\na\n```\nbetter\n```python\nb": "a\n",
    "```python\na": None,
    "no program": None,
    "": None,
    "```python\nprint('''\n``` x\n''')\n```": "print('''\n``` x\n''')\n",
    "- so\n  ```python\n  if a:\n    b\n  ```\n": "if a:\n  b\n",
    "```python\n    return a\n```": "    return a\n",
    "```python\r\na\r\n```\r\n": "a\n",
    "```python\n```": "",
    "```python\na\n```python\nb\n```": "b\n",
    "```text\na\n```python\nb\n```": "b\n",
    "```python\na\n```\n```\nb": "a\n",
    "````python\na\n```\nb\n```python\nc\n`````": "a\n```\nb\n```python\nc\n",
    "```a```\n```python\na\n```": "a\n",
    "``\na\n``": None,
    "```python\na\x0b\u2028b\n```": "a\x0b\u2028b\n",
}


@pytest.mark.parametrize("solution", BLOCKS)
def test_the_last_complete_block_of_python_is_the_program(solution: str) -> None:
    assert last_code_block(solution) == BLOCKS[solution]


@pytest.mark.parametrize(
    "solution",
    ["```python\n" * 200_000, "```\n" * 199_999, "`" * 1_000_000, "```" + " " * 1_000_000 + "`", " " * 1_000_000],
    ids=["openings", "bare fences", "ticks", "spaces", "an indent"],
)
def test_large_solutions_without_a_program(solution: str) -> None:
    """What is more than linear in their size runs into the timeout."""
    assert not last_code_block(solution)
