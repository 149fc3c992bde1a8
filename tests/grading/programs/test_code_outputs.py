"""When outputs and values agree."""

import pytest

from elastic_reasoning.grading.programs.outputs import Answers, same_output, same_value, value_of

SAME = [
    ("5\n", "5"),
    ("  5  \n\n", "5\n"),
    ("1 2 \n 3", "1 2\n3\n"),
    ("1.50 2", "1.5 2.0"),
    ("1e3", "1000"),
    ("", "\n"),
    ("a\r\nb\r\n", "a\nb\n"),
    ("007", "7"),
    ("1   2", "1 2"),
]
DIFFERENT = [
    ("5", "6"),
    ("", "5"),
    ("1\n2", "1 2"),
    ("1\n\n2", "1\n2"),
    ("yes", "YES"),
    ("a  b", "a b"),
    ("0.3333", "0.3333333"),
    ("nan", "NaN "),
    ("1 x", "1.0 x"),
    ("sNaN", "1"),
]


@pytest.mark.parametrize(("printed", "expected"), SAME)
def test_outputs_that_agree(printed: str, expected: str) -> None:
    assert same_output(printed, expected)


@pytest.mark.parametrize(("printed", "expected"), DIFFERENT)
def test_outputs_that_do_not(printed: str, expected: str) -> None:
    assert not same_output(printed, expected)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (b'{"value": [1, 2]}', (1, 2)),
        (b'{"value": 1.0}', 1),
        (b'{"value": null}', None),
        (b'{"value": {"1": 2}}', {1: 2}),
    ],
)
def test_values_that_agree(report: bytes, expected: object) -> None:
    assert same_value(value_of(report)[1], expected)


@pytest.mark.parametrize(
    "report", [b"", b"{}", b"[]", b"7", b'{"value": 8}', b"\xff", b"[" * 100000, b'{"value": "7"}']
)
def test_reports_that_do_not(report: bytes) -> None:
    given, value = value_of(report)
    assert not (given and same_value(value, 7))


ANY_CASE, NEAR = Answers(any_case=True), Answers(tolerance=1e-6)


@pytest.mark.parametrize(
    ("answers", "printed", "expected", "same"),
    [
        (ANY_CASE, "yEs\nno", "YES\nNO", True),
        (ANY_CASE, "yes", "no", False),
        (NEAR, "YES", "yes", False),
        (NEAR, "0.3333333", "0.33333333333", True),
        (NEAR, "0.33333", "0.33333333333", False),
        (NEAR, "1000000.5", "1000000", True),
        (NEAR, "1000002", "1000000", False),
        (NEAR, "1 2.0000001", "1 2", True),
        (NEAR, "1 2", "1 2 3", False),
        (NEAR, "nan", "1", False),
        (NEAR, "inf", "1e400", False),
        (NEAR, "x 1", "x 1.0000000001", False),
        (Answers(any_case=True, tolerance=1e-3), "Yes\n1.0001", "YES\n1", True),
    ],
)
def test_outputs_that_a_statement_accepts_too(answers: Answers, printed: str, expected: str, same: bool) -> None:
    assert same_output(printed, expected, answers) is same


@pytest.mark.parametrize(
    ("answers", "value", "expected", "same"),
    [
        (NEAR, [1.0000000001, [2]], [1, [2]], True),
        (NEAR, [1.1], [1], False),
        (NEAR, [1, 2], [1], False),
        (NEAR, "a", "A", False),
        (ANY_CASE, ["a"], ["A"], True),
        (ANY_CASE, 1.0000001, 1, False),
        (NEAR, None, 0, False),
    ],
)
def test_values_that_a_statement_accepts_too(answers: Answers, value: object, expected: object, same: bool) -> None:
    assert same_value(value, expected, answers) is same


def test_the_rule_by_which_outputs_are_compared() -> None:
    assert Answers().rule == "same output"
    assert Answers(any_case=True, tolerance=1e-6).rule == "any case and tolerance"
    assert Answers(any_case=True, several=True).rule == "one of several outputs"
    assert Answers(several=True, checker="def check(a, b, c): return True").rule == "checker"
