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

from curate.pipeline.core.optional_packages import DISTRIBUTION, missing

__all__ = ["DISTRIBUTION", "__version__", "load"]

__version__: str


def __getattr__(name: str) -> Any:
    if name == "load":  # torch is imported when it is asked for
        try:
            return importlib.import_module("curate.train.translate.api").load
        except ModuleNotFoundError as error:
            told = missing(error)
            raise (ImportError(str(told), name=error.name) if told else error) from None
    if name == "__version__":
        from importlib import metadata  # which a command's start does without

        try:
            return metadata.version(DISTRIBUTION)
        except metadata.PackageNotFoundError:
            return "0"  # run from a checkout that is not installed
    raise AttributeError(f"module 'curate' has no attribute '{name}'")
