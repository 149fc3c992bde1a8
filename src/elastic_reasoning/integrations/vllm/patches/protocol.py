"""Patch vLLM's server: a budget is taken wherever a client writes it, and never ignored.

{"messages": [...], "thinking_budget": 512}                      # as {"vllm_xargs": {"thinking_budget": 512}}
{"messages": [...], "chat_template_kwargs": {"thinking_budget": 512}}     # the chat template's, or status 400
"""

import sys
from collections.abc import Mapping
from typing import Any

from elastic_reasoning.core.errors import ElasticError, UsageError
from elastic_reasoning.core.strategies import STRATEGIES, known_options
from elastic_reasoning.core.wire import BEGIN, LIMITS, NAMES, STRATEGY, from_wire, refuse_misspelt

REQUESTS = {
    "vllm.entrypoints.openai.chat_completion.protocol": "ChatCompletionRequest",
    "vllm.entrypoints.openai.completion.protocol": "CompletionRequest",
    "vllm.entrypoints.openai.responses.protocol": "ResponsesRequest",
}
"""Where the server's requests are; a process that has not loaded them serves none."""
TEMPLATE_BUDGETS = "chat_template_budgets"
"""Key of `extra_args` for the names of budgets that a request has put among its arguments of the chat template."""


def take_budgets() -> None:
    """Wrap how the server's requests become sampling parameters."""
    for module, name in REQUESTS.items():
        request = getattr(sys.modules.get(module), name, None)
        if request is not None and request.to_sampling_params.__module__ != __name__:
            _wrap(request)


def _wrap(kind: Any) -> None:
    to_sampling = kind.to_sampling_params
    to_beams: Any = getattr(kind, "to_beam_search_params", None)

    def to_sampling_params(request: Any, *arguments: Any, **keywords: Any) -> Any:
        params = to_sampling(request, *arguments, **keywords)
        given = stated(request)
        if given:
            params.extra_args = {**(params.extra_args or {}), **given}
        return params

    def to_beam_search_params(request: Any, *arguments: Any, **keywords: Any) -> Any:
        given = {**(getattr(request, "vllm_xargs", None) or {}), **stated(request)}
        if TEMPLATE_BUDGETS in given or _is_budgeted(given):
            raise ValueError("use_beam_search cannot be combined with a budget: beams share no thinking; leave one out")
        return to_beams(request, *arguments, **keywords)

    kind.to_sampling_params = to_sampling_params
    if to_beams is not None:
        kind.to_beam_search_params = to_beam_search_params


def _is_budgeted(values: Mapping[str, Any]) -> bool:
    try:
        return from_wire(values) is not None
    except ElasticError as error:
        if isinstance(values.get(STRATEGY), str) and values[STRATEGY] not in STRATEGIES:
            return True  # what vLLM was told of is known where the request is admitted
        raise ValueError(str(error)) from None


def stated(request: Any) -> dict[str, Any]:
    """What a request says of a budget outside `vllm_xargs`, for its `extra_args`.

    Raises:
        ValueError: it says two things, or a name is misspelt.
    """
    extra, inside = request.model_extra or {}, getattr(request, "vllm_xargs", None) or {}
    template = getattr(request, "chat_template_kwargs", None) or {}
    try:
        refuse_misspelt((name for name in extra if name not in NAMES), LIMITS)
        is_ours = any(name in extra for name in BEGIN if name in (*LIMITS, "min_thinking")) or _is_budgeted(inside)
        given = {name: extra[name] for name in (*NAMES, *known_options()) if name in extra} if is_ours else {}
        for name, value in given.items():
            if name in inside and inside[name] != value:
                raise UsageError(f"{name} is {value!r} and in vllm_xargs {inside[name]!r}: give one")
    except ElasticError as error:
        raise ValueError(str(error)) from None
    names = [name for name in LIMITS if name in template]
    return {**given, TEMPLATE_BUDGETS: names} if names else given
