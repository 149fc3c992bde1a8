"""Models in GGUF files run, are swept, trained, saved and refused as those in folders are."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from elastic_reasoning.cli import main
from elastic_reasoning.core.errors import EngineError, MissingDependencyError
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.gguf import as_saved
from elastic_reasoning.engines.loading import load, load_template, load_tokenizer, load_weights
from elastic_reasoning.engines.vllm.engine import load_vllm
from elastic_reasoning.miniature.to_gguf import write_gguf
from elastic_reasoning.records.digests import models_digest
from elastic_reasoning.records.log import read_records
from elastic_reasoning.tasks.arithmetic import Arithmetic
from elastic_reasoning.training.dry_run.architecture import read_architecture
from elastic_reasoning.training.trl.grpo import train
from small_runs import SMALL

QUESTION = Arithmetic().problems("test", 1)[0].messages[-1]["content"]
GREEDY = Sampling(temperature=0)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("gguf") / "mini.gguf"
    write_gguf("mini", path)
    return str(path)


def test_weights_are_those_of_the_folder(file: str) -> None:
    expected, found = load_weights("mini", "float32").state_dict(), load_weights(file, "float32").state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    assert load_weights(file, "bfloat16").dtype == torch.bfloat16


def test_traces_are_those_of_the_folder_before_and_after_it_is_saved(file: str, tmp_path: Path) -> None:
    expected, engine = ask(load("mini"), QUESTION, "32+20", sampling=GREEDY), load(file)
    trace = ask(engine, QUESTION, "32+20", sampling=GREEDY)
    assert (trace.request.prompt, trace.segments) == (expected.request.prompt, expected.segments)
    assert (engine.template.eos, engine.context) == (load("mini").template.eos, load("mini").context)
    engine.model.save_pretrained(tmp_path)
    engine.tokenizer.save_pretrained(tmp_path)
    assert ask(load(str(tmp_path)), QUESTION, "32+20", sampling=GREEDY).ids == expected.ids


def test_its_tokenizer_and_its_shape_are_found_without_its_weights(file: str) -> None:
    tokenizer, template = load_template(file)
    assert (template.closing.text, template.eos) == ("</think>", {tokenizer.eos_token_id})
    assert read_architecture(file).num_parameters == read_architecture("mini").num_parameters


def test_what_ends_a_sequence_is_read_from_the_file(file: str) -> None:
    tokenizer = load_tokenizer(file)
    eos = tokenizer.eos_token
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(7)
    assert as_saved(tokenizer, file).eos_token == eos


def test_a_sweep_takes_it_and_knows_it_again(file: str, tmp_path: Path) -> None:
    command = ["sweep", f"--models={file}", "--strategies=elastic", "--budgets=8+8", "--limit=4"]
    assert main.main([*command, f"--out={tmp_path / 'sweep'}"]) == 0
    _, records = read_records(tmp_path / "sweep")
    assert len(records) == 4
    assert not [record.error for record in records if record.error]
    assert list(models_digest([file])) == [file]


def test_training_starts_from_it(file: str, tmp_path: Path) -> None:
    result = train(replace(SMALL, model=file, out=str(tmp_path / "run"), steps=2, save_every=2))
    assert ask(load(str(result.folder)), QUESTION, "8+8").error is None


@pytest.mark.parametrize("size", [0, 3, 8, 100, 3_000, 300_000])
def test_a_file_that_is_cut_short_is_refused_in_one_line(file: str, tmp_path: Path, size: int) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(Path(file).read_bytes()[:size])
    with pytest.raises(EngineError, match=r"cut\.gguf' cannot be loaded") as caught:
        load(str(cut))
    assert "\n" not in str(caught.value)


def test_gguf_is_named_where_it_is_missing(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'elastic-reasoning\[gguf\]'"):
        load(file)


def test_vllm_is_not_given_a_file(file: str) -> None:
    with pytest.raises(EngineError, match="vLLM is given a folder"):
        load_vllm(file)
