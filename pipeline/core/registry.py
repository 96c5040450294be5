"""Names for things that live in other files, imported only when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from curate.pipeline.core.errors import UsageError, clipped, nearest


class Registry(Mapping[str, str]):
    """A fixed table of name -> "module:attribute" for one kind of thing.

    >>> Registry("detector", {"haar": "curate.pipeline.faces.detectors.haar:load"}).resolve("haar")  # doctest: +SKIP
    """

    def __init__(self, kind: str, rows: Mapping[str, str]) -> None:
        self.kind = kind
        self._rows = dict(rows)

    def __getitem__(self, name: str) -> str:
        try:
            return self._rows[name]
        except KeyError:
            raise UsageError(
                f"there is no {self.kind} '{clipped(name)}'{nearest(name, self._rows)}",
                f"{self.kind}s: {', '.join(self._rows)}",
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def resolve(self, name: str) -> Any:
        """The attribute that `name` stands for. Raises UsageError, with the nearest name, if there is none."""
        module, _, attribute = self[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
