"""What a model's files say beside its weights: a chat template of its processor, and what ends a sequence."""

import json
from pathlib import Path
from typing import Any

import pytest
import transformers

from elastic_reasoning.core.errors import ElasticError, TemplateError
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.loading import load, load_template, load_tokenizer
from elastic_reasoning.engines.model_files import find_chat_template, find_end_ids
from elastic_reasoning.training.dry_run.architecture import read_template
from hybrid import CHAT, write_hybrid

QUESTION = "a 4 b -8 c +7 ="


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_hybrid(tmp_path / "model")


def change(path: Path, **values: Any) -> None:
    """Set values of a file of JSON; `None` takes one out."""
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({name: value for name, value in {**before, **values}.items() if value is not None}))


# Chat templates


@pytest.mark.parametrize("name", ["chat_template.jinja", "chat_template.json", "processor_config.json"])
def test_a_chat_template_is_found_wherever_transformers_finds_it(folder: Path, name: str) -> None:
    (folder / "chat_template.jinja").unlink()
    text = CHAT if name.endswith(".jinja") else json.dumps({"chat_template": CHAT})
    (folder / name).write_text(text)
    assert load_tokenizer(str(folder)).chat_template == CHAT
    found = read_template(str(folder), None, None)
    assert found
    assert found[0].chat_template == CHAT
    engine = load(str(folder), device="cpu", chat_template_kwargs={"thinking": True})
    assert ask(engine, QUESTION, "8+4").error is None


def test_additional_chat_templates_are_found_too(folder: Path) -> None:
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "other.jinja").write_text("{{ 1 }}")
    assert load_tokenizer(str(folder)).chat_template == {"default": CHAT, "other": "{{ 1 }}"}
    assert load(str(folder), device="cpu").prompt([{"role": "user", "content": QUESTION}]).ids


@pytest.mark.parametrize("text", [None, "{", '{"chat_template": null}', "[]", '{"other": 1}'])
def test_without_a_chat_template_nothing_is_loaded_unless_plain_text_is_asked_for(
    folder: Path, text: str | None
) -> None:
    (folder / "chat_template.jinja").unlink()
    if text is not None:
        (folder / "chat_template.json").write_text(text)
    assert find_chat_template(str(folder)) is None
    with pytest.raises(TemplateError, match=r"no chat template.*--apply_chat_template false"):
        load(str(folder), opening="<think>", closing="</think>", device="cpu")
    engine = load(str(folder), opening="<think>", closing="</think>", device="cpu", apply_chat_template=False)
    assert engine.note == "messages are sent as plain text, without a chat template"
    prompt = engine.prompt([{"role": "user", "content": QUESTION}])
    assert engine.tokenizer.decode(prompt.ids) == engine.tokenizer.decode(engine.template.encode(QUESTION))


# Ends of sequence

LIST = [1, 9]
ENDS: dict[str, tuple[dict[str, Any] | None, dict[str, Any], tuple[int, ...]]] = {
    "generation": ({"eos_token_id": LIST}, {"eos_token_id": 3}, (1, 9)),
    "no generation configuration": (None, {"eos_token_id": LIST}, (1, 9)),
    "one that does not say": ({"temperature": 0.6}, {"eos_token_id": LIST}, (1, 9)),
    "one id": (None, {"eos_token_id": 9}, (9,)),
    "text part": (None, {"eos_token_id": None, "text_config": {"eos_token_id": [9, 8]}}, (9, 8)),
    "outer part first": (None, {"eos_token_id": 7, "text_config": {"eos_token_id": [9, 8]}}, (7,)),
    "decoder": (None, {"eos_token_id": None, "decoder": {"eos_token_id": 9}}, (9,)),
    "nowhere": (None, {"eos_token_id": None}, ()),
    "a negative one": ({"eos_token_id": -1}, {"eos_token_id": 9}, (9,)),
}


@pytest.mark.parametrize(("generation", "config", "ends"), ENDS.values(), ids=ENDS)
def test_ends_are_found_by_one_rule(folder: Path, generation: Any, config: dict[str, Any], ends: tuple) -> None:
    (folder / "generation_config.json").unlink()
    if generation is not None:
        change(folder / "generation_config.json", **generation)
    change(folder / "config.json", **config)
    assert find_end_ids(str(folder)) == ends
    tokenizer, template = load_template(str(folder))
    assert template.eos == {*ends, tokenizer.eos_token_id}
    found = read_template(str(folder), None, None)
    assert found
    assert found[1].eos == template.eos


@pytest.mark.parametrize("config", [{"eos_token_id": LIST}, {"eos_token_id": [9, 1], "text_config": None}])
def test_every_engine_ends_where_transformers_would(folder: Path, config: dict[str, Any]) -> None:
    (folder / "generation_config.json").unlink()
    change(folder / "config.json", **config)
    reference = transformers.AutoModelForCausalLM.from_pretrained(folder).generation_config.eos_token_id
    assert load(str(folder), device="cpu").template.eos == set(reference)
    assert load_template(str(folder))[1].eos == set(reference)


@pytest.mark.parametrize("value", ["</s>", [1, "2"], 1.5, True, {"a": 1}])
@pytest.mark.parametrize("file", ["generation_config.json", "config.json"])
def test_what_is_no_id_is_one_line(folder: Path, value: Any, file: str) -> None:
    (folder / "generation_config.json").unlink()
    change(folder / file, eos_token_id=value)
    with pytest.raises(ElasticError, match="eos_token_id") as caught:
        load_template(str(folder))
    assert str(caught.value).isprintable()


def test_a_damaged_generation_configuration_is_passed_over_as_transformers_does(folder: Path) -> None:
    (folder / "generation_config.json").write_text("{")
    change(folder / "config.json", eos_token_id=LIST)
    assert find_end_ids(str(folder)) == (1, 9)
