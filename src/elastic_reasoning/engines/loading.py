"""A model by name: a shipped miniature, a folder, or a hub name."""

import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elastic_reasoning.errors import EngineError, require, unknown

if TYPE_CHECKING:
    from elastic_reasoning.engines.transformers import TransformersEngine

SHIPPED = ("mini", "mini-e1")
DTYPES = ("auto", "float32", "bfloat16", "float16")


def model_path(name: str) -> str:
    """The folder of a shipped model; any other name as it is."""
    if name not in SHIPPED or Path(name).exists():
        return name
    return str(files("elastic_reasoning") / "miniature" / "models" / name)


def load(
    model: str,
    *,
    max_rows: int = 64,
    dtype: str = "auto",
    device: str = "auto",
    opening: str | None = None,
    closing: str | None = None,
) -> "TransformersEngine":
    """Load a model into the transformers engine.

    Args:
        model: `mini`, `mini-e1`, a folder in Hugging Face format, or a hub name.
        max_rows: sequences that run together.
        dtype: "auto" is float32 on a CPU and bfloat16 on a GPU.
        device: "auto" is the GPU where there is one.
        opening, closing: thinking delimiters, where the tokenizer does not name them.

    Raises:
        EngineError: the model is not there, or cannot be run.
        TemplateError: its thinking delimiters cannot be found.
    """
    torch = require("torch", "train")
    transformers = require("transformers", "train")
    from elastic_reasoning.engines.transformers import TransformersEngine, end_ids
    from elastic_reasoning.template import resolve_template

    if dtype not in DTYPES:
        raise EngineError(f"dtype {dtype!r}: must be one of {', '.join(DTYPES)}")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype == "auto":
        dtype = "float32" if device == "cpu" else "bfloat16"
    path = model_path(model)
    if not sys.stderr.isatty():
        transformers.logging.disable_progress_bar()
    tokenizer = _loaded(transformers.AutoTokenizer, model, path)
    weights = _loaded(transformers.AutoModelForCausalLM, model, path, dtype=getattr(torch, dtype))
    weights = weights.to(device).eval()
    template = resolve_template(tokenizer, opening=opening, closing=closing, eos_ids=end_ids(weights))
    return TransformersEngine(weights, tokenizer, template, max_rows)


def _loaded(auto_class: Any, model: str, path: str, **settings: Any) -> Any:
    if not Path(path).is_dir() and (path.count("/") != 1 or path[0] in "./~"):
        raise EngineError(f"{unknown('model', model, SHIPPED)}; or give a folder, or a hub name as owner/name")
    try:
        return auto_class.from_pretrained(path, **settings)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EngineError(f"model {model!r} cannot be loaded: {reason}") from error
