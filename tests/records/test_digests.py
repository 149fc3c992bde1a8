import os
import time
from pathlib import Path

import pytest

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.records.digests import LARGE_BYTES, SETTLED_SECONDS, models_digest

LARGE = bytes(LARGE_BYTES)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "elastic-reasoning" / "digests"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(LARGE)
    (folder / "tokenizer.json").write_text("{}")
    return folder


def digest(model: Path, seconds_later: float = 2 * SETTLED_SECONDS) -> str:
    """As it is found some time after the file was written."""
    return models_digest([str(model)], lambda: time.time() + seconds_later)[str(model)]


def test_a_name_on_the_hub_stands_for_itself(model: Path) -> None:
    assert models_digest(["Qwen/Qwen3-0.6B", str(model)]).keys() == {str(model)}


def test_the_content_decides_and_nothing_else(model: Path, tmp_path: Path) -> None:
    before = digest(model)
    model.rename(tmp_path / "moved")
    assert digest(tmp_path / "moved") == before
    (tmp_path / "moved" / "config.json").write_text("{}")
    assert digest(tmp_path / "moved") == before
    (tmp_path / "moved" / "tokenizer.json").write_text("[]")
    assert digest(tmp_path / "moved") != before


def test_a_large_file_is_read_once(model: Path, cache: Path) -> None:
    before = digest(model)
    (kept,) = cache.iterdir()
    other = bytes(reversed(range(64)))
    kept.write_text(other.hex())  # what is kept is what is taken
    assert digest(model) != before
    kept.write_text("damaged")
    assert digest(model) == before


def test_a_file_that_was_written_to_is_read_again(model: Path) -> None:
    """Also where its size and its time of writing are put back."""
    before, weights = digest(model), model / "model.safetensors"
    written = weights.stat()
    with weights.open("r+b") as file:
        file.write(b"\1")
    os.utime(weights, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert weights.stat().st_mtime_ns == written.st_mtime_ns
    assert digest(model) != before


def test_a_file_that_was_just_written_is_not_kept(model: Path, cache: Path) -> None:
    digest(model, seconds_later=0.0)
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_costs_time_alone(model: Path, cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("in the way")
    assert digest(model) == digest(model)


def test_what_cannot_be_read_is_one_line(model: Path) -> None:
    (model / "model.safetensors").unlink()
    (model / "model.safetensors").mkdir()
    with pytest.raises(EngineError, match=r"cannot read .*model.safetensors: Is a directory"):
        digest(model)
