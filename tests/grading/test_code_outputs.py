"""When outputs and values agree."""

import pytest

from elastic_reasoning.grading.outputs import same_output, same_value

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
    assert same_value(report, expected)


@pytest.mark.parametrize(
    "report", [b"", b"{}", b"[]", b"7", b'{"value": 8}', b"\xff", b"[" * 100000, b'{"value": "7"}']
)
def test_reports_that_do_not(report: bytes) -> None:
    assert not same_value(report, 7)
