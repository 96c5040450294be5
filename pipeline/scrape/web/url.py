"""A URL taken apart into what the fetching rules look at: the one place that parses a stranger's address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from w3lib.url import safe_url_string

from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.json_reader import well_formed

LONGEST = 8192  # characters of an address: servers take no more

_SAFE = re.compile(  # what stays as it is, as nearly all do
    r"https?://([a-z0-9][a-z0-9.-]*(?::[1-9][0-9]{0,4})?)/[A-Za-z0-9/._~-]*(?:\?[A-Za-z0-9/._~&=-]+)?", re.ASCII
)
_HOST = re.compile(r"(?=.{1,254}$)([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?", re.ASCII)
_PORTS = {"http": 80, "https": 443}
_OTHER = {"data": "not_image"}  # a page's placeholder; any other scheme leads away from the public web
_NOWHERE = SplitResult("", "", "", "", "")


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

    @property
    def server(self) -> str:
        """What its failures are counted by: http and https of a host are one."""
        return self.key.removesuffix(":80").removesuffix(":443")

    def at(self, path: str) -> Url:
        """Another path of the same origin."""
        netloc = urlsplit(self.text).netloc
        return Url(f"{self.scheme}://{netloc}{path}", self.scheme, self.host, self.port)

    def redirected(self, location: str) -> Url:
        """Where a Location header leads. Raises FetchError: ssrf_blocked for another scheme than http and https."""
        try:
            return parse(urljoin(self.text, location.strip()))
        except (FetchError, ValueError) as error:
            reason = "bad_url" if isinstance(error, ValueError) or error.reason == "bad_url" else "ssrf_blocked"
            raise FetchError(reason, f"redirected to {location[:200]}", final_url=self.text) from error


def parse(url: str) -> Url:
    """The parts of an absolute URL in any script. Raises FetchError bad_url, or for a scheme that is not fetched."""
    try:
        url = url.strip().replace("\n", "").replace("\r", "")
        if len(url) > LONGEST:
            scheme = url[:LONGEST].partition(":")[0].lower()
            raise FetchError(_OTHER.get(scheme, "bad_url"), f"an address of {len(url)} characters")
        parts = urlsplit(url if _SAFE.fullmatch(url) else safe_url_string(well_formed(url)))
        host, port = parts.hostname, parts.port
        if host and not _is_host(host):
            raise ValueError(f"no host is called {host[:80]!r}")
    except ValueError as error:
        raise FetchError("bad_url", str(error)[:200]) from error
    scheme = parts.scheme.lower()
    if (scheme in _PORTS and not host) or not scheme:
        raise FetchError("bad_url", "not an http or https address")
    if scheme not in _PORTS or host is None:
        raise FetchError(_OTHER.get(scheme, "ssrf_blocked"), f"{scheme}: is not fetched")
    bare = parts.netloc.rpartition("@")[2].lower()
    clean = urlunsplit((scheme, bare, parts.path or "/", parts.query, ""))
    return Url(clean, scheme, host, port or _PORTS[scheme])


def _is_host(name: str) -> bool:
    """Whether `name` may be one, in ASCII: of labels, or an IPv6 address without a zone."""
    if ":" not in name:
        return _HOST.fullmatch(name) is not None
    try:
        return IPv6Address(name).scope_id is None
    except ValueError:
        return False


def is_readable(url: str) -> bool:
    """Whether `url` is an absolute address, of whichever scheme."""
    try:
        parse(url)
    except FetchError as error:
        return error.reason != "bad_url"
    return True


def server_of(url: str) -> str:
    """`Url.server` of an address; empty for one that cannot be parsed."""
    if plain := _SAFE.fullmatch(url):
        return plain[1].removesuffix(":80").removesuffix(":443")
    try:
        return parse(url).server
    except FetchError:
        return ""


def absolute(url: str, base: str) -> str | None:
    """`url` resolved against `base`, stripped of the white space that pages put into addresses; None if hopeless."""
    try:
        joined = urljoin(base, re.sub(r"[\t\r\n]", "", well_formed(url.strip())))
    except ValueError:
        return None
    return joined if is_readable(joined) else None


def parts_of(url: str | None) -> SplitResult:
    """The parts of `url`, its port among them; all of them empty for none and for one that cannot be parsed."""
    try:
        parts = urlsplit(url or "")
        _ = parts.port
    except ValueError:
        return _NOWHERE
    return parts
