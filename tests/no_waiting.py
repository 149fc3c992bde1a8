"""What would wait for a device, refused on a CPU too: `with no_waiting(): step()`."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode

WAITS = ("item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__", "nonzero", "cpu", "unique")
"""Methods of tensors that wait for a device."""


class NoWaiting(TorchDispatchMode):
    """Refuses operations whose results have sizes or values that the host must know."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "is_nonzero"), name
        if name in ("index", "index_put", "index_put_"):
            assert not any(index is not None and index.dtype is torch.bool for index in args[1]), name
        return func(*args, **(kwargs or {}))


@contextmanager
def no_waiting() -> Iterator[None]:
    """Nothing may be read back from a tensor."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a tensor was read back")

    with ExitStack() as stack:
        for name in WAITS:
            stack.enter_context(patch.object(torch.Tensor, name, refuse))
        stack.enter_context(NoWaiting())
        yield
