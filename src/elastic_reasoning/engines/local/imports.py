"""torch and transformers, imported in about half of the processor time that they take by themselves.

    import_transformers()

Most of it goes into what no engine uses. transformers imports scikit-learn and scipy where they are installed, for
assisted generation and for object detection; and the collector of garbage walks again and again through some millions
of new objects, none of which is garbage. The packages are hidden in the processes of our own commands alone: another
program that calls `load` may want them of transformers.
"""

import gc
import importlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast

logger = logging.getLogger(__name__)

MODULES = ("torch", "transformers.models.auto.tokenization_auto", "transformers.models.auto.modeling_auto")
HIDDEN = ("sklearn", "scipy")
COMMANDS = "elastic_reasoning.cli"
"""The package that is loaded in a process of ours, and nowhere else."""


def in_command() -> bool:
    """Whether this process is one of the command `elastic`."""
    return COMMANDS in sys.modules


def import_transformers() -> None:
    """Import what loads tokenizers and models, if that has not been done."""
    if MODULES[-1] in sys.modules:
        return
    logger.info("loading torch and transformers")
    with _uncollected(), _hidden(HIDDEN if in_command() else ()):
        for name in MODULES:
            importlib.import_module(name)


@contextmanager
def _uncollected() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _hidden(packages: tuple[str, ...]) -> Iterator[None]:
    """Let packages that are not loaded yet seem not to be installed."""
    hidden = [name for name in packages if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = cast(ModuleType, None)  # as Python marks what cannot be imported
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name, name) is None:
                del sys.modules[name]
