"""The ways to interpolate by name; every other name in it stands for nothing."""

from enum import StrEnum, auto
from typing import Any

from torchvision.transforms import functional

__all__ = ["InterpolationMode", "functional"]


class InterpolationMode(StrEnum):
    """Of images."""

    NEAREST = auto()
    NEAREST_EXACT = auto()
    BILINEAR = auto()
    BICUBIC = auto()
    BOX = auto()
    HAMMING = auto()
    LANCZOS = auto()


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return object
