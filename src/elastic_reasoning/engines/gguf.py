"""Models in GGUF files, as llama.cpp takes them: where transformers finds one, and its weights as any other model's.

    path, settings = located("models/SmolLM2-135M-Instruct.Q4_1.gguf")
    tokenizer = AutoTokenizer.from_pretrained(path, **settings)

Weights that are quantised in the file are unpacked when it is loaded: what runs, is trained and saved are plain ones.
"""

from pathlib import Path
from typing import Any

from elastic_reasoning.core.errors import EngineError, require
from elastic_reasoning.engines.names import GGUF, model_path

ENDS = tuple(f"tokenizer.ggml.{name}_token_id" for name in ("eos", "eot", "eom"))
"""What ends a sequence, a turn and a message: the names by which llama.cpp's own end of generation goes."""


def is_gguf(model: str) -> bool:
    """Whether a name is that of a GGUF file."""
    return model.endswith(GGUF)


def located(model: str) -> tuple[str, dict[str, Any]]:
    """The path or hub name under which transformers finds a model, and what else it must be told.

    Raises:
        MissingDependencyError: it is a GGUF file, and gguf is not installed.
        EngineError: it is named as one, and is none.
    """
    if not is_gguf(model):
        return model_path(model), {}
    require("gguf", "gguf")
    _metadata(model)
    return str(Path(model).parent), {"gguf_file": Path(model).name}


def unpacking() -> dict[str, Any]:
    """How transformers is told to unpack quantised weights: older versions do nothing else."""
    import transformers

    config = getattr(transformers, "GgufConfig", None)
    return {} if config is None else {"quantization_config": config(dequantize=True)}


def as_plain(model: Any) -> Any:
    """A model whose weights are unpacked, no longer marked as quantised: it can be trained and saved."""
    quantizer = getattr(model, "hf_quantizer", None)  # which counts even a file of plain weights as quantised
    if quantizer is not None:
        quantizer.remove_quantization_config(model)
    return model


def as_saved(tokenizer: Any, model: str) -> Any:
    """The tokenizer of a file in a class that reads back what it saves; that of the model's family builds its own.

    What begins and ends a sequence is read from the file: transformers 5.17 takes the beginning of Llama's for its end.
    """
    from transformers import PreTrainedTokenizerFast

    names = ("bos_token", "eos_token", "unk_token", "pad_token", "chat_template")
    known = {name: getattr(tokenizer, name) for name in names}
    metadata = _metadata(model)
    for name in ("bos", "eos"):
        token_id = metadata.get(f"tokenizer.ggml.{name}_token_id")
        if token_id is not None:
            known[f"{name}_token"] = tokenizer.convert_ids_to_tokens(token_id)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, **known)


def shape_of(model: str) -> dict[str, int]:
    """What transformers does not read from a GGUF file, as settings of the model's configuration.

    It takes the size of a head from the model's class where that is not the hidden size shared among the heads.
    """
    metadata = _metadata(model)
    architecture = metadata.get("general.architecture")
    names = ("attention.key_length", "embedding_length", "attention.head_count")
    size, hidden, heads = (metadata.get(f"{architecture}.{name}") for name in names)
    return {"head_dim": size} if size and hidden != size * heads else {}


def find_gguf_ends(model: str) -> tuple[int, ...]:
    """The ids that end a sequence by the file; the tokenizer's is one in any case."""
    metadata = _metadata(model)
    return tuple(dict.fromkeys(metadata[name] for name in ENDS if name in metadata))


def _metadata(model: str) -> dict[str, Any]:
    """What a file says of its model; nothing where this transformers has no quick way to read it.

    Raises:
        EngineError: it cannot be read.
    """
    try:
        from transformers.integrations.gguf import read_gguf_metadata
    except ImportError:
        return {}
    try:
        return dict(read_gguf_metadata(model)[0])
    except Exception as error:  # of a file that is cut short or is none, it raises whatever comes of reading on
        raise EngineError(f"model {model!r} cannot be loaded: it is no whole GGUF file ({error})") from error
