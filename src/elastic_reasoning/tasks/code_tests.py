"""Tests of programs in the shapes in which they are published, read into `CodeTests`.

    [{"input": "1 2\\n", "output": "3\\n", "testtype": "stdin"}]                                  # LiveCodeBench
    {"inputs": [[1, 2]], "outputs": [[3]], "fn_name": "add"}                                   # TACO, APPS
    [{"type": "function_call", "fn_name": "add", "input": [1, 2], "output": [3]}]              # SYNTHETIC-1

Each may be JSON text too, and LiveCodeBench's private tests are JSON text that was pickled, compressed and written
in base 64.
"""

import base64
import io
import pickle
import zlib
from dataclasses import dataclass
from typing import Any

from elastic_reasoning.grading.programs.code import CallTest, CodeTests, StdinTest
from elastic_reasoning.grading.programs.outputs import PUBLISHED, Answers
from elastic_reasoning.grading.programs.sandbox import Limits
from elastic_reasoning.untrusted.json import decode

CALLS = ("functional", "function_call")
STDIN = ("stdin", "stdin_stdout")
MOST_BYTES = 2**30
"""Of the tests of a problem, unpacked."""
SHAPE = "tests: a list of {input, output, testtype}, or {inputs, outputs, fn_name}"

MODULES = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json"),
)
IMPORTS = "".join(
    [f"from {module} import *\n" for module in (*MODULES, "builtins", "typing")]
    + [f"import {module}\n" for module in MODULES]
    + ["sys.setrecursionlimit(50000)\n"]
)
"""What LiveCodeBench puts before a candidate; starter code such as `List[int]` leans on it, and deep recursion on the
last line."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test as it is published; `function` is empty where standard input is read."""

    input: Any
    output: Any
    function: str


@dataclass(frozen=True, slots=True)
class Published:
    """The tests of a problem as they are published: they can be large, and are read when a program is graded.

    Attributes:
        raw: one or more published sets of tests, which are joined.
        function: the function that is called, where the tests do not name it.
        limits: for each test.
        answers: what the statement accepts beside the published outputs.
        most: of more tests than these only the ones with the longest input are kept.
    """

    raw: tuple[Any, ...]
    function: str
    limits: Limits
    answers: Answers = PUBLISHED
    most: int | None = None

    def read(self) -> CodeTests:
        """The tests as the grader takes them.

        Raises:
            ValueError: says what is expected.
        """
        cases = [case for each in self.raw for case in _cases(_decoded(each), self.function)]
        if not cases:
            raise ValueError(f"at least one test; {SHAPE}")
        if self.most is not None and len(cases) > self.most:
            cases = sorted(cases, key=lambda case: _size(case.input), reverse=True)[: self.most]
        functions = dict.fromkeys(case.function for case in cases)
        if len(functions) > 1:
            raise ValueError(f"tests of one kind and of one function, not of {', '.join(map(repr, functions))}")
        called = cases[0].function
        if called:
            calls = tuple(CallTest(_arguments(case.input), *_expected(case.output)) for case in cases)
            return CodeTests(calls=calls, entry_point=called, prelude=IMPORTS, answers=self.answers, limits=self.limits)
        lines = tuple(StdinTest(_lines(case.input), _lines(case.output)) for case in cases)
        return CodeTests(stdin=lines, prelude=IMPORTS, answers=self.answers, limits=self.limits)


def _cases(value: Any, function: str) -> list[Case]:
    if isinstance(value, dict):
        inputs, outputs = value.get("inputs"), value.get("outputs")
        if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
            raise ValueError(f"as many inputs as outputs; {SHAPE}")
        called = _function(value.get("fn_name") or "")
        return [Case(given, wanted, called) for given, wanted in zip(inputs, outputs, strict=True)]
    if not isinstance(value, list):
        raise ValueError(SHAPE)
    return [_case(each, function) for each in value]


def _case(test: Any, function: str) -> Case:
    if not isinstance(test, dict) or "input" not in test or "output" not in test:
        raise ValueError(SHAPE)
    kind = test.get("testtype") or test.get("type") or (CALLS[0] if test.get("fn_name") else STDIN[0])
    if kind in STDIN:
        return Case(test["input"], test["output"], "")
    if kind not in CALLS:
        raise ValueError(f"testtype {kind!r} to be one of {', '.join(CALLS + STDIN)}")
    named = test["metadata"].get("func_name") if isinstance(test.get("metadata"), dict) else None
    called = test.get("fn_name") or named or function
    if not called:
        raise ValueError("the name of the function that is called, as fn_name or func_name")
    return Case(test["input"], test["output"], _function(called))


def _function(name: Any) -> str:
    if not isinstance(name, str):
        raise ValueError(f"the name of a function as a text, not {name!r}")
    return name


def _size(given: Any) -> int:
    return len(given) if isinstance(given, str | list) else 0


def _arguments(given: Any) -> tuple[Any, ...]:
    """A list as it stands, or a text with one JSON value a line."""
    if isinstance(given, list):
        return tuple(given)
    if not isinstance(given, str):
        raise ValueError("the arguments of a call as a list, or as a text with one JSON value a line")
    try:
        return tuple(decode(line) for line in given.splitlines() if line.strip())
    except ValueError:
        raise ValueError("one JSON value a line as the arguments of a call") from None


def _expected(wanted: Any) -> tuple[Any, tuple[Any, ...]]:
    """The value that is right, and others that are too: LiveCodeBench writes it as JSON.

    TACO and SYNTHETIC-1 wrap a value in a list, but not always: of a list of one both it and its member are right.
    """
    if isinstance(wanted, list):
        return (wanted[0], (wanted,)) if len(wanted) == 1 else (wanted, ())
    if not isinstance(wanted, str):
        return wanted, ()
    try:
        return decode(wanted), ()
    except ValueError:
        return wanted, ()


def _lines(value: Any) -> str:
    """A text, or the list of its lines as APPS has it."""
    if isinstance(value, list):
        return "\n".join(map(str, value))
    if not isinstance(value, str):
        raise ValueError("standard input and output as texts")
    return value


def _decoded(value: Any) -> Any:
    """JSON text as what it stands for, compressed or not; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return decode(value if value.lstrip()[:1] in ("[", "{") else _unpacked(value))
    except ValueError:
        raise ValueError(f"JSON; {SHAPE}") from None


def _unpacked(packed: str) -> str:
    """LiveCodeBench's private tests: base 64 of a compressed pickle of a text."""
    try:
        unpacking = zlib.decompressobj()
        pickled = unpacking.decompress(base64.b64decode(packed, validate=True), MOST_BYTES)
        if unpacking.unconsumed_tail:
            raise ValueError(f"more than {MOST_BYTES:,} bytes")
        content = _TextOnly(io.BytesIO(pickled)).load()
    except Exception as error:  # a broken pickle can raise nearly anything
        raise ValueError(f"{type(error).__name__}: {error}") from None
    if not isinstance(content, str):
        raise ValueError("not a text")
    return content


class _TextOnly(pickle.Unpickler):
    """Reads a pickled text. A pickle that names any class or function is refused before anything of it is called."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"{module_name}.{global_name} has no place in tests")
