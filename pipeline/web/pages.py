"""Pages and answers kept on disk while a search is under way, so that a run that was killed asks for none twice."""

from __future__ import annotations

import hashlib
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from pipeline import manifest
from pipeline.web.session import Response, Web


class StoredPages:
    """The layer as a source sees it: what is in `folder` is answered from there, everything else is fetched."""

    def __init__(self, web: Callable[[], Web], folder: Path, note: Callable[[str], None]) -> None:
        self._web = web
        self._folder = folder
        self.note = note

    def page(self, url: str, *, allowed: Callable[[str], bool] | None = None) -> Response:
        """An HTML page. Raises FetchError."""
        return self._kept(url) or self._keep(url, self._web().page(url, allowed=allowed))

    def answer(self, url: str) -> Response:
        """An answer of a documented interface. Raises FetchError."""
        return self._kept(url) or self._keep(url, self._web().answer(url))

    def space(self, host: str, delay: float) -> None:
        """Sets the seconds between two requests to `host`."""
        self._web().space(host, delay)

    def forget(self) -> None:
        """Removes the pages: the search is finished."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, url: str) -> Path:
        return self._folder / hashlib.sha256(url.encode()).hexdigest()

    def _kept(self, url: str) -> Response | None:
        try:
            return msgspec.msgpack.decode(zlib.decompress(self._path(url).read_bytes()), type=Response)
        except (OSError, zlib.error, msgspec.DecodeError):
            return None

    def _keep(self, url: str, response: Response) -> Response:
        with manifest.replacing(self._path(url)) as temporary:
            temporary.write_bytes(zlib.compress(msgspec.msgpack.encode(response), 1))
        return response
