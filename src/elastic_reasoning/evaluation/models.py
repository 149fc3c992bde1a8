"""The engines that a run needs, one for each model or pair of models.

with closing(open_model(config, "mini>mini-e1")) as engine: ...      # mini thinks, mini-e1 writes the solution
"""

from collections.abc import Iterable
from dataclasses import replace

from elastic_reasoning.core.errors import check_installed
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.loading import check_model, load, resolve_precision
from elastic_reasoning.engines.names import check_names, check_tokenizer_name
from elastic_reasoning.engines.swap import SwapEngine
from elastic_reasoning.engines.vllm.engine import load_vllm
from elastic_reasoning.evaluation.config import RunConfig, parts_of


def check_models_by_name(config: RunConfig, models: Iterable[str]) -> None:
    """Refuse what cannot be loaded, as far as names and folders tell: nothing is imported or fetched for it.

    Raises:
        EngineError, TemplateError, UsageError, MissingDependencyError: as `open_model` would.
    """
    if config.engine == "vllm":
        check_installed("vllm", "vllm")
    for part in dict.fromkeys(part for model in models for part in parts_of(model)):
        if config.engine == "openai":
            check_tokenizer_name(config.server.tokenizer or part)
        else:
            check_names(
                part,
                dtype=config.dtype,
                device=config.device,
                max_rows=config.max_rows,
                opening=config.opening,
                closing=config.closing,
            )


def check_models(config: RunConfig, models: Iterable[str]) -> None:
    """Find out whether all are there before the first one has run for an hour.

    Raises:
        EngineError, TemplateError, UsageError: as `open_model` would.
    """
    parts = dict.fromkeys(part for model in models for part in parts_of(model))
    if config.engine != "openai" and len(parts) > 1:
        for part in parts:
            check_model(part, opening=config.opening, closing=config.closing, **config.chat)


def precisions(config: RunConfig, models: Iterable[str]) -> dict[str, str]:
    """The type of the weights that each model is run in by transformers."""
    parts = (part for model in models for part in parts_of(model))
    return {part: resolve_precision(part, config.dtype, config.device)[0] for part in parts}


def open_model(config: RunConfig, model: str) -> Engine:
    """The engine of a model, or of a pair of which the first one thinks.

    Raises:
        ElasticError: it cannot be loaded, or the two do not fit each other.
    """
    engines: list[Engine] = []
    try:
        for part in parts_of(model):
            engines.append(_open(config, part))
        return engines[0] if len(engines) == 1 else SwapEngine(*engines)
    except BaseException:
        for engine in engines:
            engine.close()
        raise


def _open(config: RunConfig, model: str) -> Engine:
    if config.engine == "vllm":
        return load_vllm(
            model,
            config.vllm,
            max_rows=config.max_rows,
            dtype=config.dtype,
            opening=config.opening,
            closing=config.closing,
            **config.chat,
        )
    if config.engine == "openai":
        server = config.server
        opening, closing = config.opening or server.opening, config.closing or server.closing
        return OpenAIEngine(replace(server, opening=opening, closing=closing), model, **config.chat)
    return load(
        model,
        max_rows=config.max_rows,
        dtype=config.dtype,
        device=config.device,
        opening=config.opening,
        closing=config.closing,
        **config.chat,
    )
