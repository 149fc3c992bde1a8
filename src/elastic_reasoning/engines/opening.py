"""The engine of a model, or of a pair of models, from a configuration.

with closing(open_engine(EngineConfig(dtype="float32"), "mini>mini-e1")) as engine: ...   # mini thinks, mini-e1 answers
"""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from elastic_reasoning.core.errors import EngineError, UsageError, check_installed
from elastic_reasoning.engines.config import RAY, EngineConfig
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.loading import check_model, load
from elastic_reasoning.engines.names import check_names, check_tokenizer_name, parts_of
from elastic_reasoning.engines.precision import resolve_precision
from elastic_reasoning.engines.ray.engine import RayEngine
from elastic_reasoning.engines.swap import SwapEngine
from elastic_reasoning.engines.vllm.engine import load_vllm
from elastic_reasoning.untrusted.own_files import is_own, load_own

PARTS = ("template", "context", "note", "capacity", "prompt", "submit", "close")
"""What an engine has."""


def check_models_by_name(config: EngineConfig, models: Iterable[str]) -> None:
    """Refuse what cannot be loaded, as far as names and folders tell: nothing is imported or fetched for it.

    Raises:
        EngineError, TemplateError, UsageError, MissingDependencyError: as `open_engine` would.
    """
    if config.name == RAY:
        check_installed("ray", "ray")  # whatever else there has to be, is on the workers
        return
    if is_own(config.name):
        _own_opener(config.name)  # which models there are is its own affair
        return
    if config.name == "vllm":
        check_installed("vllm", "vllm")
    parts = [parts_of(model) for model in models]
    if config.tensor_parallel_size > 1 and max(map(len, parts), default=1) > 1:
        raise EngineError(
            f"tensor_parallel_size {config.tensor_parallel_size} with a pair of models: only one model of a process is "
            "spread over devices; give 1, or engine vllm"
        )
    for part in dict.fromkeys(chain.from_iterable(parts)):
        if config.name == "openai":
            check_tokenizer_name(config.server.tokenizer or part)
        else:
            check_names(part, **_local(config), **config.chat.delimiters)


def check_models(config: EngineConfig, models: Iterable[str]) -> None:
    """Find out whether all are there before the first one has run for an hour.

    Raises:
        EngineError, TemplateError, UsageError: as `open_engine` would.
    """
    parts = dict.fromkeys(part for model in models for part in parts_of(model))
    if config.name in ("transformers", "vllm") and len(parts) > 1:
        for part in parts:
            check_model(part, **config.chat.delimiters, **config.chat.rendering)


def precisions(config: EngineConfig, models: Iterable[str]) -> dict[str, str]:
    """The type of the weights that each model is run in by transformers."""
    parts = (part for model in models for part in parts_of(model))
    return {part: resolve_precision(part, config.dtype, config.device)[0] for part in parts}


def open_engine(config: EngineConfig, model: str) -> Engine:
    """The engine of a model, or of a pair of which the first one thinks.

    Raises:
        ElasticError: it cannot be loaded, or the two do not fit each other.
    """
    if config.name == RAY:
        return RayEngine(config, model)  # of a pair, each worker has both
    engines: list[Engine] = []
    try:
        for part in parts_of(model):
            engines.append(_open(config, part))
        return engines[0] if len(engines) == 1 else SwapEngine(*engines)
    except BaseException:
        for engine in engines:
            engine.close()
        raise


def _open(config: EngineConfig, model: str) -> Engine:
    chat, max_rows, dtype = config.chat, config.max_rows, config.dtype
    if is_own(config.name):
        return _open_own(config, model)
    if config.name == "vllm":
        return load_vllm(model, config.vllm, max_rows=max_rows, dtype=dtype, **chat.delimiters, **chat.rendering)
    if config.name == "openai":
        return OpenAIEngine(config.server, model, **chat.delimiters, **chat.rendering)
    return load(model, graphs=config.graphs, **_local(config), **chat.delimiters, **chat.rendering)


def _local(config: EngineConfig) -> dict[str, Any]:
    """What the transformers engine runs on."""
    names = ("dtype", "device", "max_rows", "tensor_parallel_size")
    return {name: getattr(config, name) for name in names}


def _open_own(config: EngineConfig, model: str) -> Engine:
    engine = _own_opener(config.name)(model, config)
    missing = [part for part in PARTS if not hasattr(engine, part)]
    if missing:
        raise EngineError(f"{config.name}: its engine has no {', '.join(missing)}; an engine has {', '.join(PARTS)}")
    return engine


def _own_opener(name: str) -> Callable[[str, EngineConfig], Engine]:
    opener: Callable[[str, EngineConfig], Engine] = load_own(name, UsageError)
    if not callable(opener):
        raise UsageError(f"engine {name}: must be a function of a model's name and an EngineConfig")
    return opener
