"""What SGLang calls in each of its processes when it starts: its own functions, hooked by its framework for that.

A request without a budget takes the path that it had.
"""

import pkgutil
from collections.abc import Callable
from typing import Any

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.integrations.sglang.admission import admit, prepare
from elastic_reasoning.integrations.sglang.rows import row_of
from elastic_reasoning.untrusted.own_strategies import named_in_environment, strategy_names

MANAGERS = "sglang.srt.managers"
TOKENIZED = f"{MANAGERS}.tokenizer_manager.TokenizerManager._create_tokenized_object"
STARTED = f"{MANAGERS}.scheduler.Scheduler.init_tokenizer"
FORWARD = f"{MANAGERS}.tp_worker.TpModelWorker.forward_batch_generation"
RESULTS = f"{MANAGERS}.scheduler_components.batch_result_processor.SchedulerBatchResultProcessor"
GRAMMAR, FIRST_OF_GRAMMAR = f"{RESULTS}._accept_grammar_tokens", f"{RESULTS}._apply_prefill_grammar"


def register() -> None:
    """Register the hooks, all or none, and learn of the strategies that the environment names.

    Raises:
        EngineError: this version of SGLang lacks one of their places. SGLang then goes on without the plug-in.
    """
    from sglang.srt.plugins.hook_registry import HookRegistry, HookType

    strategy_names(named_in_environment())
    hooks = (
        (TOKENIZED, _admit, HookType.AFTER),
        (STARTED, _prepare, HookType.AFTER),
        (FORWARD, _sample_when_ids_are_known, HookType.AROUND),
        (GRAMMAR, _accept, HookType.AROUND),
        (FIRST_OF_GRAMMAR, _accept_first, HookType.AROUND),
    )
    for place, _, _ in hooks:
        try:
            pkgutil.resolve_name(place)
        except (ImportError, AttributeError) as error:
            raise EngineError(f"this version of SGLang has no {place}: use SGLang 0.5.23") from error
    for place, hook, kind in hooks:
        HookRegistry.register(place, hook, kind)


def _admit(tokenized: Any, manager: Any, *arguments: Any, **keywords: Any) -> None:
    admit(tokenized, manager)


def _prepare(_: None, scheduler: Any) -> None:
    prepare(scheduler.tokenizer, scheduler.model_config.hf_eos_token_id)


def _sample_when_ids_are_known(forward: Callable[..., Any], worker: Any, batch: Any, *rest: Any, **named: Any) -> Any:
    """Sample a batch with budgets only when the results of the step before are there.

    Where SGLang schedules ahead, a logit processor would see ids of which the last one is missing. SGLang can compute
    the logits first and sample behind that, as it does where a batch has a grammar.
    """
    from sglang.srt.environ import envs

    if not _has_budgets(getattr(batch, "sampling_info", None)):
        return forward(worker, batch, *rest, **named)
    with envs.SGLANG_ENABLE_DELAY_SAMPLE.override(True):
        return forward(worker, batch, *rest, **named)


def _has_budgets(info: Any) -> bool:
    if info is None or not info.has_custom_logit_processor:
        return False
    from elastic_reasoning.integrations.sglang.processor import BudgetProcessor

    return any(isinstance(entry.processor, BudgetProcessor) for entry in info.custom_logit_processor.values())


def _accept(accept: Callable[..., Any], results: Any, req: Any, tokens: Any) -> Any:
    """Let the end of a solution budget stand in the middle of a grammar, which would take it for a fault."""
    if req.finished() and row_of(req) is not None:
        return [tokens] if isinstance(tokens, int) else tokens
    return accept(results, req, tokens)


def _accept_first(accept: Callable[..., Any], results: Any, *, req: Any, **keywords: Any) -> None:
    if req.finished() and row_of(req) is not None:
        req.grammar.finished = True
    else:
        accept(results, req=req, **keywords)
