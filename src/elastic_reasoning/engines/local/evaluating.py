"""A model in evaluation mode while it generates, and in the mode of its owner at all other times."""

import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_LOCKS: "weakref.WeakKeyDictionary[Any, threading.RLock]" = weakref.WeakKeyDictionary()


def lock_of(model: Any) -> "threading.RLock":
    """Held by whoever has a model in evaluation mode; no fork happens meanwhile."""
    return _LOCKS.setdefault(model, threading.RLock())


@contextmanager
def evaluating(model: Any, modules: Iterable[Any]) -> Iterator[None]:
    """A model's modules in evaluation mode; each is back in its own mode afterwards.

    Engines that share a model take turns: what one found in training mode another would find in evaluation mode.
    """
    with lock_of(model):
        training = [module for module in modules if module.training]
        for module in training:
            module.training = False
        try:
            yield
        finally:
            for module in training:
                module.training = True
