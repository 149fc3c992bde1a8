import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from elastic_reasoning.cli.main import main
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.loading import load, load_template, load_tokenizer, load_weights
from elastic_reasoning.engines.names import model_path
from elastic_reasoning.engines.remote_code import is_remote_code_trusted, remote_code_trusted
from elastic_reasoning.training.dry_run.architecture import read_architecture, read_template

CODE = """
from pathlib import Path
from transformers import PreTrainedConfig
Path(__file__).with_name("ran").touch()
Path({marker!r}).touch()
class Config(PreTrainedConfig):
    model_type = "strange"
"""
WAYS: dict[str, Callable[[str], object]] = {
    "load": load,
    "tokenizer": load_tokenizer,
    "template": load_template,
    "weights": lambda model: load_weights(model, "float32"),
    "architecture": read_architecture,
    "template of a dry run": lambda model: read_template(model, None, None),
}


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.fixture
def model(tmp_path: Path, marker: Path) -> str:
    """A folder with weights and a tokenizer whose configurations point at code beside them."""
    folder = tmp_path / "strange"
    folder.mkdir()
    for path in Path(model_path("mini")).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    mapped = {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model", "AutoTokenizer": ["code.T", None]}
    for name, changes in (("config.json", {"model_type": "strange"}), ("tokenizer_config.json", {})):
        values = json.loads((folder / name).read_text()) | changes | {"auto_map": mapped}
        values.pop("tokenizer_class", None)
        (folder / name).write_text(json.dumps(values))
    (folder / "code.py").write_text(CODE.format(marker=str(marker)))
    return str(folder)


@pytest.fixture
def yes(monkeypatch: pytest.MonkeyPatch) -> None:
    """`yes | elastic ...`"""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 100))


@pytest.mark.usefixtures("yes")
@pytest.mark.parametrize("way", WAYS)
def test_the_code_of_a_model_is_not_run_and_the_refusal_names_the_flag(way: str, model: str, marker: Path) -> None:
    with pytest.raises(EngineError, match=r"is not run unless it is trusted.*--trust_remote_code") as caught:
        WAYS[way](model)
    assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.usefixtures("yes")
def test_a_command_does_not_run_it_either(
    model: str, marker: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = ["sweep", f"--models={model}", f"--out={tmp_path / 'sweep'}", "--limit=1"]
    for command in (["generate", "1+1", f"--model={model}"], sweep):
        for more in ([], ["--trust_remote_code=false"]):
            assert main([*command, *more]) == 2
            err = capsys.readouterr().err
            assert "--trust_remote_code" in err
            assert err.count("\n") == 1
    assert not marker.exists()


def test_who_trusts_it_has_it_run(model: str, marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    assert main(["generate", "1+1", "--trust-remote-code", f"--model={model}"]) == 2  # it has no class Model
    assert marker.exists()
    with remote_code_trusted():
        assert is_remote_code_trusted()
    assert not is_remote_code_trusted()
