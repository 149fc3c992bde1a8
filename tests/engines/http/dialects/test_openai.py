"""A prompt that goes to a server as text: what the server's tokenizer puts around it is left out, and nothing else."""

from typing import Any

import pytest

from elastic_reasoning.chat.rendering import added_to_text, render_prompt
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.drive import SampleRequest
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import resolve_template
from elastic_reasoning.engines.http.dialects.dialect import DialectContext
from elastic_reasoning.engines.http.dialects.openai import DIALECT
from elastic_reasoning.engines.http.replicas import RefusedError
from families import BOS, CHATML_TOKENS, QWEN3, adding, tokenizer_of, user

CHATS = {"written": "{{ bos_token }}" + QWEN3, "not written": QWEN3}


def sent(tokenizer: Any, *, prompt_ids: bool = False, apply_chat_template: bool = True) -> Any:
    """What is sent as the prompt of a question, and its ids."""
    template = resolve_template(tokenizer)
    prompt = render_prompt(tokenizer, template, user("1 + 1 ?"), apply_chat_template=apply_chat_template)
    request = Request(prompt, Budget(4, 4))
    wanted = SampleRequest(request, prompt.ids, 0, 4, template.eos, frozenset(), (), discards_end=False)
    context = DialectContext("m", template, False, prompt_ids, *added_to_text(tokenizer))
    return DIALECT.ask(wanted, context)[1]["prompt"], list(prompt.ids)


@pytest.mark.parametrize("chat", CHATS.values(), ids=CHATS)
@pytest.mark.parametrize("form", ["$A", f"{BOS} $A"], ids=["adds nothing", "adds it"])
def test_a_server_reads_the_beginning_of_a_sequence_once_or_as_often_as_it_is_written(chat: str, form: str) -> None:
    tokenizer = adding(tokenizer_of([*CHATML_TOKENS, BOS], chat, bos=BOS), form)
    text, ids = sent(tokenizer)
    read = tokenizer.encode(text)  # as the server does
    assert read.count(tokenizer.bos_token_id) == (chat == CHATS["written"] or form != "$A")
    assert read[-len(ids) :] == ids
    assert sent(tokenizer, prompt_ids=True)[0] == ids


@pytest.mark.parametrize("form", ["$A", f"{BOS} $A"])
def test_plain_text_is_read_as_it_was_encoded(form: str) -> None:
    tokenizer = adding(tokenizer_of([*CHATML_TOKENS, BOS], QWEN3, bos=BOS), form)
    text, ids = sent(tokenizer, apply_chat_template=False)
    assert text == "1 + 1 ?"
    assert tokenizer.encode(text) == ids


def test_a_tokenizer_that_ends_every_text_needs_a_server_that_takes_ids() -> None:
    tokenizer = adding(tokenizer_of([*CHATML_TOKENS, BOS], QWEN3, bos=BOS), f"{BOS} $A <|end|>")
    with pytest.raises(RefusedError, match=r"puts '<\|end\|>' behind every text.*takes prompts as ids"):
        sent(tokenizer)
    assert sent(tokenizer, prompt_ids=True)[0] == sent(tokenizer, prompt_ids=True)[1]
