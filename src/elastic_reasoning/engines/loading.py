"""A model by name: a shipped miniature, a folder, a GGUF file, or a hub name; or one that is loaded already."""

import logging
import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.ends import end_ids
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.template import Template, check_pair, find_delimiters, resolve_template
from elastic_reasoning.engines.gguf import as_plain, as_saved, is_gguf, located, shape_of, unpacking
from elastic_reasoning.engines.hub import hub_is_away, where_to_look
from elastic_reasoning.engines.local.imports import import_transformers, in_command
from elastic_reasoning.engines.model_files import find_chat_template, find_end_ids
from elastic_reasoning.engines.names import (
    check_model_name,
    check_names,
    check_tokenizer_name,
    model_path,
)
from elastic_reasoning.engines.precision import resolve_precision
from elastic_reasoning.engines.remote_code import from_pretrained, is_remote_code_trusted

if TYPE_CHECKING:
    from elastic_reasoning.engines.local.engine import TransformersEngine

logger = logging.getLogger(__name__)

TINY_BYTES = 2**24
"""Weights below which sharing a product over several cores costs more than it gains, many times more on a busy one."""


def load(
    model: Any,
    *,
    tokenizer: Any = None,
    max_rows: int = 64,
    dtype: str = "auto",
    device: str = "auto",
    graphs: bool = True,
    tensor_parallel_size: int = 1,
    opening: str | None = None,
    closing: str | None = None,
    chat_template_kwargs: Mapping[str, Any] | None = None,
    apply_chat_template: bool = True,
) -> "TransformersEngine":
    """Load a model into the transformers engine.

        engine = load("mini-e1")
        engine = load("Qwen/Qwen3-0.6B", max_rows=32)
        engine = load(AutoModelForCausalLM.from_pretrained(...), tokenizer=AutoTokenizer.from_pretrained(...))

    Args:
        model: `mini`, `mini-e1`, a folder in Hugging Face format, a GGUF file, or a hub name; or a causal language
            model of transformers, which is taken as it is, with its own type and on its own device.
        tokenizer: that of a model which is loaded already; a name has its own.
        max_rows: sequences that run together.
        dtype, device: see `resolve_precision`.
        graphs: on a CUDA device, whether steps are recorded as CUDA graphs, where the model's can be.
        tensor_parallel_size: devices that a model given by name is spread over; the engine must be closed.
        opening, closing: thinking delimiters, where the tokenizer does not name them.
        chat_template_kwargs, apply_chat_template: how messages become prompts, see `Renderer`.

    Returns:
        An engine for `ask` and `generate`.

    Raises:
        EngineError: the model is not there, or cannot be run.
        TemplateError: its thinking delimiters cannot be found, or no prompt can be made.
    """
    chat: dict[str, Any] = {"chat_template_kwargs": chat_template_kwargs, "apply_chat_template": apply_chat_template}
    computing: dict[str, Any] = {"max_rows": max_rows, "graphs": graphs}
    if not isinstance(model, (str, os.PathLike)):
        _check_loaded(model, tokenizer, dtype, device, tensor_parallel_size)
        import_transformers()
        ends = end_ids(getattr(model, "generation_config", None), model.config)
        template = resolve_template(tokenizer, opening=opening, closing=closing, eos_ids=ends)
        return _engine_of(model, tokenizer, template, **computing, **chat)
    if tokenizer is not None:
        raise EngineError(f"model {str(model)!r} has a tokenizer of its own: leave out tokenizer")
    model = str(model)
    names: dict[str, Any] = {"dtype": dtype, "device": device, "opening": opening, "closing": closing}
    check_names(model, max_rows=max_rows, tensor_parallel_size=tensor_parallel_size, **names)
    import_transformers()
    logger.info("loading %s", model)
    dtype, device = resolve_precision(model, dtype, device)
    if device == "cpu" and in_command() and _is_tiny(Path(model_path(model))):
        import torch

        torch.set_num_threads(1)
    tokenizer, template = load_template(model, opening, closing)
    Renderer(tokenizer, template, **chat).check()
    known: dict[str, Any] = {"name": model, "keeps_memory": True, **computing, **chat}
    if tensor_parallel_size == 1:
        return _engine_of(_on_device(load_weights(model, dtype), device), tokenizer, template, **known)
    from elastic_reasoning.engines.local.parallel.ranks import Spread
    from elastic_reasoning.engines.local.parallel.workers import started

    spread = Spread(model, dtype, device, tensor_parallel_size, max_rows, is_remote_code_trusted())
    with started(spread, load_config(model)) as workers:
        weights = load_weights(model, dtype, tensor_parallel_size)
        return _engine_of(weights, tokenizer, template, workers=workers, **known)


def _on_device(weights: Any, device: str) -> Any:
    """A model that is loaded, on a device."""
    try:
        return weights.to(device).eval()
    except (RuntimeError, AssertionError) as error:
        raise EngineError(f"device {device!r} cannot be used ({_reason(error)}): try auto or cpu") from error


def _check_loaded(model: Any, tokenizer: Any, dtype: str, device: str, tensor_parallel_size: int) -> None:
    """Refuse as a model what is none, or what would have to be changed."""
    if not callable(getattr(model, "forward", None)) or not hasattr(model, "config"):
        raise EngineError(
            f"model of type {type(model).__name__}: give a name, a folder, or a causal language model of transformers"
        )
    if tokenizer is None:
        raise EngineError(f"{type(model).__name__} without its tokenizer: load(model, tokenizer=tokenizer)")
    for setting, value in (("dtype", dtype), ("device", device)):
        if value != "auto":
            raise EngineError(f"{setting} {value!r}: the model is loaded already, convert it with model.to(...) before")
    if tensor_parallel_size != 1:
        raise EngineError(
            f"tensor_parallel_size {tensor_parallel_size}: a model is spread as it is loaded, give its name"
        )


def _engine_of(model: Any, tokenizer: Any, template: Template, name: str = "", **settings: Any) -> "TransformersEngine":
    """The engine of a model that is loaded."""
    from elastic_reasoning.engines.local.engine import TransformersEngine

    logger.info("checking %s against its own forward", name or type(model).__name__)
    return TransformersEngine(model, tokenizer, template, name=name, **settings)


def _is_tiny(folder: Path) -> bool:
    """Whether a folder's weights are few."""
    sizes = [path.stat().st_size for path in folder.glob("*.safetensors")]
    return bool(sizes) and sum(sizes) < TINY_BYTES


def load_weights(model: str, dtype: str, num_ranks: int = 1) -> Any:
    """A causal language model with weights of a type, where transformers puts it.

    Args:
        model, dtype: as for `load`.
        num_ranks: of so many ranks (torch.distributed) that share its layers, each of which loads its own.

    Raises:
        EngineError: the model is not there.
    """
    check_model_name(model)
    import_transformers()
    import torch
    import transformers

    if not sys.stderr.isatty() or Path(model_path(model)).exists():  # a bar is for what is fetched
        transformers.logging.disable_progress_bar()
    settings: dict[str, Any] = {"dtype": getattr(torch, dtype)}
    if num_ranks > 1:
        from transformers.distributed import DistributedConfig

        settings["distributed_config"] = DistributedConfig(tp_size=num_ranks)
    weights = partial(_loaded, transformers.AutoModelForCausalLM, model, **settings)
    return as_plain(weights(**unpacking(), **shape_of(model))) if is_gguf(model) else weights()


def load_config(model: str) -> Any:
    """The configuration of a model, by the names of `load`.

    Raises:
        EngineError: the model is not there.
    """
    import transformers

    return _loaded(transformers.AutoConfig, model)


def load_tokenizer(model: str) -> Any:
    """The tokenizer of a model, by the names of `load`; its chat template may be the processor's.

    Raises:
        EngineError: the model is not there.
    """
    check_tokenizer_name(model)
    import_transformers()
    import transformers

    tokenizer = _loaded(transformers.AutoTokenizer, model)
    try:
        tokenizer.encode("a")
    except Exception as error:  # what is wrong in its files may show only where it is used
        raise EngineError(f"model {model!r}: its tokenizer cannot be used: {_reason(error)}") from error
    if is_gguf(model):
        tokenizer = as_saved(tokenizer, model)
    # A prompt beyond the context is refused by its walk, in its own words: the tokenizer need not warn of it.
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    if not tokenizer.chat_template:
        tokenizer.chat_template = find_chat_template(model_path(model), **where_to_look(model_path(model)))
    return tokenizer


def load_template(model: str, opening: str | None = None, closing: str | None = None) -> tuple[Any, Template]:
    """A model's tokenizer and how it marks thinking, without its weights.

    Raises:
        EngineError, TemplateError: as `load` would.
    """
    check_tokenizer_name(model)
    check_pair(opening, closing)
    tokenizer, ends = load_tokenizer(model), find_end_ids(model_path(model), **where_to_look(model_path(model)))
    return tokenizer, resolve_template(tokenizer, opening=opening, closing=closing, eos_ids=ends)


def check_model(model: str, *, opening: str | None = None, closing: str | None = None, **chat: Any) -> None:
    """Find out from its tokenizer alone whether a model is there, marks thinking, and gets prompts.

    Args:
        model, opening, closing: as for `load`.
        chat: arguments of `Renderer`; prompts are not looked at where there are none.

    Raises:
        EngineError, TemplateError: as `load` would.
    """
    tokenizer = load_tokenizer(model)
    find_delimiters(tokenizer, opening=opening, closing=closing)
    if chat:
        Renderer(tokenizer, load_template(model, opening, closing)[1], **chat).check()


def _loaded(auto_class: Any, model: str, **settings: Any) -> Any:
    path, within = located(model)
    where = where_to_look(model_path(model))
    try:
        return from_pretrained(auto_class, path, **where, **within, **settings)
    except EngineError:
        raise
    except Exception as error:  # a model's files can be damaged in any way, and transformers checks few of them
        if where:
            raise EngineError(
                f"model {model!r} is neither a folder here nor in the local cache, and the hub cannot be asked "
                f"({hub_is_away()}): fetch it where there is a network, and give its folder"
            ) from error
        raise EngineError(f"model {model!r} cannot be loaded: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The first line of an error."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
