"""The walk of a request that a server was told of as plain values, for the plug-ins of servers."""

from typing import Any

from elastic_reasoning.chat.turn import offers_tools, thinking_of
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Template
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.core.wire import Wire


def walk_of(wire: Wire, prompt_ids: list[int], tokenizer: Any, template: Template, context: int) -> Walk:
    """A walk that has not begun; one that cannot be started has an `error`.

    Args:
        wire: what the request says of its budget; what it does not say of the prompt is found out.
        prompt_ids: of the request.
        tokenizer, template: of the model.
        context: tokens of prompt and completion that the server allows it.
    """
    state = wire.thinking or thinking_of(tokenizer, template, prompt_ids)
    tools = wire.tools or offers_tools(tokenizer, template, prompt_ids)
    prompt = Prompt(tuple(prompt_ids), state, tools)
    request = Request(prompt, wire.budget, wire.strategy, wire.options, deadline_seconds=wire.deadline_seconds)
    return Walk(request, template, context)
