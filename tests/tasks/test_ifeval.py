"""IFEval, on rows made by hand in its format."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import datasets
import pytest

from elastic_reasoning.core.errors import GradingError, TaskError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.task import Task
from elastic_reasoning.tasks.validation import validate
from punkt import use_small_punkt

EVERY_ARGUMENT = dict.fromkeys(("num_words", "relation", "keywords", "letter", "let_frequency", "let_relation"))


@pytest.fixture(autouse=True)
def small_punkt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_punkt(tmp_path / "nltk", monkeypatch)


def row(number: int = 1, **other: Any) -> dict[str, Any]:
    return {
        "key": number,
        "prompt": "Describe the rain in at least 4 words, without a comma.",
        "instruction_id_list": ["length_constraints:number_words", "punctuation:no_comma"],
        "kwargs": [EVERY_ARGUMENT | {"num_words": 4, "relation": "at least"}, EVERY_ARGUMENT],
    } | other


def load(path: Path, *rows: dict[str, Any]) -> Task:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), "utf-8")
    return load_task(TaskConfig("ifeval", data=str(path)), GradingConfig(grading_workers=1))


def test_a_prompt_is_asked_as_it_stands_and_graded_by_its_instructions(tmp_path: Path) -> None:
    with closing(load(tmp_path / "a.jsonl", row(1000))) as task:
        (problem,) = task.problems("test")
        assert problem.id == "ifeval-1000"
        assert problem.messages == (
            {"role": "user", "content": "Describe the rain in at least 4 words, without a comma."},
        )
        assert problem.answer == "length_constraints:number_words, punctuation:no_comma"
        good, bad = task.grade(problem, "It falls and falls."), task.grade(problem, "It falls, always.")
        assert (good.correct, good.reason, good.unboxed) == (True, None, False)
        assert bad.reason == "not followed: length_constraints:number_words, punctuation:no_comma"
        assert task.grade(problem, "").reason == "no answer"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"prompt": ""}, "row 2, field 'prompt': found ''; expected a text that is not empty"),
        ({"instruction_id_list": "a"}, "row 2, field 'instruction_id_list': found 'a'; expected a list of names"),
        ({"instruction_id_list": []}, "row 2, field 'instruction_id_list': found .*; expected a list of names"),
        ({"kwargs": None}, "row 2: no field 'kwargs'; its fields are key, prompt"),
        ({"kwargs": [None]}, "row 2, field 'kwargs': found .*; expected a list with an object for each instruction"),
        ({"kwargs": [{}]}, "row 2: 2 instructions and kwargs for 1; expected one for each"),
        ({"kwargs": [{}, {}]}, "row 2: expected num_words and relation for length_constraints:number_words"),
        ({"instruction_id_list": ["a:b", "c:d"]}, "row 2: expected an instruction that lm_eval checks, not 'a:b'"),
    ],
)
def test_a_malformed_row_is_named(other: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=message):
        load(tmp_path / "a.jsonl", row(1), row(2, **other))


def test_rows_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(*arguments: Any, **named: Any) -> list[dict[str, Any]]:
        asked.append((arguments, named))
        return [row()]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with closing(load_task(TaskConfig("ifeval"))) as task:
        assert len(task.problems("test")) == 1
    assert asked == [(("google/IFEval", None), {"split": "train"})]


def test_no_solution_is_published(tmp_path: Path) -> None:
    with closing(load(tmp_path / "a.jsonl", row(1), row(2, prompt="Another one."))) as task:
        found = validate(task)
    assert (found.num_problems, found.num_without_reference, found.failures) == ({"test": 2}, 2, ())


def test_what_it_needs_is_said_when_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nltk.data.path", [])
    with pytest.raises(GradingError, match=r"python -m nltk\.downloader punkt_tab"):
        load(tmp_path / "a.jsonl", row())
