"""Stands in for SGLang's kernels for CPUs, which no package index has: on a CPU without AMX none of them is called."""

from typing import Any

__version__ = "0.4.10"


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)

    def kernel(*values: Any, **settings: Any) -> Any:
        raise NotImplementedError(f"sgl_kernel.{name} is only stood in for")

    return kernel
