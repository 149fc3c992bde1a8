"""One engine of the shipped model for all tests, and where inspect_ai may write."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.loading import load


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The shipped model."""
    loaded = load("mini-e1")
    yield loaded
    loaded.close()


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs, caches and data of inspect_ai lie in the test's own folder."""
    monkeypatch.setenv("INSPECT_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("INSPECT_DISPLAY", "none")
