import gzip
import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from elastic_reasoning.core.errors import MissingDependencyError, TaskError
from elastic_reasoning.tasks import rows
from elastic_reasoning.tasks.rows import Hub, read_file, read_hub

ROWS = [{"problem": "one", "answer": "1"}, {"problem": "zwei ü", "answer": ["2", "two"]}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_the_kinds_of_files(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.jsonl", LINES)
    packed = write(tmp_path / "a.jsonl.gz", gzip.compress(LINES.encode()))
    table = tmp_path / "a.parquet"
    datasets.Dataset.from_list([{"problem": row["problem"], "answer": row["answer"][0]} for row in ROWS]).to_parquet(
        table
    )
    assert list(read_file(plain)) == [(f"{plain}, row {number}", row) for number, row in enumerate(ROWS, 1)]
    assert [row for _, row in read_file(packed)] == ROWS
    assert [row["problem"] for _, row in read_file(table)] == ["one", "zwei ü"]
    assert [place for place, _ in read_file(table)] == [f"{table}, row 1", f"{table}, row 2"]


def test_a_blank_line_is_no_row_but_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"a": 1}\n\n{"a": 2}\n\n')
    assert [place.rpartition(" ")[2] for place, _ in read_file(path)] == ["1", "3"]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("bad.jsonl", '{"a": 1}\n{"a": 2}\n{"a": 3\n', r"bad.jsonl, row 3: not JSON .*one JSON object a line"),
        ("list.jsonl", '{"a": 1}\n[1, 2]\n', r"list.jsonl, row 2: found \[1, 2\]; expected one JSON object a line"),
        ("empty.jsonl", "", "empty.jsonl has no rows"),
        ("blank.jsonl", "\n\n", "blank.jsonl has no rows"),
        ("latin.jsonl", b'{"a": "\xfc"}\n', "cannot read .*latin.jsonl: 'utf-8'"),
        ("bad.jsonl.gz", b"no gzip", "cannot read .*bad.jsonl.gz: Not a gzipped file"),
        ("cut.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:-12], "cannot read .*cut.jsonl.gz: "),
        ("bad.parquet", b"no parquet", "bad.parquet is not Parquet"),
        ("rows.csv", "a,b\n", "cannot read .*rows.csv: unknown kind of file"),
        ("rows", "a,b\n", "unknown kind of file"),
    ],
)
def test_a_file_that_cannot_be_read(file: str, content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=message) as error:
        list(read_file(write(tmp_path / file, content)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("file", ["none.jsonl", "none.jsonl.gz", "none.parquet"])
def test_a_file_that_is_not_there(file: str, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=rf"cannot read .*{file}: No such file or directory; pass a file of JSON lines"):
        list(read_file(tmp_path / file))


@pytest.mark.parametrize("folder", ["data", "data.jsonl"])
def test_a_folder_is_no_file(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    with pytest.raises(TaskError, match=f"{folder}: a folder; pass a file"):
        list(read_file(tmp_path / folder))


def test_the_hub_is_asked_for_what_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(*arguments: Any, **named: Any) -> list[dict[str, Any]]:
        asked.append((arguments, named))
        return ROWS

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert [place for place, _ in read_hub("t", Hub("org/set"))] == ["org/set, row 1", "org/set, row 2"]
    list(read_hub("t", Hub("org/set", "test", "config")))
    list(read_hub("t", Hub("org/set", files=("test.jsonl", "test2.jsonl"))))
    files = ["hf://datasets/org/set/test.jsonl", "hf://datasets/org/set/test2.jsonl"]
    assert asked == [
        (("org/set", None), {"split": "train"}),
        (("org/set", "config"), {"split": "test"}),
        (("json",), {"data_files": files, "split": "train"}),
    ]


def test_a_hub_that_cannot_be_reached_is_one_line_that_names_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*arguments: Any, **named: Any) -> None:
        raise ConnectionError("Couldn't reach the hub\nand more")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(TaskError) as error:
        list(read_hub("aime24", Hub("org/set")))
    assert str(error.value) == (
        "task aime24: cannot load org/set from the hub (ConnectionError: Couldn't reach the hub); "
        "pass a file of JSON lines (.jsonl, .jsonl.gz) or Parquet (.parquet) with --data"
    )


def test_datasets_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(MissingDependencyError, match=r"datasets is not installed: pip install .*\[eval\]"):
        list(rows.read_hub("aime24", Hub("org/set")))
