"""An engine of one's own, from a file."""

from pathlib import Path

import pytest

from elastic_reasoning.core.errors import EngineError, UsageError
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.engines.opening import check_models_by_name, open_engine
from elastic_reasoning.engines.swap import SwapEngine

MY = """
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted, word_template

template = word_template("<t>", "</t>", "<eos>", words=["two", "answer"])


def open_engine(model, config):
    assert config.dtype == "float32"
    return ScriptedEngine(scripted(template, "two", f"answer {model}"), template)


def half(model, config):
    return object()


nothing = 1
"""


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(MY)


def test_it_is_opened_with_the_name_of_the_model_and_the_configuration() -> None:
    config = EngineConfig("my.py:open_engine", dtype="float32")
    config.check()
    check_models_by_name(config, ["anything at all"])
    assert type(open_engine(config, "whatever")).__name__ == "ScriptedEngine"
    assert isinstance(open_engine(config, "one>another"), SwapEngine)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("my.py:nothing", UsageError, "engine my.py:nothing: must be a function of"),
        ("my.py:open_engin", UsageError, "my.py: unknown name 'open_engin': did you mean 'open_engine'"),
        ("mine.py:open_engine", UsageError, "cannot read mine.py: No such file"),
        ("my.py:half", EngineError, "my.py:half: its engine has no template, context, note, capacity, prompt, submit"),
    ],
)
def test_what_is_no_engine_is_refused(name: str, kind: type[Exception], message: str) -> None:
    config = EngineConfig(name, dtype="float32")
    config.check()
    with pytest.raises(kind, match=message):
        open_engine(config, "whatever")


def test_an_engine_that_is_not_known_is_told_of_ones_own() -> None:
    with pytest.raises(UsageError, match=r"unknown engine 'vlm': did you mean 'vllm'.*or one of your own, as my.py:"):
        EngineConfig("vlm").check()
