"""curate: from a query to a trained image translator.

>>> from curate import load  # docs/reference/python.md

Everything is imported below this name: the folders pipeline/, train/ and presets/ of the repository are links here, so
that no import of curate can meet somebody else's train.py.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curate.train.translate.api import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    if name == "load":  # torch is imported when it is asked for
        return importlib.import_module("curate.train.translate.api").load
    raise AttributeError(f"module 'curate' has no attribute '{name}'")
