from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.errors import TemplateError
from elastic_reasoning.core.template import Thinking
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.loading import load, load_tokenizer, load_weights
from elastic_reasoning.miniature.model import build_model
from elastic_reasoning.miniature.no_think_model import build_no_think_tokenizer
from elastic_reasoning.miniature.tokenizer import build_tokenizer
from elastic_reasoning.training.sft.thinking_format import PLAIN_CHAT, add_thinking_format
from families import BOS, adding, tokenizer_of
from hybrid import CHAT

QUESTION = [{"role": "user", "content": "a 4 b -8 ="}]


def test_a_model_gets_delimiters_embeddings_and_a_chat_template(tmp_path: Path) -> None:
    tokenizer = build_no_think_tokenizer()
    model = build_model(tokenizer, seed=0)
    before = model.get_input_embeddings().weight.detach().clone()
    template = add_thinking_format(model, tokenizer).template
    assert isinstance(template.opening, TokenDelimiter)
    assert (template.opening.text, template.closing.text) == ("<think>", "</think>")
    assert {*template.opening.ids, *template.closing.ids} == {len(before), len(before) + 1}
    after = model.get_input_embeddings().weight
    assert torch.equal(after[: len(before)], before)
    assert torch.allclose(after[len(before) :], before.mean(dim=0).expand(2, -1))
    assert model.get_output_embeddings().weight is after
    prompt = render_prompt(tokenizer, template, QUESTION)
    assert prompt.thinking is Thinking.OPEN
    assert tokenizer.decode(prompt.ids).endswith("<assistant> <think>")
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    trace = ask(load(str(tmp_path)), "a 4 b -8 =", "4+2")
    assert (trace.num_thinking_tokens, trace.error) == (4, None)


def test_separate_output_embeddings_and_rows_to_spare() -> None:
    tokenizer = build_no_think_tokenizer()
    num = len(tokenizer)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=num + 8, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
        )
    )
    inputs, outputs = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    add_thinking_format(model, tokenizer)
    assert model.get_input_embeddings().weight is inputs
    assert len(inputs) == num + 8
    for weight in (inputs, outputs):
        assert torch.allclose(weight[num : num + 2], weight[:num].mean(dim=0).expand(2, -1))
    assert not torch.equal(inputs[num], outputs[num])


def test_delimiters_that_are_given() -> None:
    tokenizer = build_no_think_tokenizer()
    template = add_thinking_format(build_model(tokenizer, 0), tokenizer, "<scratch>", "</scratch>").template
    assert (template.opening.text, template.closing.text) == ("<scratch>", "</scratch>")
    assert tokenizer.decode(render_prompt(tokenizer, template, QUESTION).ids).endswith("<scratch>")


def test_what_has_a_format_keeps_it() -> None:
    tokenizer, model = load_tokenizer("mini"), load_weights("mini", "float32")
    chat, num = tokenizer.chat_template, len(tokenizer)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    add_thinking_format(model, tokenizer)
    assert (tokenizer.chat_template, len(tokenizer)) == (chat, num)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_tokenizer_without_a_chat_template_gets_one(tmp_path: Path) -> None:
    tokenizer = build_no_think_tokenizer()
    tokenizer.chat_template = None
    template = add_thinking_format(build_model(tokenizer, 0), tokenizer).template
    assert tokenizer.decode(render_prompt(tokenizer, template, QUESTION).ids) == "a 4 b -8 = <think>"
    turns = [*QUESTION, {"role": "assistant", "content": "answer 6"}, *QUESTION]
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert "answer 6<eos>\n" in again.apply_chat_template(turns, tokenize=False)


def test_a_chat_template_that_closes_thinking_is_refused() -> None:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = tokenizer.chat_template.replace("<think>", "<think> </think>")
    with pytest.raises(TemplateError, match="writes '</think>' before the model's first token"):
        add_thinking_format(build_model(tokenizer, 0), tokenizer)


def test_one_delimiter_alone_is_refused() -> None:
    tokenizer = build_no_think_tokenizer()
    with pytest.raises(TemplateError, match="both delimiters must be given"):
        add_thinking_format(build_model(tokenizer, 0), tokenizer, closing="</think>")


def test_a_hybrid_model_is_asked_to_think() -> None:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = CHAT
    with pytest.raises(TemplateError, match=r"give chat_template_kwargs \(it takes thinking\)"):
        add_thinking_format(build_model(tokenizer, 0), tokenizer)
    renderer = add_thinking_format(build_model(tokenizer, 0), tokenizer, chat_template_kwargs={"thinking": True})
    assert tokenizer.chat_template == CHAT
    assert renderer.prompt(QUESTION).thinking is Thinking.OPEN


def test_of_several_chat_templates_the_default_opens_thinking() -> None:
    tokenizer = build_no_think_tokenizer()
    tokenizer.chat_template = {"default": PLAIN_CHAT, "other": "{{ 1 }}"}
    renderer = add_thinking_format(build_model(tokenizer, 0), tokenizer)
    assert isinstance(tokenizer.chat_template, str)
    assert renderer.prompt(QUESTION).thinking is Thinking.OPEN


def test_what_the_tokenizer_puts_before_a_text_stands_in_a_chat_template_that_is_made_for_it() -> None:
    tokenizer = adding(tokenizer_of(["<think>", "</think>", BOS], None, bos=BOS), f"{BOS} $A")
    renderer = add_thinking_format(None, tokenizer)
    assert tokenizer.decode(renderer.prompt([{"role": "user", "content": "1 ?"}]).ids) == f"{BOS}1 ?\n<think>\n"
