import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from huggingface_hub import constants

from configs import train_config
from elastic_reasoning.core.errors import EngineError, TrainingError
from elastic_reasoning.engines.loading import load
from elastic_reasoning.training.config import Lora, TrainConfig
from elastic_reasoning.training.dry_run import architecture
from elastic_reasoning.training.dry_run.architecture import (
    Model,
    has_weights,
    known_delimiters,
    read_architecture,
    read_template,
)

PUBLISHED = {
    "agentica-org/DeepScaleR-1.5B-Preview": 1_777_088_000,
    "Skywork/Skywork-OR1-Math-7B": 7_615_616_512,
    "agentica-org/DeepCoder-14B-Preview": 14_770_033_664,
}
"""Known as 1.78, 7.62 and 14.8 billion parameters."""


@pytest.fixture
def no_hub(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.fixture
def hub(monkeypatch) -> Iterator[dict[str, bytes]]:
    """A hub on loopback that has what is put into it, by path."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in files else 404)
            self.end_headers()
            self.wfile.write(files.get(self.path, b""))

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield files
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_on_this_machine_is_counted_as_it_is_loaded():
    found = read_architecture("mini")
    loaded = load("mini").model
    assert found.num_parameters == sum(parameter.numel() for parameter in loaded.parameters())
    assert (found.kind, found.source, found.dtype) == ("Qwen3ForCausalLM", "shipped", "float32")
    assert (found.num_layers, found.hidden, found.tied) == (2, 96, True)
    assert has_weights("mini")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_model_is_known_without_the_hub(name, no_hub):
    found = read_architecture(name)
    assert found.num_parameters == PUBLISHED[name]
    assert "not read from the hub" in found.source
    assert known_delimiters(name) == ("<think>", "</think>")
    assert not has_weights(name)
    assert read_template(name, None, None) is None


def test_the_hub_is_asked_for_what_the_cache_lacks(hub):
    values = {"model_type": "qwen2", "hidden_size": 64, "num_hidden_layers": 1, "torch_dtype": "bfloat16"}
    hub["/some/model/resolve/main/config.json"] = json.dumps(values).encode()
    found = read_architecture("some/model")
    assert (found.source, found.hidden, found.num_layers, found.dtype) == ("the hub", 64, 1, "bfloat16")


@pytest.mark.parametrize("answer", [None, b"<html>", b"[]", b"{}", b'{"model_type": "nobody knows"}'])
def test_what_the_hub_does_not_have_is_said_on_one_line(hub, answer):
    if answer is not None:
        hub["/some/model/resolve/main/config.json"] = answer
    with pytest.raises(TrainingError, match="some/model") as error:
        read_architecture("some/model")
    assert "\n" not in str(error.value)
    model = Model.read(train_config(model="some/model"))
    assert (model.architecture, model.template) == (None, None)
    assert model.why == str(error.value)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(EngineError, match=r"the folder holds no config\.json"):
        read_architecture(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(TrainingError, match="cannot be read"):
        read_architecture(str(tmp_path))


@pytest.mark.parametrize("name", ["mimi", "./nowhere", "a/b/c"])
def test_what_cannot_be_a_model_is_refused_before_the_hub_is_asked(name, monkeypatch):
    monkeypatch.setattr(architecture, "urlopen", lambda *args, **kwargs: pytest.fail("the hub was asked"))
    with pytest.raises(EngineError, match="unknown model"):
        read_architecture(name)


def test_adapters_are_counted_for_the_layers_that_get_one():
    found = read_architecture("mini")
    assert found.num_adapter_parameters(Lora()) == 0
    one = found.num_adapter_parameters(Lora(rank=1, targets=("q_proj",)))
    assert one == 2 * (96 + 4 * 32)
    assert found.num_adapter_parameters(Lora(rank=8, targets=("q_proj",))) == 8 * one
    assert found.num_adapter_parameters(Lora(rank=1)) > found.num_adapter_parameters(Lora(rank=1, targets=("q_proj",)))


def test_a_tokenizer_on_this_machine_counts_prompts():
    model = Model.read(TrainConfig())
    assert model.num_tokens([{"role": "user", "content": "a 4 b -8 c +7 ="}]) > 7
