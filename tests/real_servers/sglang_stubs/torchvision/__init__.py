"""Stands in for torchvision, which is not built for this torch; SGLang imports it for images."""

from torchvision import io, transforms

__all__ = ["io", "transforms"]
__version__ = "0.0.0"
