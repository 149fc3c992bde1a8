import base64
import json
import pickle
import zlib
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import datasets
import pytest

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.code import read_tests
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task
from shared_data import BENCHMARKS, needs_data, rows

LOCAL = BENCHMARKS / "livecodebench_public.jsonl"


def packed(tests: list[dict[str, str]]) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


def hub_row(number: int, date: str = "2024-08-01T00:00:00", function: str = "") -> dict[str, Any]:
    kind = "functional" if function else "stdin"
    return {
        "question_title": "A title",
        "question_content": f"Problem {number}.",
        "platform": "leetcode" if function else "atcoder",
        "question_id": f"q{number}",
        "contest_date": date,
        "starter_code": f"class Solution:\n    def {function}(self, n: int) -> int:\n        " if function else "",
        "public_test_cases": json.dumps([{"input": "1", "output": "2", "testtype": kind}]),
        "private_test_cases": packed([{"input": "3", "output": "4", "testtype": kind}]),
        "metadata": json.dumps({"func_name": function} if function else {}),
    }


@needs_data
def test_every_row_is_read() -> None:
    with closing(load_task(TaskConfig("livecodebench", data=str(LOCAL)))) as task:
        problems = task.problems("test")
    published = rows(LOCAL)
    assert [problem.id for problem in problems] == [row["id"] for row in published]
    assert len(problems) == 879
    assert sum(len(read_tests(problem).stdin) for problem in problems) == 1365
    assert sum(len(read_tests(problem).calls) for problem in problems) == 934
    for problem, row in zip(problems, published, strict=True):
        assert read_tests(problem).entry_point == row["entry_point"]
        assert row["starter_code"].rstrip() in problem.messages[0]["content"]


@needs_data
@pytest.mark.parametrize(
    ("since", "until"),
    [("2024-08-01", "2025-01-31"), ("2024-08-03", ""), ("", "2023-05-07"), ("2023-05-13", "2023-05-13")],
)
def test_the_window_of_dates_is_inclusive(since: str, until: str) -> None:
    with closing(load_task(TaskConfig("livecodebench", data=str(LOCAL), since=since, until=until))) as task:
        found = [problem.id for problem in task.problems("test")]
    assert found == [row["id"] for row in rows(LOCAL) if (since or "0") <= row["contest_date"][:10] <= (until or "9")]


@pytest.mark.parametrize(
    ("release", "files"),
    [("v1", ["test.jsonl"]), ("v2", ["test.jsonl", "test2.jsonl"])]
    + [
        (release, ["test.jsonl", *(f"test{n}.jsonl" for n in range(2, last + 1))])
        for release, last in (("v5", 5), ("", 6))
    ],
)
def test_a_release_is_the_first_files(release: str, files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(*arguments: Any, **named: Any) -> list[dict[str, Any]]:
        asked.append((arguments, named))
        return [hub_row(1), hub_row(2, "2024-09-01T10:00:00")]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with closing(load_task(TaskConfig("livecodebench", release=release, since="2024-09-01"))) as task:
        assert [problem.id for problem in task.problems("test")] == ["q2"]
    folder = "hf://datasets/livecodebench/code_generation_lite"
    assert asked == [(("json",), {"data_files": [f"{folder}/{file}" for file in files], "split": "train"})]


def test_the_hubs_files_are_read_by_datasets_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test.jsonl").write_text(json.dumps(hub_row(1)) + "\n")
    (tmp_path / "test2.jsonl").write_text(json.dumps(hub_row(2, function="solve")) + "\n")
    real = datasets.load_dataset

    def load_dataset(kind: str, data_files: list[str], split: str) -> Any:
        local = [str(tmp_path / file.rpartition("/")[2]) for file in data_files]
        return real(kind, data_files=local, split=split, cache_dir=str(tmp_path / "cache"))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    grading = GradingConfig(allow_code_execution=True)
    with closing(load_task(TaskConfig("livecodebench", release="v2"), grading)) as task:
        one, two = task.problems("test")
        assert [(test.stdin, test.stdout) for test in read_tests(one).stdin] == [("1", "2"), ("3", "4")]
        assert [(test.arguments, test.expected) for test in read_tests(two).calls] == [((1,), 2), ((3,), 4)]
        assert task.grade(one, "```python\nprint(int(input()) + 1)\n```").correct
        assert task.grade(one, "```python\nprint(2)\n```").reason == "wrong answer"
        solution = "```python\nclass Solution:\n    def solve(self, n: int) -> int:\n        return n + 1\n```"
        assert task.grade(two, solution).correct


def test_damaged_private_tests_name_the_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(hub_row(1) | {"private_test_cases": "AAAA"}) + "\n")
    with closing(load_task(TaskConfig("livecodebench", data=str(path)))) as task:
        (problem,) = task.problems("test")
    with pytest.raises(TaskError, match="problem q1, tests: expected JSON"):
        read_tests(problem)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"release": "v7"}, "unknown release 'v7'.*known are v1, v2, v3, v4, v5, v6"),
        ({"release": "release_v5"}, "unknown release 'release_v5'.*known are v1"),
        ({"since": "2024-13-01"}, "since '2024-13-01': must be a date as YYYY-MM-DD"),
        ({"until": "August 2024"}, "until 'August 2024': must be a date as YYYY-MM-DD"),
        (
            {"data": "x.jsonl", "release": "v5"},
            "release 'v5': the file x.jsonl is the release that it is",
        ),
    ],
)
def test_releases_and_dates_that_are_none(options: dict[str, str], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        load_task(TaskConfig("livecodebench", **options))


@pytest.mark.parametrize("date", ["2024-08-01", "2024-08-01T00:00:00", "2024-08-01 10:00:00"])
def test_forms_of_a_date(date: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(hub_row(1, date)) + "\n")
    for since, until in (("2024-08-01", "2024-08-01"), ("", "2024-08-01")):
        with closing(load_task(TaskConfig("livecodebench", data=str(path), since=since, until=until))) as task:
            assert len(task.problems("test")) == 1
    with pytest.raises(TaskError, match=r"no contest from 2024-08-02 to 9999-12-31; widen since and until"):
        load_task(TaskConfig("livecodebench", data=str(path), since="2024-08-02"))


@pytest.mark.parametrize("date", ["yesterday", 20240801])
def test_a_row_without_a_date_is_named(date: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(hub_row(1, date)) + "\n")
    with pytest.raises(TaskError, match=r"a.jsonl, row 1, field 'contest_date': found .*; expected a date as YYYY"):
        load_task(TaskConfig("livecodebench", data=str(path)))


def test_a_parquet_file_with_times(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    datasets.Dataset.from_list([hub_row(1) | {"contest_date": datetime(2024, 8, 1)}]).to_parquet(path)
    with closing(load_task(TaskConfig("livecodebench", data=str(path), until="2024-08-01"))) as task:
        assert [problem.id for problem in task.problems("test")] == ["q1"]
