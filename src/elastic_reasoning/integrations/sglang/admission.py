"""Which requests have a budget, whether it can be kept, and how the served model marks thinking."""

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

from elastic_reasoning.core.errors import DelimiterError, ElasticError, EngineError, TemplateError, UsageError
from elastic_reasoning.core.needs import needs_of
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.core.template import Template, Thinking, resolve_template
from elastic_reasoning.core.wire import NAMES, Wire, from_wire
from elastic_reasoning.integrations.walks import walk_of

KEY = "elastic"
"""Under this name among a request's `custom_params` stands what it says of its budget."""
OPENING, CLOSING = "ELASTIC_OPENING", "ELASTIC_CLOSING"
"""Variables of the server's environment that hold delimiters which the tokenizer does not name."""
RESERVED = 2
"""Tokens of the context that SGLang leaves empty (`Scheduler.init_req_max_new_tokens`)."""


def admit(tokenized: Any, manager: Any) -> None:
    """Give a request with a budget its logit processor, or refuse it.

    Args:
        tokenized: SGLang's request, with its prompt in ids and its settings as they will hold.
        manager: SGLang's `TokenizerManager`.

    Raises:
        ValueError: the budget cannot be kept; SGLang answers with status 400 and says why.
    """
    params = getattr(tokenized, "sampling_params", None)
    values = (getattr(params, "custom_params", None) or {}).get(KEY)
    if values is None:
        return
    try:
        wire = wire_of(values)
        _check_server(manager.server_args)
        _check_settings(tokenized, wire)
        if has_grammar(params):
            _check_grammar(wire, manager.server_args)
        thinking = _check_walk(tokenized, wire, manager)
    except ElasticError as error:
        raise ValueError(str(error)) from None
    if has_grammar(params):
        tokenized.require_reasoning = thinking is not Thinking.CLOSED
    tokenized.custom_logit_processor = _processor()


def wire_of(values: Any) -> Wire:
    """Read what a request says of its budget.

    Raises:
        BudgetError, StrategyError, UsageError: it says none, or not as its names ask for.
    """
    if not isinstance(values, Mapping):
        raise UsageError(f"custom_params[{KEY!r}] {values!r}: must be an object, as {{'thinking_budget': 512}}")
    wire = from_wire(values)
    if wire is None:
        raise UsageError(f"custom_params[{KEY!r}] {values!r}: says nothing of a budget; give any of {', '.join(NAMES)}")
    return wire


def template_of(tokenizer: Any, eos_ids: Collection[int] | None) -> Template:
    """How the served model marks thinking.

    Args:
        tokenizer: SGLang's.
        eos_ids: the ids that end a sequence by the model's configuration.

    Raises:
        TemplateError: the tokenizer does not tell.
    """
    return _template(tokenizer, frozenset(eos_ids or ()), os.environ.get(OPENING), os.environ.get(CLOSING))


def prepare(tokenizer: Any, eos_ids: Collection[int] | None) -> None:
    """Find out now what takes a second with a large vocabulary, and not while others wait for their next token.

    A model that no budget can be kept for is refused when one is asked for.
    """
    with suppress(ElasticError):
        _ = template_of(tokenizer, eos_ids).boundaries


def has_grammar(params: Any) -> bool:
    """Whether a request has a grammar."""
    return any(getattr(params, name) is not None for name in ("json_schema", "regex", "ebnf", "structural_tag"))


def _check_server(settings: Any) -> None:
    if not settings.enable_custom_logit_processor:
        raise EngineError("a budget is kept by a logit processor: start SGLang with --enable-custom-logit-processor")
    if settings.speculative_algorithm is not None:
        raise EngineError(
            "a budget is not kept for each of the positions that speculative decoding proposes: start SGLang without "
            "it, or send two requests"
        )
    if settings.pp_size > 1 or settings.disaggregation_mode != "null":
        raise EngineError(
            "a budget is not kept across pipeline stages, nor where prefill and decode are apart: start SGLang without "
            "these, or send two requests"
        )


def _check_settings(tokenized: Any, wire: Wire) -> None:
    params = tokenized.sampling_params
    if params.ignore_eos:
        raise EngineError("ignore_eos cannot be combined with a budget, whose end is an end of sequence")
    if params.stop_strs or params.stop_token_ids or params.stop_regex_strs:
        raise EngineError("stop, stop_token_ids and stop_regex would stop within thinking too: leave them out")
    if tokenized.custom_logit_processor is not None:
        raise EngineError("custom_logit_processor: a budget has one of its own, and a request can have one alone")
    if params.beam_width is not None:
        raise EngineError("beam_width cannot be combined with a budget")
    if wire.deadline_seconds is not None:
        raise EngineError("deadline_seconds is kept by vLLM with our plug-in alone: leave it out")


def _check_grammar(wire: Wire, settings: Any) -> None:
    if not settings.reasoning_parser:
        raise EngineError("a grammar would apply to thinking too: start SGLang with --reasoning-parser")
    refusal = find_strategy(wire.strategy).grammar_refusal(wire.options)
    if refusal:
        raise EngineError(refusal)


def _check_walk(tokenized: Any, wire: Wire, manager: Any) -> Thinking:
    """Refuse what depends on the model and the prompt; otherwise the prompt's state of thinking."""
    if tokenized.input_ids is None or manager.tokenizer is None:
        raise EngineError("a budget needs a prompt of tokens or text, and a server with a tokenizer")
    template, ids = template_of(manager.tokenizer, manager.model_config.hf_eos_token_id), list(tokenized.input_ids)
    context = manager.context_len - RESERVED
    walk = walk_of(wire, ids, manager.tokenizer, template, context)
    if walk.error is not None:
        raise EngineError(walk.error)
    if needs_of(walk.request, template).takes_back:
        raise EngineError(
            f"strategy {wire.strategy!r} with {wire.options} takes back tokens, which one pass cannot do, or "
            "reads their log-probabilities, which it does not see: send two requests instead"
        )
    most = tokenized.sampling_params.max_new_tokens
    if most is not None:
        error = walk_of(wire, ids, manager.tokenizer, template, min(context, len(ids) + most)).error
        if error is not None:
            raise EngineError(f"max_new_tokens {most}: {error.partition(',')[0]}, delimiters and all")
    return walk.request.prompt.thinking


@lru_cache(maxsize=1)
def _processor() -> str:
    from elastic_reasoning.integrations.sglang.processor import BudgetProcessor

    return str(BudgetProcessor.to_str())


@lru_cache(maxsize=8)
def _template(tokenizer: Any, eos_ids: frozenset[int], opening: str | None, closing: str | None) -> Template:
    if not hasattr(tokenizer, "added_tokens_decoder"):
        raise TemplateError("the tokenizer is not of Hugging Face's kind: start SGLang with --tokenizer-mode auto")
    try:
        return resolve_template(tokenizer, opening=opening, closing=closing, eos_ids=eos_ids)
    except DelimiterError as error:
        how = f"start SGLang with {OPENING}='<think>' {CLOSING}='</think>' in its environment, or whatever it writes"
        raise DelimiterError(error.reason, how) from None
