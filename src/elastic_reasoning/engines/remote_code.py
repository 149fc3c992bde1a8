"""Python code that comes with a model: it is never run unless the user says so.

    with remote_code_trusted():
        engine = load("owner/model-with-its-own-code")

Every command has the flag `--trust_remote_code` for it. transformers, left to itself, asks on the terminal, and
whatever answers there decides.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.printable import one_line

FLAG = "--trust_remote_code"
_trusted = ContextVar("trusted", default=False)


@contextmanager
def remote_code_trusted() -> Iterator[None]:
    """Within the block the code of models may run."""
    before = _trusted.set(True)
    try:
        yield
    finally:
        _trusted.reset(before)


def is_remote_code_trusted() -> bool:
    """Whether the user said that the code of models may run."""
    return _trusted.get()


def from_pretrained(auto_class: Any, path: str, **settings: Any) -> Any:
    """What `from_pretrained` of a class of transformers gives.

    Raises:
        EngineError: there is code with the model, which is not trusted, or is and fails.
        OSError, ValueError and others: as transformers raises them.
    """
    trusted = is_remote_code_trusted()
    try:
        return auto_class.from_pretrained(path, trust_remote_code=trusted, **settings)
    except Exception as error:
        if not trusted and "trust_remote_code" in str(error):
            raise EngineError(
                f"{path} brings Python code of its own, which is not run unless it is trusted: "
                f"read it, then give {FLAG}"
            ) from None
        if not trusted or isinstance(error, OSError | ValueError):
            raise
        raise EngineError(f"{path} or its code fails ({type(error).__name__}: {one_line(str(error), 300)})") from error
