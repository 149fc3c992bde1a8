import base64
import json
import pickle
import sys
import zlib
from typing import Any

import pytest

from elastic_reasoning.grading.programs.code import CallTest, StdinTest
from elastic_reasoning.grading.programs.sandbox import Limits
from elastic_reasoning.tasks.code_tests import IMPORTS, Published

LIMITS = Limits(seconds=3.0)
CALL = {"input": '[1, 2]\n"x"', "output": "[1, 2]", "testtype": "functional"}


def packed(content: Any) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(content))).decode()


def read(*raw: Any, function: str = "", most: int | None = None) -> Any:
    return Published(raw, function, LIMITS, most=most).read()


@pytest.mark.parametrize(
    "raw",
    [
        [{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}],
        [{"input": "1 2\n", "output": "3\n", "testtype": "stdin_stdout"}],
        [{"input": "1 2\n", "output": "3\n", "type": "stdin_stdout", "fn_name": None}],
        [{"input": "1 2\n", "output": "3\n"}],
        {"inputs": ["1 2\n"], "outputs": ["3\n"]},
    ],
)
def test_programs_that_read_and_print(raw: Any) -> None:
    for given in (raw, json.dumps(raw)):
        tests = read(given)
        assert tests.stdin == (StdinTest("1 2\n", "3\n"),)
        assert (tests.calls, tests.entry_point, tests.limits) == ((), "", LIMITS)
        assert "from typing import *" in tests.prelude


def test_lines_as_a_list() -> None:
    assert read({"inputs": [["1", "2"]], "outputs": [["3", 4]]}).stdin == (StdinTest("1\n2", "3\n4"),)


@pytest.mark.parametrize(
    ("raw", "function", "expected"),
    [
        ([CALL], "solve", CallTest(([1, 2], "x"), [1, 2])),
        ([CALL | {"metadata": {"func_name": "solve"}}], "", CallTest(([1, 2], "x"), [1, 2])),
        ([CALL | {"metadata": {"func_name": None}}], "solve", CallTest(([1, 2], "x"), [1, 2])),
        ([CALL | {"output": "not JSON"}], "solve", CallTest(([1, 2], "x"), "not JSON")),
        ({"inputs": [[[1, 2], "x"]], "outputs": [[3]], "fn_name": "solve"}, "", CallTest(([1, 2], "x"), 3, ([3],))),
        ({"inputs": [[[1, 2], "x"]], "outputs": [[3, 4]], "fn_name": "solve"}, "", CallTest(([1, 2], "x"), [3, 4])),
        ({"inputs": [[1]], "outputs": [["one"]], "fn_name": "solve"}, "", CallTest((1,), "one", (["one"],))),
        (
            [{"type": "function_call", "fn_name": "solve", "input": [1, 2], "output": [3]}],
            "",
            CallTest((1, 2), 3, ([3],)),
        ),
        ([{"fn_name": "solve", "input": [1, 2], "output": True}], "other", CallTest((1, 2), True)),
    ],
)
def test_functions_that_are_called(raw: Any, function: str, expected: CallTest) -> None:
    for given in (raw, json.dumps(raw)):
        tests = read(given, function=function)
        assert (tests.calls, tests.entry_point, tests.stdin) == ((expected,), "solve", ())


def test_private_tests_are_unpacked_and_joined() -> None:
    public = [{"input": "1", "output": "2", "testtype": "stdin"}]
    private = [{"input": "3", "output": "4", "testtype": "stdin"}]
    for given in (packed(json.dumps(private)), json.dumps(private), private):
        assert read(json.dumps(public), given).stdin == (StdinTest("1", "2"), StdinTest("3", "4"))


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('it ran')",)


@pytest.mark.parametrize(
    "raw",
    [packed(Payload()), packed({"a": Payload()}), packed([1]), packed(b"[]"), packed("{"), "%%%", "aGVsbG8=", ""]
    + [
        base64.b64encode(zlib.compress(content)).decode()
        for content in (b"", b"\x80\x04.", b"no pickle", b"ctypes\n", b"(I1\nI2\nI3\nR.")
    ],
)
def test_what_is_packed_otherwise_is_refused_and_nothing_of_it_runs(raw: str) -> None:
    with pytest.raises(ValueError, match="JSON; tests: a list of"):
        read(raw)


@pytest.mark.parametrize(
    ("raw", "function", "message"),
    [
        ([], "", "at least one test"),
        ({"inputs": [], "outputs": []}, "", "at least one test"),
        ({"inputs": ["1"], "outputs": []}, "", "as many inputs as outputs"),
        ({"inputs": "1", "outputs": "1"}, "", "as many inputs as outputs"),
        ({"input": ["1"]}, "", "as many inputs as outputs"),
        (4, "", "tests: a list of"),
        (["1"], "", "tests: a list of"),
        ([{"input": "1"}], "", "tests: a list of"),
        ([{"input": 1, "output": "1"}], "", "standard input and output as texts"),
        ([CALL], "", "the name of the function"),
        ([CALL | {"testtype": "magic"}], "f", "testtype 'magic' to be one of functional, function_call, stdin"),
        ([CALL | {"input": "1 2"}], "f", "one JSON value a line"),
        ([CALL | {"input": 1}], "f", "the arguments of a call as a list"),
        ([CALL, {"input": "1", "output": "1"}], "f", "tests of one kind and of one function, not of 'f', ''"),
        ([CALL, CALL | {"fn_name": "g"}], "f", "tests of one kind and of one function, not of 'f', 'g'"),
        ({"inputs": [[1]], "outputs": [[1]], "fn_name": 5}, "", "the name of a function as a text, not 5"),
        ([CALL | {"fn_name": ["f"]}], "", r"the name of a function as a text, not \['f'\]"),
        ({"inputs": [None] * 3, "outputs": ["1"] * 3}, "", "standard input and output as texts"),
        ("[1", "", "JSON"),
    ],
)
def test_malformed_tests(raw: Any, function: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(raw, function=function, most=2)


def test_of_many_tests_those_with_the_longest_input_are_kept() -> None:
    tests = [{"input": "x" * length, "output": ""} for length in (3, 1, 5, 4)]
    assert [len(test.stdin) for test in read(tests, most=2).stdin] == [5, 4]
    assert [len(test.stdin) for test in read(tests, most=4).stdin] == [3, 1, 5, 4]


def test_the_imports_run(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []
    monkeypatch.setattr(sys, "setrecursionlimit", limits.append)
    names: dict[str, Any] = {}
    exec(IMPORTS, names)
    assert limits == [50_000]
    assert names["List"][int]
    assert names["math"].floor(1.5) == names["floor"](1.5) == 1
    assert names["pow"] is not None
