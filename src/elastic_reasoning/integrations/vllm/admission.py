"""Which requests have a budget, whether it can be kept, and what is known of the model that they are for."""

import sys
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from types import FrameType
from typing import Any

from elastic_reasoning.core.automaton import Automaton
from elastic_reasoning.core.ends import end_ids
from elastic_reasoning.core.errors import DelimiterError, ElasticError, EngineError, TemplateError, UsageError, unknown
from elastic_reasoning.core.explorer import automaton_of
from elastic_reasoning.core.needs import needs_of
from elastic_reasoning.core.strategies import BUILT_IN, find_strategy
from elastic_reasoning.core.template import Template, chat_text, resolve_template
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.core.wire import STRATEGY, Wire, from_wire
from elastic_reasoning.integrations.row import Row
from elastic_reasoning.integrations.vllm.patches.protocol import TEMPLATE_BUDGETS
from elastic_reasoning.integrations.walks import walk_of
from elastic_reasoning.untrusted.own_strategies import VARIABLE, named_in_environment, strategy_names

SETTINGS = "elastic_reasoning"
"""Key of vLLM's `additional_config` under which `opening`, `closing` and `strategies` may be given."""
KEYS = ("opening", "closing", "strategies")
HOW = (
    f'start vLLM with --additional-config \'{{"{SETTINGS}": {{"opening": "<think>", "closing": "</think>"}}}}\', '
    "or whatever the model writes"
)


@dataclass(frozen=True, slots=True)
class Served:
    """A model that vLLM serves.

    Attributes:
        tokenizer_name, model, revision, generation_config: what its template follows from.
        opening, closing: delimiters, where the tokenizer does not name them.
        strategies: those that lie in files, of which vLLM was told when it started.
        model_config: vLLM's.
    """

    tokenizer_name: str
    model: str
    revision: str | None
    generation_config: str
    opening: str | None
    closing: str | None
    strategies: tuple[str, ...]
    model_config: Any = field(compare=False, repr=False)

    @classmethod
    def of(cls, vllm_config: Any) -> "Served":
        """What a configuration of vLLM says."""
        model, additional = vllm_config.model_config, vllm_config.additional_config
        given = additional.get(SETTINGS, {}) if isinstance(additional, dict) else {}
        for name in given:
            if name not in KEYS:
                raise UsageError(unknown(f"key of additional_config[{SETTINGS!r}]", name, KEYS))
        told = (*given.get("strategies", ()), *named_in_environment())
        return cls(
            str(model.tokenizer),
            str(model.model),
            model.revision,
            model.generation_config,
            given.get("opening"),
            given.get("closing"),
            _strategies(told),
            model,
        )

    @property
    def tokenizer(self) -> Any:
        from vllm.tokenizers import cached_tokenizer_from_config

        tokenizer = cached_tokenizer_from_config(self.model_config)
        if tokenizer is None:
            raise EngineError("vLLM runs without a tokenizer, and a budget needs one: leave out --skip-tokenizer-init")
        return tokenizer

    @property
    def template(self) -> Template:
        """How the model marks thinking.

        Raises:
            TemplateError: its tokenizer does not tell.
        """
        return _template(self)

    def prepare(self) -> None:
        """Find out now what takes a second with a large vocabulary, and not while others wait for their next token.

        A model that no budget can be kept for is refused when one is asked for.
        """
        with suppress(ElasticError):
            _ = self.template.boundaries

    def walk(self, wire: Wire, prompt_ids: list[int], max_tokens: int | None) -> Walk:
        """The walk of a request; one that cannot be started has an `error`.

        What vLLM would cut at is the context of the walk, so that an unlimited thinking leaves room for the solution.
        """
        context = self.model_config.max_model_len
        if max_tokens is not None:
            context = min(context, len(prompt_ids) + max_tokens)
        return walk_of(wire, prompt_ids, self.tokenizer, self.template, context)

    def row(self, params: Any, prompt_ids: list[int] | None, output: list[int]) -> Row | None:
        """The row of a request, `None` if it has no budget."""
        wire = from_wire(params.extra_args)
        if wire is None:
            return None
        # What `admit` has refused does not come here; a walk with an error would be over, and end at once.
        return Row(self.walk(wire, prompt_ids or [], params.max_tokens), output, end_of(params))


def end_of(params: Any) -> int:
    """An id after which vLLM stops."""
    return int(params.eos_token_id if params.eos_token_id is not None else min(params.all_stop_token_ids))


def admit(params: Any) -> None:
    """Refuse a request whose budget cannot be kept.

    Raises:
        ValueError: why not.
    """
    try:
        _check_template_budgets(params)
        _check_told(params)
        wire = from_wire(params.extra_args)
        if wire is not None:
            _check_params(wire, params)
            _check_request(wire, params)
    except ElasticError as error:
        raise ValueError(str(error)) from None


def _check_template_budgets(params: Any) -> None:
    """A budget among the arguments of the chat template is the template's own, or belongs elsewhere."""
    names = (params.extra_args or {}).pop(TEMPLATE_BUDGETS, ())
    if not names:
        return
    config, _ = _being_admitted()
    chat = chat_text(Served.of(config).tokenizer)
    for name in names:
        if name not in chat:
            raise UsageError(
                f"{name} in chat_template_kwargs: this model's chat template does not read it; give it at the top "
                "level of the request, or in vllm_xargs"
            )


def _check_told(params: Any) -> None:
    """Refuse a strategy that lies in a file of which vLLM was not told: its workers would not know it."""
    name = (params.extra_args or {}).get(STRATEGY)
    if not isinstance(name, str) or name in BUILT_IN:
        return
    config, _ = _being_admitted()
    if name not in Served.of(config).strategies:
        raise EngineError(
            f"{unknown('strategy', name, BUILT_IN)}; vLLM learns of your own when it starts, from "
            f"{VARIABLE}=my.py:{name} or --additional-config "
            f'\'{{"{SETTINGS}": {{"strategies": ["my.py:{name}"]}}}}\''
        )


def _check_params(wire: Wire, params: Any) -> None:
    if params.ignore_eos:
        raise EngineError("ignore_eos cannot be combined with a budget, whose end is an end of sequence")
    if params.thinking_token_budget is not None:
        raise EngineError("thinking_token_budget is vLLM's own: give thinking_budget alone")
    if wire.deadline_seconds is not None and params.min_tokens:
        raise EngineError("min_tokens cannot be combined with deadline_seconds, which may end an answer before")


def _check_request(wire: Wire, params: Any) -> None:
    """What depends on the model, the prompt and how vLLM was started."""
    config, prompt = _being_admitted()
    if config.speculative_config is not None and not config.use_v2_model_runner:
        raise EngineError(
            "model runner V1 keeps no budget for the positions that speculative decoding proposes: start vLLM without "
            "it, or with model runner V2, or send two requests"
        )
    settings = config.structured_outputs_config
    if params.structured_outputs is not None and (not settings.reasoning_parser or settings.enable_in_reasoning):
        raise EngineError(
            "a grammar would apply to thinking too: start vLLM with --reasoning-parser and without enable_in_reasoning"
        )
    refusal = find_strategy(wire.strategy).grammar_refusal(wire.options)
    if params.structured_outputs is not None and refusal:
        raise EngineError(refusal)
    served = Served.of(config)
    ids = _prompt_ids(prompt, served)
    walk = served.walk(wire, ids, params.max_tokens)
    if walk.error is not None:
        of_it_alone = f"max_tokens {params.max_tokens}: {walk.error.partition(',')[0]}, delimiters and all"
        raise EngineError(served.walk(wire, ids, None).error or of_it_alone)
    if needs_of(walk.request, walk.template).takes_back:
        raise EngineError(
            f"strategy {wire.strategy!r} with {wire.options} takes back tokens, which one pass cannot do, or "
            "reads their log-probabilities, which it does not see: send two requests instead"
        )
    if config.speculative_config is not None and automaton_for(walk, min(walk.template.eos), config) is None:
        raise EngineError(
            f"strategy {wire.strategy!r} with {wire.options} is kept on the host for this request, which does not know "
            "the positions that speculative decoding proposes: leave out deadline_seconds, tools, and options that "
            "look at words, start vLLM without it, or send two requests"
        )


def automaton_for(walk: Walk, end: int, vllm_config: Any) -> Automaton | None:
    """What a request may do, where the device can keep it; `None` where the host has to.

    It cannot where the processes of a tensor-parallel group share the rows out anew in each step.

    Args:
        walk: of the request.
        end: an id after which vLLM stops.
        vllm_config: of the engine.
    """
    if vllm_config.parallel_config.enable_batch_sharded_sampling:
        return None
    return automaton_of(walk, end)


def _prompt_ids(prompt: Any, served: Served) -> list[int]:
    ids = prompt.get("prompt_token_ids") if isinstance(prompt, dict) else None
    text = prompt.get("prompt") if isinstance(prompt, dict) else prompt
    if ids is None and not isinstance(text, str):
        raise EngineError("a budget needs a prompt of tokens or text, not of embeddings")
    return list(served.tokenizer.encode(text)) if ids is None else ids


def _being_admitted() -> tuple[Any, Any]:
    """vLLM's configuration and the prompt of the request, which it does not hand to `validate_params`."""
    from vllm.v1.engine.input_processor import InputProcessor

    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if "prompt" in (names := frame.f_code.co_varnames) and "self" in names:  # the values of others are not read
            owner = frame.f_locals.get("self")
            if isinstance(owner, InputProcessor):
                return owner.vllm_config, frame.f_locals["prompt"]
        frame = frame.f_back
    raise EngineError("this version of vLLM admits requests in a way that is not known here: use vllm 0.32 or 0.33")


@lru_cache
def _strategies(told: tuple[str, ...]) -> tuple[str, ...]:
    """The names of strategies in files; each file is read once in a process that serves."""
    return strategy_names(told)


@lru_cache(maxsize=8)
def _template(served: Served) -> Template:
    if not hasattr(served.tokenizer, "added_tokens_decoder"):
        raise TemplateError("the tokenizer is not of Hugging Face's kind: start vLLM with --tokenizer-mode hf")
    eos = end_ids(served.model_config.try_get_generation_config())
    try:
        return resolve_template(served.tokenizer, opening=served.opening, closing=served.closing, eos_ids=eos)
    except DelimiterError as error:
        raise DelimiterError(error.reason, HOW) from None
