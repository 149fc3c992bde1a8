"""Patch vLLM's scheduler: a budget may end within a grammar."""

from typing import Any

from elastic_reasoning.core.wire import from_wire


def let_budgets_end() -> None:
    """Let the end of a solution budget stand in the middle of a grammar.

    vLLM would take the forced end of sequence for a fault of the grammar, and answer with an error.
    """
    from vllm.v1.structured_output import StructuredOutputManager

    accept = StructuredOutputManager.accept_tokens
    if accept.__module__ == __name__:
        return

    def accept_tokens(manager: Any, request: Any, new_token_ids: list[int]) -> bool:
        has_grammar = request.structured_output_request is not None  # most have none, and this is asked at every token
        if has_grammar and request.is_finished() and from_wire(request.sampling_params.extra_args) is not None:
            return True
        return bool(accept(manager, request, new_token_ids))

    StructuredOutputManager.accept_tokens = accept_tokens
