"""A URL taken apart into what the fetching rules look at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit, urlunsplit

from w3lib.url import safe_url_string

from curate.pipeline.scrape.web.fetch_errors import FetchError

_SAFE = re.compile(  # what stays as it is, as nearly all do
    r"https?://[a-z0-9][a-z0-9.-]*(:[1-9][0-9]{0,4})?/[A-Za-z0-9/._~-]*(\?[A-Za-z0-9/._~&=-]+)?", re.ASCII
)
_PORTS = {"http": 80, "https": 443}
_OTHER = {"data": "not_image"}  # a page's placeholder; any other scheme leads away from the public web


@dataclass(frozen=True)
class Url:
    """One http or https address, percent-encoded, without user, password and fragment."""

    text: str
    scheme: str
    host: str
    port: int

    @property
    def key(self) -> str:
        """What spacing and connections are counted by."""
        return f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """What a robots.txt is valid for."""
        return f"{self.scheme}://{self.key}"

    def at(self, path: str) -> Url:
        """Another path of the same origin."""
        netloc = urlsplit(self.text).netloc
        return Url(f"{self.scheme}://{netloc}{path}", self.scheme, self.host, self.port)

    def redirected(self, location: str) -> Url:
        """Where a Location header leads. Raises FetchError ssrf_blocked for another scheme than http and https."""
        try:
            return parse(urljoin(self.text, location.strip()))
        except FetchError as error:
            raise FetchError("ssrf_blocked", f"redirected to {location[:200]}", final_url=self.text) from error


def parse(url: str) -> Url:
    """The parts of an absolute URL in any script. Raises FetchError bad_url, or for a scheme that is not fetched."""
    try:
        url = url.strip().replace("\n", "").replace("\r", "")
        parts = urlsplit(url if _SAFE.fullmatch(url) else safe_url_string(url))
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise FetchError("bad_url", str(error)) from error
    scheme = parts.scheme.lower()
    if (scheme in _PORTS and not host) or not scheme:
        raise FetchError("bad_url", "not an http or https address")
    if scheme not in _PORTS or host is None:
        raise FetchError(_OTHER.get(scheme, "ssrf_blocked"), f"{scheme}: is not fetched")
    bare = parts.netloc.rpartition("@")[2].lower()
    clean = urlunsplit((scheme, bare, parts.path or "/", parts.query, ""))
    return Url(clean, scheme, host, port or _PORTS[scheme])
