import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import datasets
import pytest

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.mathematics import SUFFIX
from shared_data import BENCHMARKS, needs_data, rows

FILES = {
    "aime24": ("aime2024.jsonl", 30),
    "aime25": ("aime2025.jsonl", 30),
    "amc": ("amc.jsonl", 83),
    "amc23": ("amc23.jsonl", 40),
    "math500": ("math500.jsonl", 500),
    "minerva": ("minerva.jsonl", 272),
    "olympiadbench": ("olympiadbench.jsonl", 675),
}

HUB_ROWS: Mapping[str, tuple[tuple[Any, ...], dict[str, Any], str, str]] = {
    "aime24": (
        ("HuggingFaceH4/aime_2024", None, "train"),
        {"id": 60, "problem": "P", "answer": "204"},
        "aime24-60",
        "204",
    ),
    "aime25": (("yentinglin/aime_2025", None, "train"), {"id": 3, "problem": "P", "answer": "70"}, "aime25-3", "70"),
    "aime26": (
        ("MathArena/aime_2026", None, "train"),
        {"problem_idx": 7, "problem": "P", "answer": 70, "problem_type": ["Algebra"]},
        "aime26-7",
        "70",
    ),
    "hmmt_feb25": (
        ("MathArena/hmmt_feb_2025", None, "train"),
        {"problem_idx": 1, "problem": "P", "answer": "\\frac{1}{7}, -2", "problem_type": ["Number Theory"]},
        "hmmt_feb25-1",
        "\\frac{1}{7}, -2",
    ),
    "brumo25": (
        ("MathArena/brumo_2025", None, "train"),
        {"problem_idx": 30, "problem": "P", "answer": "2^{99}", "problem_type": ["Combinatorics"]},
        "brumo25-30",
        "2^{99}",
    ),
    "amc": (("AI-MO/aimo-validation-amc", None, "train"), {"id": 0, "problem": "P", "answer": 142.0}, "amc-0", "142"),
    "amc23": (("math-ai/amc23", None, "test"), {"id": 0, "question": "P", "answer": "27.0"}, "amc23-0", "27.0"),
    "math500": (
        ("HuggingFaceH4/MATH-500", None, "test"),
        {"problem": "P", "answer": "\\pi", "subject": "S", "level": 2, "unique_id": "test/algebra/1.json"},
        "test/algebra/1.json",
        "\\pi",
    ),
    "minerva": (("math-ai/minervamath", None, "test"), {"question": "P", "answer": "4"}, "minerva-3f2d", "4"),
    "olympiadbench": (
        ("Hothan/OlympiadBench", "OE_TO_maths_en_COMP", "train"),
        {"id": 1606, "question": "P", "final_answer": ["2"], "unit": None, "is_multiple_answer": False},
        "olympiadbench-1606",
        "2",
    ),
    "deepscaler": (
        ("agentica-org/DeepScaleR-Preview-Dataset", None, "train"),
        {"problem": "P", "answer": "-\\frac{2}{3}", "solution": "..."},
        "deepscaler-3f2d",
        "-\\frac{2}{3}",
    ),
}


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


@needs_data
@pytest.mark.parametrize("name", FILES)
def test_every_row_of_the_benchmarks_is_read(name: str) -> None:
    file, size = FILES[name]
    with closing(load_task(TaskConfig(name, data=str(BENCHMARKS / file)))) as task:
        problems = task.problems("test")
        mended = set(task.fixes)
    published = rows(BENCHMARKS / file)
    assert task.name == name
    assert len(problems) == len(published) == size
    assert [problem.id for problem in problems] == [row["id"] for row in published]
    for problem, row in zip(problems, published, strict=True):
        (message,) = problem.messages
        assert message == {"role": "user", "content": f"{row['problem']} {SUFFIX}"}
        assert problem.answer == row["answer"] or problem.id in mended


@pytest.mark.parametrize("name", HUB_ROWS)
def test_rows_of_the_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (hub, config, split), row, own, answer = HUB_ROWS[name]
    asked = []

    def load_dataset(*arguments: Any, **named: Any) -> list[dict[str, Any]]:
        asked.append((arguments, named))
        return [row]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with closing(load_task(TaskConfig(name))) as task:
        splits = ("train", "validation") if name == "deepscaler" else ("test",)
        (problem,) = [problem for each in splits for problem in task.problems(each)]
    assert asked == [((hub, config), {"split": split})]
    assert problem.messages[0]["content"] == f"P {SUFFIX}"
    assert problem.answer == answer
    assert problem.id == own or own.endswith("-3f2d")


@pytest.mark.parametrize("split", ["train", "validation", "dev"])
def test_a_benchmark_has_test_problems_only(split: Any, tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", [{"problem": "P", "answer": "1"}])
    with closing(load_task(TaskConfig("aime24", data=data))) as task:
        with pytest.raises(TaskError, match=f"task aime24 has no split '{split}'; it has test"):
            task.problems(split)
        for limit in (-1, 2):
            with pytest.raises(TaskError, match=f"limit {limit} of task aime24: split 'test' has 0 to 1 problems"):
                task.problems("test", limit)
        assert len(task.problems("test", 1)) == 1
        assert task.problems("test", 0) == []


def test_a_training_set_is_divided_by_the_words_of_its_problems(tmp_path: Path) -> None:
    many = [{"problem": f"What is {number} + 1?", "answer": str(number + 1)} for number in range(600)]
    again = [{"problem": f"what  is ${number}$ + 1", "answer": str(number + 1)} for number in range(100)]
    with (
        closing(load_task(TaskConfig("deepscaler", data=write(tmp_path / "a.jsonl", many + again)))) as task,
        closing(load_task(TaskConfig("deepscaler", data=write(tmp_path / "b.jsonl", many[::-2])))) as other,
    ):
        train, validation = task.problems("train"), task.problems("validation")
        assert len(train) + len(validation) == 700
        assert 20 < len(validation) < 60
        answers = {problem.answer for problem in validation}
        assert answers.isdisjoint(problem.answer for problem in train)
        assert {problem.answer for problem in other.problems("validation")} <= answers
        assert len({problem.id for problem in train + validation}) == 700
        with pytest.raises(TaskError, match="task deepscaler has no split 'test'; it has train and validation"):
            task.problems("test")


@needs_data
def test_the_problems_of_aime_1983_to_2023_are_a_training_set() -> None:
    data = str(BENCHMARKS / "train_aime_1983_2023.jsonl")
    with closing(load_task(TaskConfig("deepscaler", data=data))) as task:
        assert (len(task.problems("train")), len(task.problems("validation"))) == (928, 47)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"problem": "P"}, "row 2: no field 'answer'; its fields are problem"),
        ({"answer": "1"}, "row 2: no field 'problem'; its fields are answer"),
        ({"problem": 4, "answer": "1"}, "row 2, field 'problem': found 4; expected a text"),
        ({"problem": "P", "answer": {"a": 1}}, "row 2, field 'answer': found {'a': 1}; expected an answer"),
        ({"problem": "P", "answer": "1", "id": 1.5}, "row 2, field 'id': found 1.5; expected a text or a whole number"),
        ({"problem": "P", "answer": "1", "id": "a"}, "row 2: its id 'a' is also that of .*a.jsonl, row 1; ids must be"),
    ],
)
def test_a_malformed_row_is_named(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", [{"id": "a", "problem": "P", "answer": "1"}, row])
    with pytest.raises(TaskError, match=message) as error:
        load_task(TaskConfig("math500", data=data))
    assert str(error.value).startswith(data)


def test_any_of_several_answers_is_right(tmp_path: Path) -> None:
    data = write(
        tmp_path / "a.jsonl", [{"problem": "P", "answer": ["\\frac{1}{2}", "3"]}, {"problem": "Q", "answer": "27.0"}]
    )
    with closing(load_task(TaskConfig("minerva", data=data), GradingConfig(grading_workers=1))) as task:
        one, two = task.problems("test")
        verdicts = [task.grade(one, rf"so \boxed{{{answer}}}").correct for answer in ("0.5", "3", "2")]
        assert verdicts == [True, True, False]
        assert task.grade(two, r"\boxed{27}").correct
        assert task.grade(two, "27").reason == "no answer"


@pytest.mark.parametrize(
    ("name", "answer", "right", "wrong"),
    [
        ("aime26", 25, ("25", "025", "25.0"), ("26", "-25")),
        ("hmmt_feb25", "\\frac{1}{7}, -2", ("-2, \\frac17", "\\{-2, 1/7\\}"), ("-2", "\\frac17, 2")),
        ("brumo25", "2^{10}", ("1024", "2^{10}", "4^5"), ("2^{11}", "1023")),
    ],
)
def test_answers_of_newer_competitions(
    name: str, answer: Any, right: tuple[str, ...], wrong: tuple[str, ...], tmp_path: Path
) -> None:
    data = write(tmp_path / "a.jsonl", [{"problem_idx": 1, "problem": "P", "answer": answer}])
    with closing(load_task(TaskConfig(name, data=data), GradingConfig(grading_workers=1))) as task:
        (problem,) = task.problems("test")
        assert [task.grade(problem, rf"\boxed{{{each}}}").correct for each in right] == [True] * len(right)
        assert [task.grade(problem, rf"\boxed{{{each}}}").correct for each in wrong] == [False] * len(wrong)
        assert task.grade(problem, "").reason == "no answer"
