"""Pages and answers kept on disk while a search is under way, so that a run that was killed asks for none twice.

Pages of sites stay when it is finished: a refresh asks whether they have changed.
"""

from __future__ import annotations

import hashlib
import shutil
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from curate.pipeline.core.files import atomic_write
from curate.pipeline.scrape.web import api_keys
from curate.pipeline.scrape.web.client import HttpClient
from curate.pipeline.scrape.web.daily_quota import DailyQuota
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.reply import NOT_MODIFIED, Response
from curate.pipeline.scrape.web.request import PLAIN, RequestOptions, conditional, http_date

FRESH = timedelta(hours=24)  # what is older is asked for again: addresses of pictures expire
LASTING = timedelta(days=3650)  # what may be asked for with a condition


class StoredPages:
    """The layer as a source sees it: what is in `folder` is answered from there, everything else is fetched.

    `settings` is what the user set for the source, `words` what a query is called there. Keys are never stored, nor
    are they part of the names that answers are stored by. An answer that makes no sense is put aside in
    root/raw/.answers for a person to look at.
    """

    def __init__(
        self,
        client: Callable[[], HttpClient],
        folder: Path,
        note: Callable[[str], None],
        settings: Mapping[str, Any],
        words: Mapping[str, str],
        refresh: bool = False,
    ) -> None:
        """`refresh`: what is kept is asked for again, once, if it has changed."""
        self._client = client
        self._folder = folder
        self._raw = folder.parent.parent
        self.note = note
        self._due = refresh
        self._fetched: set[str] = set()  # in this run
        self.settings = settings
        self.words = words

    def page(self, url: str, *, allowed: Callable[[str], bool] | None = None) -> Response:
        """An HTML page. Raises FetchError."""
        fresh = not self._due or url in self._fetched
        kept = self._kept(url, FRESH if fresh else LASTING)
        if kept is not None and fresh:
            return kept
        options = conditional(kept.etag, kept.last_modified or http_date(kept.received)) if kept is not None else PLAIN
        got = self._client().page(url, allowed=allowed, options=options)
        self._fetched.add(url)
        if kept is not None and got.status == NOT_MODIFIED:
            got = replace(kept, received=got.received)
        return self._keep(url, got)

    def answer(self, url: str, options: RequestOptions = PLAIN, daily: int | None = None) -> Response:
        """An answer of an API; `daily`: the most that may be asked for in a day. Raises FetchError.

        What a form gives is a key, and is not stored.
        """
        if not options.form and (kept := self._kept(url)):
            return kept
        client = self._client()
        quota, host = DailyQuota(self._raw / ".allowance.json"), urlsplit(url).netloc
        quota.spend(host, daily, datetime.now(UTC))
        try:
            response = client.answer(url, options)
        except FetchError as error:
            if not error.reached:
                quota.give_back(host)
            raise
        return response if options.form else self._keep(url, response)

    def space(self, host: str, delay: float) -> None:
        """Sets the seconds between two requests to `host`."""
        self._client().space(host, delay)

    def key(self, source: str) -> str | None:
        """The user's key for `source`. Raises AuthError for one that cannot be used."""
        return api_keys.read(source)

    def set_aside(self, source: str, url: str, body: bytes) -> str:
        """Puts an answer aside that makes no sense, so that it is asked for anew next time, and says where it is."""
        self._path(url).unlink(missing_ok=True)
        path = self._raw / ".answers" / f"{source}-{hashlib.sha256(body).hexdigest()[:12]}.txt"
        with atomic_write(path) as temporary:
            temporary.write_bytes(body)
        return path.relative_to(self._raw.parent).as_posix()

    def forget(self) -> None:
        """Removes the pages: the search is finished."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, url: str) -> Path:
        return self._folder / hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()

    def _kept(self, url: str, age: timedelta = FRESH) -> Response | None:
        try:
            kept = msgspec.msgpack.decode(zlib.decompress(self._path(url).read_bytes()), type=Response)
        except (OSError, zlib.error, msgspec.DecodeError):
            return None
        return kept if datetime.now(UTC) - kept.received < age else None

    def _keep(self, url: str, response: Response) -> Response:
        with atomic_write(self._path(url)) as temporary:
            temporary.write_bytes(zlib.compress(msgspec.msgpack.encode(response), 1))
        return response
