import json
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.cli.main import main
from shared_data import BENCHMARKS, needs_data

EXAMPLES = Path(__file__).parents[2] / "examples"
HALF = {
    "id": "half",
    "problem": "What is one half of three halves of the number that is asked for here?",
    "answer": "1/2",
}
THREE = {"id": "three", "problem": "What is the number after two?", "answer": "3"}


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["validate", *argv]) == 2
    error = capsys.readouterr().err
    assert error.startswith("elastic: error: ")
    assert error.count("\n") == 1
    return error


def test_a_task_that_can_be_trusted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "amc", "--data", write(tmp_path / "a.jsonl", HALF, THREE)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "amc: 2 test problems",
        "references that pass their own grader: 2 of 2",
        "references of other problems that are rejected: 2 of 2",
    ]


def test_a_wrong_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {"id": "sum", "problem": "Add.", "grader": "code", "tests": [{"input": "2 3", "output": "5"}]}
    path = write(tmp_path / "mine.jsonl", wrong | {"solution": "print(6)"}, THREE)
    assert main(["validate", path, "--allow-code-execution"]) == 1
    out = capsys.readouterr().out
    assert "mine: 2 test problems\ntests that can be read: 1\n" in out
    assert "references that pass their own grader: 1 of 2" in out
    assert "  fails: sum: wrong answer: ```python print(6) ```" in out
    assert "--allow-code-execution" in refused(capsys, path)


def test_a_wrong_reference_that_is_accepted_is_to_be_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.jsonl", HALF, {"problem": "Another half.", "answer": "0.5"})
    assert main(["validate", "math500", "--data", path]) == 0
    out = capsys.readouterr().out
    assert "references of other problems that are rejected: 0 of 2" in out
    assert r"  look at: half (\boxed{1/2}) accepts \boxed{0.5}" in out


def test_a_malformed_reference_is_to_be_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.jsonl", HALF, THREE | {"answer": "t(0,4]"})
    assert main(["validate", "amc", "--data", path]) == 0
    out = capsys.readouterr().out
    assert "references that a right answer may not be able to pass: 1\n  look at: three (t(0,4]): a name stands" in out


def test_tasks_without_references(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"id": "a", "problem": "Add.", "tests": [{"input": "2 3", "output": "5"}], "contest_date": "2024-01-01"}
    assert main(["validate", "livecodebench", "--data", write(tmp_path / "a.jsonl", row)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "livecodebench: 1 test problems",
        "tests that can be read: 1",
        "problems without a published solution: 1; only their rows are checked",
    ]


def test_contamination(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(tmp_path / "a.jsonl", HALF, THREE)
    longer = HALF | {"id": "longer", "problem": "Tell me now: " + HALF["problem"] + " Explain."}
    training = write(
        tmp_path / "b.jsonl",
        longer,
        THREE | {"problem": "what is the number  after TWO"},
        {**HALF, "problem": "x"} | {"id": "x"},
    )
    assert main(["validate", "amc", "--data", data, "--against", "deepscaler", "--against_data", training]) == 0
    assert capsys.readouterr().out.splitlines()[3:] == [
        "problems that also stand in deepscaler: 2",
        "  half: longer, 100% of the runs of words",
        "  three: three, the same words",
    ]


@needs_data
def test_fixes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "minerva", "--data", str(BENCHMARKS / "minerva.jsonl"), "--num_mismatches", "0"]) == 0
    out = capsys.readouterr().out
    assert "fixes of published rows: 8\n" in out
    assert r"  minerva-240, answer: 0.7773 is now 6.43 \times 10^{16} (the reference solution boxes a side calc" in out


def test_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(tmp_path / "a.jsonl", HALF, THREE)
    assert main(["validate", "--task", "amc", "--data", data, "--against", data, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["task"], found["num_problems"], found["num_references"]) == ("amc", {"test": 2}, 2)
    assert (found["failures"], found["accepted"], found["fixes"]) == ([], [], {})
    assert [each["test"] for each in found["overlaps"]] == ["half", "three"]


def test_the_example_of_a_task_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(EXAMPLES / "own_task.jsonl"), "--allow-code-execution"]) == 0
    assert "references that pass their own grader: 6 of 6" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "no task: elastic validate aime24"),
        (("aime23",), "unknown task 'aime23'"),
        (("aime24", "--num_mismatches", "-1"), "num_mismatches -1: must be 0 or more"),
        (("aime24", "--against_data", "x.jsonl"), "against_data 'x.jsonl': name the training set with --against"),
        (("aime24", "--release", "v5"), "release 'v5': means nothing to task aime24"),
        (("aime24", "--data", "none.jsonl"), "cannot read none.jsonl: No such file or directory"),
        (("aime24", "--dat", "x"), "did you mean 'data'"),
    ],
)
def test_what_cannot_be_validated_is_one_line(
    argv: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, *argv)
