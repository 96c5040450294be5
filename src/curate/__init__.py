"""curate: from a query to a trained image translator.

>>> from curate import load  # docs/reference/python.md

Everything is imported below this name: the folders pipeline/, train/ and presets/ of the repository are links here, so
that no import of curate can meet somebody else's train.py.

Imports nothing that it can do without: until a command has begun, Ctrl-C shows Python's own traceback.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know it by its name, and to import typing takes longer than all else here

if TYPE_CHECKING:
    from typing import Any

    from curate.train.translate.api import load

__all__ = ["__version__", "load"]

__version__: str


def __getattr__(name: str) -> Any:
    if name == "load":  # torch is imported when it is asked for
        from importlib import import_module

        try:
            return import_module("curate.train.translate.api").load
        except ModuleNotFoundError as error:
            from curate.pipeline.core.optional_packages import missing

            told = missing(error)
            raise (ImportError(str(told), name=error.name) if told else error) from None
    if name == "__version__":
        from importlib import metadata  # which a command's start does without

        from curate.pipeline.core.optional_packages import DISTRIBUTION

        try:
            return metadata.version(DISTRIBUTION)
        except metadata.PackageNotFoundError:
            return "0"  # run from a checkout that is not installed
    raise AttributeError(f"module 'curate' has no attribute '{name}'")
