from pathlib import Path

import pytest

from elastic_reasoning.analysis.calibrate import calibrate
from elastic_reasoning.analysis.effort import Effort, ModelEfforts, read_efforts, save_efforts
from elastic_reasoning.core.errors import UsageError
from make_records import make_manifest, make_records

BY_HAND = """
version: 1
models:
  Qwen/Qwen3-8B:
    strategy: elastic
    efforts:
      max: {budget: 8192+1024}
      low: {budget: 512+256}
"""


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "budgets.yaml"
    run = make_manifest(), make_records(8, 1)
    found = {model: calibrate(run, model=model, folder="sweep") for model in ("mini", "mini-e1")}
    save_efforts(path, found)
    assert read_efforts(path) == found
    text = path.read_text()
    assert text.startswith("# What efforts mean")
    assert "budget: " in text
    assert "p99.5: " in text
    assert [*tmp_path.iterdir()] == [path]


def test_saving_keeps_the_entries_of_other_models(tmp_path: Path) -> None:
    path = tmp_path / "budgets.yaml"
    path.write_text(BY_HAND)
    changed = ModelEfforts("elastic", {"low": Effort("8+20")})
    save_efforts(path, {"mini": changed})
    assert list(read_efforts(path)) == ["Qwen/Qwen3-8B", "mini"]
    save_efforts(path, {"Qwen/Qwen3-8B": changed})
    assert read_efforts(path) == {"Qwen/Qwen3-8B": changed, "mini": changed}
    assert "null" not in path.read_text()  # what nobody measured leaves no line


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "budget: 512",
            "budgets: 512",
            r"models.Qwen/Qwen3-8B.efforts.low.budgets: unknown key; did you mean 'budget'",
        ),
        ("strategy:", "stratgy:", "models.Qwen/Qwen3-8B.stratgy: unknown key; did you mean 'strategy'"),
        ("512+256", "512", "write it as THINKING\\+SOLUTION|Expected `str`"),
        ("512+256", "inf+256", "effort low: budget 'inf\\+256' must be finite, as 1024\\+512"),
        ("512+256", "-5+256", "must be 0 or more tokens"),
        ("max:", "none:", "unknown effort 'none'"),
        ("low:", "lwo:", "unknown effort 'lwo': did you mean 'low'"),
        (": elastic", ": elastik", "did you mean 'elastic'"),
        ("version: 1", "version: 2", "version 2, this version reads 1"),
        ("version: 1\n", "", "required field `version`"),
        ("version: 1", "version: 1\nversion: 1", "version is given twice"),
        ("version: 1", "version: 2026-99-99", "not YAML"),
        ("version: 1", f"version: {'9' * 5000}", "not YAML"),
        ("models:", "models: [", "not YAML"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, before: str, after: str, message: str) -> None:
    path = tmp_path / "budgets.yaml"
    assert before in BY_HAND
    path.write_text(BY_HAND.replace(before, after))
    with pytest.raises(UsageError, match=message) as caught:
        read_efforts(path)
    assert str(caught.value).startswith(f"budgets {path}: ")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError):  # nor is it written over
        save_efforts(path, {})
    assert path.read_text() == BY_HAND.replace(before, after)


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read budgets .*none.yaml: No such file"):
        read_efforts(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match=r"cannot write budgets .*: No such file.*name a file that can be written"):
        save_efforts(tmp_path / "none" / "budgets.yaml", {})
    (tmp_path / "latin.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_efforts(tmp_path / "latin.yaml")
