"""Which weights a local model has: two runs of one name are the same run only with the same weights.

models_digest(["mini", "runs/e1/model", "Qwen/Qwen3-0.6B"])     # {"mini": "5f0c...", "runs/e1/model": "91aa..."}
"""

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.names import model_path

DECIDES = ("*.safetensors", "*.bin", "tokenizer.json")
CHUNK = 1 << 20


def models_digest(models: Iterable[str]) -> dict[str, str]:
    """A hash of the weights and the tokenizer of every model that is a folder or a file; a hub name stands for itself.

    Raises:
        EngineError: a file of a model cannot be read.
    """
    paths = {model: Path(model_path(model)) for model in models}
    return {model: _digest(path) for model, path in paths.items() if path.exists()}


def _digest(model: Path) -> str:
    total = blake2b(digest_size=16)
    files = {path for pattern in DECIDES for path in model.glob(pattern)} if model.is_dir() else {model}
    for path in sorted(files):
        content = blake2b()
        try:
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    content.update(chunk)
        except OSError as error:
            raise EngineError(f"cannot read {path}: {error.strerror}") from error
        total.update(path.name.encode() + b"\0" + content.digest())
    return total.hexdigest()
