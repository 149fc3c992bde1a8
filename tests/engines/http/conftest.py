"""An engine for a template of letters, quick to give up and to try again."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from elastic_reasoning.core.template import Template
from elastic_reasoning.engines.http import alike, engine, pool, replicas
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from fake_servers import tokenizer_of

NewEngine = Callable[..., OpenAIEngine]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "FIRST_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(replicas, "LONGEST_BACKOFF_SECONDS", 0.05)
    monkeypatch.setattr(pool, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr(alike, "START_SECONDS", 0.05)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def new_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[NewEngine]:
    """(template, URLs, settings of `ServerConfig`) to an engine."""

    def new(template: Template, *urls: str, model: str = "", **settings: Any) -> OpenAIEngine:
        monkeypatch.setattr(engine, "load_template", lambda *names: (tokenizer_of(template), template))
        made.append(OpenAIEngine(ServerConfig(urls, "letters", **settings), model))
        return made[-1]

    made: list[OpenAIEngine] = []
    yield new
    for one in made:
        one.close()
