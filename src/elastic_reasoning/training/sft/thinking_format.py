"""What a model needs before it can learn to think between delimiters: tokens, their embeddings, a chat template.

renderer = add_thinking_format(model, tokenizer)     # <think> </think>, unless the tokenizer has its own

A tokenizer that knows a pair of delimiters keeps it, and a chat template that opens thinking stays as it is.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from elastic_reasoning.chat.rendering import Renderer, added_to_text
from elastic_reasoning.core.errors import TemplateError
from elastic_reasoning.core.template import Thinking, find_delimiters, resolve_template

OPENING, CLOSING = "<think>", "</think>"
AFTER_OPENING = "\n"
PLAIN_CHAT = (
    "{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
)
"""For a tokenizer without a chat template: contents, each on a line of its own."""


def add_thinking_format(
    model: Any,
    tokenizer: Any,
    opening: str | None = None,
    closing: str | None = None,
    eos_ids: Sequence[int] = (),
    chat_template_kwargs: Mapping[str, Any] | None = None,
) -> Renderer:
    """Make delimiters single tokens, with embeddings, and let the chat template open thinking.

    Args:
        model: what `AutoModelForCausalLM` gave; its embeddings grow where the vocabulary does.
        tokenizer: its tokenizer; it is changed too.
        opening, closing: the delimiters; by default those that the tokenizer has, or <think> and </think>.
        eos_ids: further ids that end a sequence.
        chat_template_kwargs: arguments of the chat template.

    Returns:
        What makes the model's prompts from now on; its `template` is how thinking is marked.

    Raises:
        TemplateError: one delimiter without the other, several pairs to choose from, or a chat template that closes
            thinking before the model's first token.
    """
    if opening is None and closing is None:
        try:
            find_delimiters(tokenizer)
        except TemplateError:
            _add_tokens(model, tokenizer, (OPENING, CLOSING))  # where several pairs were found, they still are
    elif opening and closing:
        _add_tokens(model, tokenizer, (opening, closing))
    template = resolve_template(tokenizer, opening=opening, closing=closing, eos_ids=eos_ids)
    if not tokenizer.chat_template:
        before, _ = added_to_text(tokenizer)
        tokenizer.chat_template = template.decode(before) + PLAIN_CHAT
    renderer = Renderer(tokenizer, template, chat_template_kwargs)
    _open_thinking(renderer)
    return Renderer(tokenizer, template, chat_template_kwargs)


def _add_tokens(model: Any, tokenizer: Any, texts: Sequence[str]) -> None:
    """Add what is not a token yet as a special one; its rows of the embeddings are the mean of the old ones."""
    import torch

    num_before = len(tokenizer)
    tokenizer.add_tokens(list(texts), special_tokens=True)
    num_tokens = len(tokenizer)
    if num_tokens > model.get_input_embeddings().weight.shape[0]:  # many models have rows to spare
        model.resize_token_embeddings(num_tokens, mean_resizing=False)
    with torch.no_grad():
        for layer in filter(None, (model.get_input_embeddings(), model.get_output_embeddings())):
            for weight in filter(lambda values: values is not None, (layer.weight, getattr(layer, "bias", None))):
                weight[num_before:num_tokens] = weight[:num_before].mean(dim=0)


def _open_thinking(renderer: Renderer) -> None:
    """Let the chat template write the opening delimiter after the generation prompt, unless it does already.

    Raises:
        TemplateError: it closes thinking there.
    """
    tokenizer, template = renderer.tokenizer, renderer.template
    state = renderer.prompt([{"role": "user", "content": "?"}]).thinking
    if state is Thinking.CLOSED:
        raise TemplateError(
            f"the chat template writes {template.closing.text!r} before the model's first token: give "
            f"chat_template_kwargs (it takes {', '.join(renderer.arguments) or 'none'}), or another chat template that "
            "leaves thinking to the model"
        )
    if state is Thinking.ABSENT:
        opening = json.dumps(template.opening.text + AFTER_OPENING)
        tokenizer.chat_template = (
            tokenizer.get_chat_template().removesuffix("\n")
            + f"{{% if add_generation_prompt %}}{{{{ {opening} }}}}{{% endif %}}"
        )
