"""The training half of curate: from the manifests to translated photos.

>>> from train import load  # docs/python.md
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train.loaded import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    if name == "load":  # torch is imported when it is asked for
        return importlib.import_module("train.loaded").load
    raise AttributeError(f"module 'train' has no attribute '{name}'")
