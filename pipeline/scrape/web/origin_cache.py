"""What origins say about themselves, kept on disk for a day, so that the next run need not ask again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

from curate.pipeline.core.errors import CurateError
from curate.pipeline.core.files import atomic_write

FRESH = 24 * 3600.0  # s for which a good copy holds


class OriginCache:
    """Small files below `folder`, or nothing at all when it is None. Their age is their modification time."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        with contextlib.suppress(OSError):
            self._names = frozenset(os.listdir(folder)) if folder is not None else frozenset()  # noqa: PTH208
            return
        self._names = frozenset()

    def get(self, origin: str, what: str) -> tuple[bytes, float] | None:
        """What an earlier run kept, and for how many seconds it still holds; None if it is absent or stale."""
        path = self._path(origin, what)
        if path is None or path.name not in self._names:
            return None
        with contextlib.suppress(OSError):
            left = path.stat().st_mtime + FRESH - time.time()
            return (path.read_bytes(), left) if left > 0 else None
        return None

    def put(self, origin: str, what: str, body: bytes) -> None:
        """Keeps `body` from now on. A disk that refuses costs a request in the next run, no more."""
        path = self._path(origin, what)
        if path is None:
            return
        with contextlib.suppress(CurateError), atomic_write(path, durable=False) as temporary:
            temporary.write_bytes(body)

    def _path(self, origin: str, what: str) -> Path | None:
        return self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}-{what}" if self._folder else None
