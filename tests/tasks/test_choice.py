"""GPQA Diamond and MMLU-Pro, on rows made by hand in their formats."""

import json
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets.exceptions import DatasetNotFoundError

from elastic_reasoning.cli.main import main
from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.table import TableTask
from elastic_reasoning.tasks.task import Problem
from elastic_reasoning.tasks.validation import validate


def gpqa(number: int = 1, **other: Any) -> dict[str, Any]:
    return {
        "Question": f"A spring of {number} N/m is pulled by 2 m. Which force does that take?\n",
        "Correct Answer": f"{2 * number} N\n",
        "Incorrect Answer 1": f"{number} N",
        "Incorrect Answer 2": f"{number} / 2 N",
        "Incorrect Answer 3": f"{4 * number} N",
        "Record ID": f"rec{number}",
        "Subdomain": "Mechanics",
    } | other


def mmlu_pro(number: int = 1, num_options: int = 10, **other: Any) -> dict[str, Any]:
    return {
        "question_id": number,
        "question": f"What is {number} + 1?",
        "options": [str(number + place) for place in range(num_options)],
        "answer": "B",
        "answer_index": 1,
        "cot_content": "",
        "category": "math",
        "src": "by hand",
    } | other


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def read(name: str, tmp_path: Path, *rows: dict[str, Any]) -> TableTask:
    task = load_task(TaskConfig(name, data=write(tmp_path / f"{name}.jsonl", *rows)))
    assert isinstance(task, TableTask)
    return task


def test_how_gpqa_asks(tmp_path: Path) -> None:
    (problem,) = read("gpqa_diamond", tmp_path, gpqa()).problems("test")
    assert problem.id == "rec1"
    assert problem.messages == (
        {
            "role": "user",
            "content": "Answer the following multiple choice question. The last line of your response should be of the "
            "following format: 'Answer: $LETTER' (without quotes) where LETTER is one of ABCD. Think step by step "
            "before answering.\n\n"
            "A spring of 1 N/m is pulled by 2 m. Which force does that take?\n\n"
            "A) 4 N\nB) 1 / 2 N\nC) 2 N\nD) 1 N",
        },
    )
    assert problem.answer == "C"
    assert problem.data["references"] == ("Answer: C",)


def test_how_mmlu_pro_asks(tmp_path: Path) -> None:
    ten, three = read("mmlu_pro", tmp_path, mmlu_pro(7), mmlu_pro(8, 3)).problems("test")
    assert ten.id == "mmlu_pro-7"
    assert "LETTER is one of ABCDEFGHIJ." in ten.messages[0]["content"]
    assert ten.messages[0]["content"].endswith(
        "What is 7 + 1?\n\n" + "\n".join(f"{letter}) {7 + place}" for place, letter in enumerate("ABCDEFGHIJ"))
    )
    assert three.messages[0]["content"].endswith(
        "LETTER is one of ABC. Think step by step before answering.\n\nWhat is 8 + 1?\n\nA) 8\nB) 9\nC) 10"
    )
    assert (ten.answer, three.answer) == ("B", "B")


def test_options_that_only_fill_up_are_left_out(tmp_path: Path) -> None:
    (problem,) = read("mmlu_pro", tmp_path, mmlu_pro(options=["1", "2", "N/A", "N/A"])).problems("test")
    assert problem.data["options"] == ("1", "2")


def test_the_order_of_gpqas_options_belongs_to_the_problem(tmp_path: Path) -> None:
    """It is the same wherever the row stands and in whichever order it lists the wrong options."""
    rows = [gpqa(number) for number in range(1, 401)]
    swapped = [
        row | {"Incorrect Answer 1": row["Incorrect Answer 3"], "Incorrect Answer 3": row["Incorrect Answer 1"]}
        for row in rows[::-1]
    ]

    def shown(task: TableTask) -> dict[str, Problem]:
        return {problem.id: problem for problem in task.problems("test")}

    here, there = shown(read("gpqa_diamond", tmp_path, *rows)), shown(read("gpqa_diamond", tmp_path, *swapped))
    assert here == there
    letters = Counter(problem.answer for problem in here.values())
    assert set(letters) == set("ABCD")
    assert min(letters.values()) > 70  # of 400, 100 each if the orders are equally likely


@pytest.mark.parametrize(
    ("solution", "answer", "reason"),
    [
        ("2 m times 1 N/m.\n\nAnswer: C", "C", None),
        ("**Answer: C**", "C", None),
        ("Answer: (C) 2 N", "C", None),
        (r"so it is $\boxed{\text{C}}$", "C", None),
        ("Final Answer: c", "C", None),
        ("Answer: $B", "B", "wrong answer"),
        ("Answer: B or C", "B or C", "wrong answer"),
        ("Answer: E", "E", "wrong answer"),
        ("I cannot tell", None, "no answer"),
        ("", None, "no answer"),
    ],
)
def test_the_letter_is_graded(solution: str, answer: str | None, reason: str | None, tmp_path: Path) -> None:
    task = read("gpqa_diamond", tmp_path, gpqa())
    grade = task.grade(task.problems("test")[0], solution)
    assert (grade.correct, grade.answer, grade.reason) == (reason is None, answer, reason)
    assert not grade.unboxed, "no box was asked for"


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("gpqa_diamond", gpqa(**{"Correct Answer": None}), "row 2: no field 'Correct Answer'; its fields are Question"),
        ("gpqa_diamond", gpqa(**{"Incorrect Answer 3": 4}), "row 2, field 'Incorrect Answer 3': found 4; expected a t"),
        ("gpqa_diamond", gpqa(Question=" "), "row 2, field 'Question': found ' '; expected a text that is not empty"),
        ("mmlu_pro", mmlu_pro(options="1, 2"), "row 2, field 'options': found '1, 2'; expected a list of texts"),
        ("mmlu_pro", mmlu_pro(options=["1", "N/A"]), "field 'options': found .*; expected 2 to 10 options"),
        ("mmlu_pro", mmlu_pro(num_options=11), "field 'options': found .*; expected 2 to 10 options"),
        ("mmlu_pro", mmlu_pro(answer=1), "row 2, field 'answer': found 1; expected a letter from A to J"),
        ("mmlu_pro", mmlu_pro(num_options=3, answer="D"), "row 2: its answer is 'D'; expected one of its 3 options"),
    ],
)  # fmt: skip
def test_a_malformed_row_is_named(name: str, row: dict[str, Any], message: str, tmp_path: Path) -> None:
    good = gpqa(9) if name == "gpqa_diamond" else mmlu_pro(9)
    with pytest.raises(TaskError, match=message):
        read(name, tmp_path, good, row)


@pytest.mark.parametrize(
    ("name", "row", "asked"),
    [
        ("gpqa_diamond", gpqa(), (("Idavidrein/gpqa", "gpqa_diamond"), {"split": "train"})),
        ("mmlu_pro", mmlu_pro(), (("TIGER-Lab/MMLU-Pro", None), {"split": "test"})),
    ],
)
def test_rows_of_the_hub(name: str, row: dict[str, Any], asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []

    def load_dataset(*arguments: Any, **named: Any) -> list[dict[str, Any]]:
        found.append((arguments, named))
        return [row]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with closing(load_task(TaskConfig(name))) as task:
        assert len(task.problems("test")) == 1
    assert found == [asked]


def test_a_gated_set_says_what_to_do_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*arguments: Any, **named: Any) -> Any:
        raise DatasetNotFoundError("Dataset 'Idavidrein/gpqa' is a gated dataset on the Hub.")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(TaskError) as refusal:
        load_task(TaskConfig("gpqa_diamond"))
    assert str(refusal.value) == (
        "task gpqa_diamond: cannot load Idavidrein/gpqa from the hub (DatasetNotFoundError: Dataset 'Idavidrein/gpqa' "
        "is a gated dataset on the Hub.); it is gated: accept its terms on its page there and log in (hf auth login); "
        "or pass a file of JSON lines (.jsonl, .jsonl.gz) or Parquet (.parquet) with --data"
    )


def test_what_means_nothing_is_refused() -> None:
    with pytest.raises(TaskError, match="grading_workers 2: means nothing to task mmlu_pro; its options are data"):
        load_task(TaskConfig("mmlu_pro"), GradingConfig(grading_workers=2))


def test_an_option_that_says_the_same_is_doubted(tmp_path: Path) -> None:
    task = read("gpqa_diamond", tmp_path, gpqa(1), gpqa(2), gpqa(3, **{"Incorrect Answer 2": "6 N "}))
    found = validate(task)
    assert (found.num_passed, found.num_references, found.accepted) == (3, 3, ())
    (doubted,) = found.doubts
    assert doubted.problem == "rec3"
    assert "says the same: its letter is right too" in doubted.reason


def test_a_right_option_that_is_empty_is_doubted(tmp_path: Path) -> None:
    found = validate(read("mmlu_pro", tmp_path, mmlu_pro(1, options=["1", " ", "3"]), mmlu_pro(2)))
    assert [(each.problem, each.reason) for each in found.doubts] == [("mmlu_pro-1", "the right option is empty")]


def test_it_is_swept_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(tmp_path / "rows.jsonl", gpqa(1), gpqa(2))
    swept = ("--models", "mini", "--strategies", "elastic", "--budgets", "4+4", "--out", str(tmp_path / "run"))
    assert main(["sweep", "--task", "gpqa_diamond", "--data", data, *swept]) == 0
    assert "2 samples of 2 problems" in capsys.readouterr().out
