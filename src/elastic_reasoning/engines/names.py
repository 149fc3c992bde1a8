"""Names of models, types of weights and devices: what can be refused of a model before anything heavy is imported.

    check_names("mini-e1", dtype="auto", device="cpu")
    check_names("minni")     # EngineError: unknown model 'minni': did you mean 'mini'? ...

Importing torch and transformers takes seconds; a misspelt name should not wait for them.
"""

import re
from importlib.resources import files
from pathlib import Path

from elastic_reasoning.core.errors import EngineError, UsageError, unknown
from elastic_reasoning.core.template import check_pair

SHIPPED = ("mini", "mini-e1")
DTYPES = ("auto", "float32", "bfloat16", "float16")
DEVICES = ("cpu", "cuda", "mps", "xpu", "hpu", "mtia", "npu", "xla")
"""Kinds of devices that torch can compute on."""
GGUF = ".gguf"
DESCRIBES = ("config.json", "adapter_config.json")
"""Files of which a model's folder holds one."""
TOKENIZES = ("tokenizer_config.json", "tokenizer.json")
"""Files of which a folder holds one that has a tokenizer alone."""
THEN = ">"
"""Between the names of a model that thinks and of one that writes the solution."""
HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def parts_of(model: str) -> list[str]:
    """The models that a name stands for: itself, or the two of a pair.

    Raises:
        UsageError: more than two, or half a pair.
    """
    parts = model.split(THEN)
    if len(parts) > 2 or not all(parts):
        raise UsageError(f"model {model!r}: give one name, or THINKING{THEN}SOLUTION for a pair")
    return parts


def model_path(name: str) -> str:
    """The folder of a shipped model; any other name as it is."""
    if name not in SHIPPED or Path(name).exists():
        return name
    return str(files("elastic_reasoning") / "miniature" / "models" / name)


def check_names(
    model: str,
    *,
    dtype: str = "auto",
    device: str = "auto",
    max_rows: int = 1,
    tensor_parallel_size: int = 1,
    opening: str | None = None,
    closing: str | None = None,
) -> None:
    """Refuse what `load` could not load, as far as names and folders tell.

    Raises:
        EngineError: there is no such folder, file, type or device, nothing can have that name, or it cannot be spread.
        TemplateError: one delimiter without the other.
    """
    check_model_name(model)
    check_precision(dtype, device)
    check_max_rows(max_rows)
    check_tensor_parallel_size(model, tensor_parallel_size)
    check_pair(opening, closing)


def check_model_name(model: str, files_of: tuple[str, ...] = DESCRIBES) -> None:
    """Refuse a name that is neither shipped, nor a model's folder or GGUF file, nor could be one of the hub.

    Args:
        model: the name.
        files_of: of which a folder must hold one.

    Raises:
        EngineError: with the nearest shipped name, or with what the folder lacks.
    """
    path = Path(model_path(model))
    if model and path.is_dir():
        if not any((path / name).is_file() for name in files_of):
            within = path / "model"
            fix = f"give {within}" if (within / files_of[0]).is_file() else "give a folder in Hugging Face format"
            raise EngineError(f"model {model!r} cannot be loaded: the folder holds no {files_of[0]}; {fix}")
    elif model.endswith(GGUF):
        if not path.is_file():
            raise EngineError(f"model {model!r} cannot be loaded: there is no such file")
    elif path.is_file():
        raise EngineError(f"model {model!r} cannot be loaded: it is a file; give its folder, or a {GGUF} file")
    elif not HUB_NAME.fullmatch(model):
        raise EngineError(f"{unknown('model', model, SHIPPED)}; or give a folder, or a hub name as owner/name")


def check_tokenizer_name(model: str) -> None:
    """As `check_model_name`, for a folder that may hold a tokenizer alone.

    Raises:
        EngineError: as said there.
    """
    check_model_name(model, (*TOKENIZES, *DESCRIBES))


def check_precision(dtype: str, device: str) -> None:
    """Refuse a type of weights or a device that cannot be meant; whether the device is there, torch tells.

    Raises:
        EngineError: as said.
    """
    if dtype not in DTYPES:
        raise EngineError(f"dtype {dtype!r}: must be one of {', '.join(DTYPES)}")
    kind, colon, number = device.partition(":")
    if device != "auto" and (kind not in DEVICES or (colon and not (number.isascii() and number.isdigit()))):
        raise EngineError(
            f"device {device!r} cannot be used: try auto or cpu; known are {', '.join(DEVICES)}, and one of "
            "several as cuda:1"
        )


def check_max_rows(max_rows: int) -> None:
    """Refuse to run no row at all.

    Raises:
        EngineError: as said.
    """
    if max_rows < 1:
        raise EngineError(f"max_rows {max_rows}: must be 1 or more")


def check_tensor_parallel_size(model: str, size: int) -> None:
    """Refuse to run on no device, and to spread what is quantised.

    Raises:
        EngineError: as said.
    """
    if size < 1:
        raise EngineError(f"tensor_parallel_size {size}: must be 1 or more")
    if size > 1 and model.endswith(GGUF):
        raise EngineError(
            f"model {model!r} with tensor_parallel_size {size}: weights in a {GGUF} file are not spread over devices; "
            "give a folder in Hugging Face format"
        )
