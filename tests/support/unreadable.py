"""What is there and may not be read, by root neither, as far as Python opens and lists it."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Within the block opening the file `path`, or listing the folder, is refused: EACCES."""

    def refusing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(name: Any = ".", *given: Any, **named: Any) -> Any:
            if not isinstance(name, int) and Path(os.fsdecode(name)) == path:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return real(name, *given, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((io, "open"), (os, "listdir"), (os, "scandir")):
            patch.setattr(module, name, refusing(getattr(module, name)))
        yield
