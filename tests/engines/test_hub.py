from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from elastic_reasoning.core.errors import EngineError, TaskError
from elastic_reasoning.engines import hub
from elastic_reasoning.engines.hub import cache_alone, hub_is_away, where_to_look
from elastic_reasoning.engines.loading import load
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.loading import load_task


class Away:
    """A client of a hub that does not answer."""

    num_asked = 0

    def head(self, url: str, timeout: float) -> None:
        assert timeout <= 10
        Away.num_asked += 1
        raise ConnectionError("nobody there")


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "get_session", Away)
    monkeypatch.setattr(Away, "num_asked", 0)
    hub.hub_is_away.cache_clear()
    yield Away
    hub.hub_is_away.cache_clear()


def test_a_hub_that_is_away_is_asked_once_and_the_cache_alone_after_that(away: Any, tmp_path: Path) -> None:
    assert where_to_look(str(tmp_path)) == {}
    assert away.num_asked == 0
    assert where_to_look("owner/name") == where_to_look("owner/other") == {"local_files_only": True}
    assert away.num_asked == 1
    assert hub_is_away().startswith("https://huggingface.co does not answer: nobody")


def test_what_is_not_here_is_one_line(away: Any) -> None:
    with pytest.raises(EngineError, match="'owner/none' is neither a folder here nor in the local cache") as caught:
        load("owner/none")
    assert "fetch it where there is a network, and give its folder" in str(caught.value)
    with pytest.raises(TaskError, match=r"task aime24: cannot load .* from the hub .*pass a file"):
        load_task(TaskConfig("aime24"))
    assert away.num_asked == 1


def test_an_answer_of_any_kind_is_one(monkeypatch: pytest.MonkeyPatch, away: Any) -> None:
    monkeypatch.setattr(Away, "head", lambda self, url, timeout: "503")
    assert where_to_look("owner/name") == {}


def test_what_is_offline_stays_so(monkeypatch: pytest.MonkeyPatch, away: Any) -> None:
    class Datasets:
        config = SimpleNamespace(HF_HUB_OFFLINE=False)

    with cache_alone(Datasets):
        assert (constants.HF_HUB_OFFLINE, Datasets.config.HF_HUB_OFFLINE) == (True, True)
    assert (constants.HF_HUB_OFFLINE, Datasets.config.HF_HUB_OFFLINE) == (False, False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.hub_is_away.cache_clear()
    assert hub_is_away() == "HF_HUB_OFFLINE is set"
    assert away.num_asked == 1
