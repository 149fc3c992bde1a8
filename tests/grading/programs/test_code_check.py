"""Tests of the form `check(candidate)`: what crosses to them, and the ways in which nothing passes but right values."""

from collections.abc import Iterator

import pytest

from elastic_reasoning.core.errors import GradingError
from elastic_reasoning.grading.programs import run
from elastic_reasoning.grading.programs.code import CodeGrader, CodeTests
from elastic_reasoning.grading.programs.sandbox import Limits
from sandboxes import DROPPED, STRONG, WEAK, nothing_left, sandbox

LIMITS = Limits(seconds=20.0)
CHECK = "def check(candidate):\n    assert candidate(6) == 'the-right-answer'\n"


@pytest.fixture(params=[STRONG, DROPPED, WEAK])
def grader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[CodeGrader]:
    with nothing_left(monkeypatch):
        yield CodeGrader(allow=True, sandbox=sandbox(request.param))


def grade(grader: CodeGrader, program: str, check: str = CHECK, prelude: str = "") -> str | None:
    tests = CodeTests(check=check, entry_point="f", prelude=prelude, limits=LIMITS)
    return grader.grade(tests, f"```python\n{program}\n```").reason


def test_right_and_wrong(grader: CodeGrader) -> None:
    assert grade(grader, "def f(n): return 'the-right-answer'") is None
    assert grade(grader, "def f(n): return 'a wrong one'") == "wrong answer"
    assert grade(grader, "def f(n): raise ValueError") == "error"
    assert grade(grader, "def f(n): return [0] * (1 << 40)") == "memory limit"
    assert grade(grader, "def g(n): return n") == "error"
    assert grade(grader, "def f(n) return n") == "error"


FORGERIES = {
    "the end at once": "import os; os._exit(0)",
    "the end of the call": "import os\ndef f(n): os._exit(0)",
    "an orderly end": "import sys; sys.exit(0)",
    "an orderly end of the call": "def f(n): raise SystemExit(0)",
    "the end in a thread": "import os, threading\nthreading.Timer(0.01, os._exit, [0]).start()\n"
    "def f(n):\n    while 1: pass",
    "the end on leaving": "import atexit, os\natexit.register(os._exit, 0)\nraise SystemExit",
    "a value that equals all": "class A:\n    __eq__ = lambda a, b: True\ndef f(n): return A()",
    "a text that equals all": "class A(str):\n    __eq__ = lambda a, b: True\ndef f(n): return A('x')",
    "no assertions": "import builtins\nclass E(BaseException): pass\nbuiltins.AssertionError = E\ndef f(n): return 1",
    "patched built-ins": "import builtins\nfor n in ('all', 'any', 'print', 'isinstance', 'len'):\n"
    "    setattr(builtins, n, lambda *a: True)\ndef f(n): return 1",
    "a check of its own": "def check(candidate): pass\ndef f(n): return 1",
    "a pickle that calls": "import os\nclass A:\n    def __reduce__(self): return os._exit, (0,)\ndef f(n): return A()",
    "a pickle of a patched class": "class A:\n    def __reduce__(self): return setattr, (str, '__eq__', 1)\n"
    "def f(n): return A()",
    "the word passed on every file": "import os\nfor fd in range(1, 64):\n    try: os.write(fd, b'passed\\n')\n"
    "    except OSError: pass\ndef f(n): return 1",
    "the verdict by frames": "import sys\ndef f(n):\n    frame = sys._getframe()\n    while frame:\n"
    "        for value in frame.f_globals.values():\n            if getattr(value, '__name__', '') == 'write':\n"
    "                value({'report': 1}, 'passed')\n        frame = frame.f_back\n    __import__('os')._exit(0)",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_no_trick_passes(grader: CodeGrader, name: str) -> None:
    assert grade(grader, FORGERIES[name]) in ("wrong answer", "error", "no proof of the end", "time limit")


# Everything that a program can look through: frames, all objects, command lines, environments, open files, memory.
SEARCH = """
import gc, glob, os, re, sys
def f(n):
    seen = []
    frame = sys._getframe()
    while frame:
        seen += [repr(frame.f_locals), repr(frame.f_globals), repr(frame.f_code.co_consts)]
        frame = frame.f_back
    seen += [repr(thing) for thing in gc.get_objects() if type(thing) in (str, list, dict, tuple)]
    names = ("environ", "cmdline", "fd/*", "cwd/*", "task/*/comm", "mem")
    for path in [path for name in names for path in glob.glob("/proc/[0-9]*/" + name)] + glob.glob("/tmp/*"):
        try:
            if not path.endswith("mem"):
                seen.append(open(path, "rb", buffering=0).read(1 << 16).decode(errors="replace"))
                continue
            memory = open(path, "rb", buffering=0)
            for line in open(path[:-3] + "maps"):
                start, end = (int(word, 16) for word in line.split()[0].split("-"))
                if " rw-p" in line and end - start < 1 << 26:
                    memory.seek(start)
                    seen.append(memory.read(end - start).decode(errors="replace"))
        except (OSError, ValueError, OverflowError):
            pass
    found = re.search("the-right-" + "[a-z]+", " ".join(seen).replace("the-right-" + '" +', ""))
    return found.group() if found else "nothing"
"""


def test_the_answer_is_not_to_be_found(grader: CodeGrader) -> None:
    if grader.announce() and "signal your processes" in grader.announce():
        pytest.skip("the weak sandbox without a uid of its own does not stop this, and says so")
    check = "def check(candidate):\n    found = candidate(6)\n    assert found != 'nothing', found\n"
    hidden = "SECRET = 'the-right-answer'\n" + check
    assert grade(grader, SEARCH, hidden) == "wrong answer"
    # The search does find what is there.
    assert grade(grader, SEARCH + "\nhere = 'the-right-' + 'answer'", hidden) is None


CROSSING = [
    "{'a': [1, 2.5, None, True, (3, 'x')], 7: {1, 2}}",
    "float('inf')",
    "b'bytes'",
    "10 ** 5000",
    "frozenset({1})",
    "1 + 2j",
    "Decimal('1.5')",
    "Fraction(1, 3)",
    "range(3)",
    "deque([1, 2])",
]


def test_plain_values_cross_both_ways(grader: CodeGrader) -> None:
    imports = "from collections import deque\nfrom decimal import Decimal\nfrom fractions import Fraction\n"
    values = ", ".join(CROSSING)
    check = f"def check(candidate):\n    for value in ({values}):\n        back = candidate(value, also=[value])\n"
    check += "        assert back == (value, [value]) and type(back[0]) is type(value)\n"
    assert grade(grader, "def f(value, also): return value, also", check, imports) is None


KINDS = {
    "a default dictionary": "from collections import *\ndef f(n):\n    d = defaultdict(lambda: 0)\n    d['a'] += 1\n"
    "    return d",
    "a counter": "from collections import *\ndef f(n): return Counter('a')",
    "a dictionary with a number of numpy": "import numpy\ndef f(n): return {'a': numpy.int64(1)}",
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_plain_values_count_as_these(grader: CodeGrader, name: str) -> None:
    assert grade(grader, KINDS[name], "def check(candidate):\n    assert candidate(1) == {'a': 1}") is None


ITERABLES = {
    "a generator": "(i for i in (1, 2))",
    "a map": "map(int, '12')",
    "keys": "{1: 0, 2: 0}.keys()",
    "values": "{0: 1, 3: 2}.values()",
    "a range": "range(1, 3)",
    "a deque": "__import__('collections').deque([1, 2])",
}


@pytest.mark.parametrize("name", ITERABLES)
def test_what_can_be_iterated_over_crosses(grader: CodeGrader, name: str) -> None:
    program = f"def f(n): return {ITERABLES[name]}"
    assert grade(grader, program, "def check(candidate):\n    assert list(candidate(1)) == [1, 2]") is None
    assert grade(grader, program, "def check(candidate):\n    assert list(candidate(1)) == [2, 1]") == "wrong answer"


def test_exceptions_arrive_as_their_nearest_built_in_kind(grader: CodeGrader) -> None:
    check = "def check(candidate):\n    try: candidate(1)\n"
    check += "    except LookupError as error: assert str(error) == 'why'\n    else: assert False\n"
    assert grade(grader, "class E(IndexError): pass\ndef f(n): raise E('why')", check) is None
    assert grade(grader, "class E(Exception): pass\ndef f(n): raise E('why')", check) == "error"
    assert grade(grader, "def f(n): pass", check) == "wrong answer"


LINKED = """
class Node:
    def __init__(self, value=0, next=None): self.value, self.next = value, next
def linked(values):
    node = None
    for value in reversed(values): node = Node(value, node)
    return node
def same(a, b):
    while a and b and a.value == b.value: a, b = a.next, b.next
    return a is b is None
"""
REVERSE = """
class Solution:
    def f(self, node):
        before = None
        while node: node.next, before, node = before, node, node.next
        return before
"""


def test_classes_of_the_prelude_cross(grader: CodeGrader) -> None:
    check = "def check(candidate):\n    assert same(candidate(linked(range(5000))), linked(range(4999, -1, -1)))\n"
    check += "\n\ncheck(Solution().f)"
    assert grade(grader, REVERSE, check, LINKED) is None
    own = "class Node:\n    def __init__(self, value=0, next=None): self.value, self.next = value, next\n"
    assert grade(grader, own + REVERSE, check, LINKED) is None
    assert grade(grader, REVERSE.replace("return before", "return node"), check, LINKED) == "wrong answer"


POINT = """
class Point:
    def __init__(self, x, y): self.x, self.y = x, y
    def same(self, other): return (self.x, self.y) == (other.x, other.y)
    def norm(self): return self.x + self.y
"""
# A program that gets hold of the harness and writes to the tests what it likes.
WRITES = """
import sys
def f(n):
    frame = sys._getframe(1)
    frame.f_globals["send"](frame.f_locals["replies"], b"v" + {data!r})
"""
FORGED = {
    "a class for a method": "def f(n):\n    p = Point(0, 0)\n    p.same = str\n    return p",
    "a number for a method": "def f(n):\n    p = Point(0, 0)\n    p.same = 1\n    return p",
    "a method of another object": "def f(n):\n    p = Point(0, 0)\n    p.same = {}.setdefault\n    return p",
    "a class of its own": "class Point(Point):\n    def same(self, other): return True\ndef f(n): return Point(0, 0)",
    "a class in the class": "def f(n):\n    p = Point(0, 0)\n    p.__class__ = type('Point', (Point,), "
    "{'same': lambda *a: True, '__module__': 'solution'})\n    return p",
    "a pickle": WRITES.format(data=b"\x80\x05csolution\nPoint\nN}\x8c\x04samecbuiltins\nstr\ns\x86b."),
    "a node of a class": WRITES.format(data=b'[0, [["type", "str"]]]'),
    "a node of a module's name": WRITES.format(data=b'[0, [["instance", "__builtins__"]]]'),
    "a node of a function": WRITES.format(data=b'[0, [["instance", "check"]]]'),
    "a dunder of an instance": WRITES.format(data=b'[1, [["str", "__class__"], ["instance", "Point", [0, 0]]]]'),
    "a node that holds itself": WRITES.format(data=b'[0, [["tuple", [0]]]]'),
    "a node that is not there": WRITES.format(data=b"[7, []]"),
    "no JSON": WRITES.format(data=b"passed"),
    "JSON without an end": WRITES.format(data=b"[" * 100_000),
}


@pytest.mark.parametrize("name", FORGED)
def test_nothing_but_data_crosses(grader: CodeGrader, name: str) -> None:
    check = "def check(candidate):\n    assert candidate(1).same(Point(1, 2))\n"
    assert grade(grader, "def f(n): return Point(n, 2)", check, POINT) is None
    assert grade(grader, FORGED[name], check, POINT) == "wrong answer"


# What takes an exception for something else: `map` and `next` a StopIteration, `getattr` an AttributeError, iteration
# by index an IndexError.
SWALLOWED = {
    "map": ("StopIteration", "assert all(a == b for a, b in zip(map(candidate, [1, 2]), [5, 5]))"),
    "list of map": ("StopIteration", "for value in map(candidate, [1, 2]):\n        assert value == 5"),
    "next": ("StopIteration", "assert next(map(candidate, [1]), 5) == 5"),
    "getattr": (
        "AttributeError",
        "class A:\n        @property\n        def a(self): return candidate(1)\n    assert getattr(A(), 'a', 5) == 5",
    ),
    "index": (
        "IndexError",
        "class A:\n        __getitem__ = lambda self, n: candidate(n)\n    for n in A():\n        assert n == 5",
    ),
}


@pytest.mark.parametrize("name", SWALLOWED)
def test_an_exception_that_nobody_sees_fails_the_check(grader: CodeGrader, name: str) -> None:
    kind, test = SWALLOWED[name]
    assert grade(grader, f"def f(n): raise {kind}('no')", f"def check(candidate):\n    {test}\n") == "error"


def test_an_exception_that_the_test_expects_passes(grader: CodeGrader) -> None:
    check = (
        "def check(candidate):\n    try:\n        candidate(-1)\n    except ValueError:\n        pass\n"
        "    else:\n        raise AssertionError\n"
    )
    assert grade(grader, "def f(n): raise ValueError(n)", check) is None
    assert grade(grader, "def f(n): return n", check) == "wrong answer"


def test_the_candidate_goes_by_its_name_too(grader: CodeGrader) -> None:
    """HumanEval/33 compares `candidate(x)` with `sort_third(x)`; /38 uses another function of the prompt."""
    prelude = "def double(n):\n    return 2 * n\n\n\ndef f(n):\n    '''Add one.'''\n"
    check = "def check(candidate):\n    assert candidate(double(3)) == f(6) == 7\n"
    assert grade(grader, "    return n + 1", check, prelude) is None
    assert grade(grader, "def f(n):\n    return n + 1", check, prelude) is None


def test_tests_that_do_not_load_are_no_fault_of_the_program(grader: CodeGrader) -> None:
    with pytest.raises(GradingError, match="the tests do not load: ModuleNotFoundError"):
        grade(grader, "def f(n): return 1", "import no_such_module\n" + CHECK)
    with pytest.raises(GradingError, match="the tests do not load: SyntaxError"):
        grade(grader, "def f(n): return 1", "def check(")


# In the weak sandbox without a uid of its own, this finds the other process by its open files, and ends it.
MURDER = """
import glob, os
def f(n):
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        pid = int(path.split("/")[2])
        try:
            if pid != os.getpid() and "(deleted)" in os.readlink(path) and MARK in open(f"/proc/{pid}/cmdline").read():
                with open(path, "r+b", buffering=0) as file: file.write(b"passed")
        except OSError: pass
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        pid = int(path.split("/")[2])
        try:
            if pid != os.getpid() and MARK in open(path).read(): os.kill(pid, 9)
        except OSError: pass
    return 1
"""


def test_a_verdict_of_a_process_that_was_ended_does_not_count(grader: CodeGrader) -> None:
    mark = run.HARNESS.split()[-1]
    assert grade(grader, f"MARK = {mark!r}\n{MURDER}") in ("wrong answer", "error", "no proof of the end")


def test_a_call_that_takes_too_long(grader: CodeGrader) -> None:
    tests = CodeTests(check=CHECK, entry_point="f", limits=Limits(seconds=0.5))
    for program in ("def f(n):\n    while True: pass", "import time; time.sleep(99)"):
        assert grader.grade(tests, f"```\n{program}\n```").reason == "time limit"
