"""Which weights a local model has: two runs of one name are the same run only with the same weights.

models_digest(["mini", "runs/e1/model", "Qwen/Qwen3-0.6B"])     # {"mini": "5f0c...", "runs/e1/model": "91aa..."}

The hash of a large file is kept in the user's cache folder (`$XDG_CACHE_HOME`, or `~/.cache`), by what the file system
says of the file: a file that was written to since, or replaced, is read again. The folder may be deleted at any time.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import blake2b, file_digest
from pathlib import Path

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.names import model_path
from elastic_reasoning.records.files import cache_folder, write_atomically

DECIDES = ("*.safetensors", "*.bin", "tokenizer.json")
LARGE_BYTES = 16 << 20
"""Files below this are read faster than they are worth a place in the cache."""
SETTLED_SECONDS = 2.0
"""A file that was changed less than this ago may change again within one tick of a file system's clock."""


def models_digest(models: Iterable[str], clock: Callable[[], float] = time.time) -> dict[str, str]:
    """A hash of the weights and the tokenizer of every model that is a folder or a file; a hub name stands for itself.

    Args:
        models: by the names of `load`.
        clock: seconds since the epoch, as file systems count them.

    Raises:
        EngineError: a file of a model cannot be read.
    """
    paths = {model: Path(model_path(model)) for model in models}
    return {model: _digest(path, clock) for model, path in paths.items() if path.exists()}


def _digest(model: Path, clock: Callable[[], float]) -> str:
    total = blake2b(digest_size=16)
    files = {path for pattern in DECIDES for path in model.glob(pattern)} if model.is_dir() else {model}
    for path in sorted(files):
        try:
            content = _content_hash(path, clock)
        except OSError as error:
            raise EngineError(f"cannot read {path}: {error.strerror}") from error
        total.update(path.name.encode() + b"\0" + content)
    return total.hexdigest()


def _content_hash(path: Path, clock: Callable[[], float]) -> bytes:
    """The hash of a file's content: as it was kept, where the file is large and unchanged since."""
    before = _identity(path)
    if before[-1] < LARGE_BYTES:
        return _hash(path)
    kept = cache_folder("digests") / blake2b(repr(before).encode(), digest_size=16).hexdigest()
    with suppress(OSError, ValueError):
        found = bytes.fromhex(kept.read_text(encoding="ascii"))
        if len(found) == blake2b().digest_size:
            return found
    content = _hash(path)
    changed = path.stat().st_ctime
    if _identity(path) == before and clock() - changed > SETTLED_SECONDS:
        with suppress(OSError):  # a cache that cannot be written costs time alone
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(kept, content.hex())
    return content


def _identity(path: Path) -> tuple[str, int, int, int, int, int]:
    """What changes with a file's content. The time of change (ctime) cannot be set back, as that of writing can."""
    found = path.stat()
    return str(path.resolve()), found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return file_digest(file, blake2b).digest()
