"""What an API is sent beside its address: keys, and how a refusal with status 200 is recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, NoReturn
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

from curate.pipeline.scrape.web.fetch_errors import FetchError

_SHORTEST = 4  # characters of a secret that is hidden in texts: shorter ones would hide everything


@dataclass(frozen=True)
class RequestOptions:
    """Sent to the first host alone, and hidden in every text that leaves the layer.

    `check` is called with each Response, typed loosely because the layer imports this; it raises TransientError for
    an answer that may come right, which is then asked for again, and FetchError for one that will not.
    """

    params: Mapping[str, str] = field(default_factory=dict, repr=False)  # secret parts of the query string
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # secret headers
    form: Mapping[str, str] = field(default_factory=dict, repr=False)  # secret fields of a form, which is posted
    check: Callable[[Any], None] | None = None
    conditions: Mapping[str, str] = field(default_factory=dict)  # what is held already: no secret, sent at every hop

    @property
    def elsewhere(self) -> RequestOptions:
        """What may be sent to another host."""
        return RequestOptions(conditions=self.conditions)

    def address(self, url: str) -> str:
        """`url` with the secret parameters."""
        if not self.params:
            return url
        return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(self.params)}"

    def without(self, url: str) -> str:
        """`url` without the secret parameters, whatever their values."""
        parts = urlsplit(url)
        left = [(name, value) for name, value in parse_qsl(parts.query, True) if name not in self.params]
        return urlunsplit(parts._replace(query=urlencode(left))) if self.params else url

    def hide(self, text: str) -> str:
        """`text` with every secret, however it is encoded there, as ***."""
        for secret in sorted(
            {*self.params.values(), *self.headers.values(), *self.form.values()}, key=len, reverse=True
        ):
            for word in {secret, *secret.split()}:
                if len(word) >= _SHORTEST:
                    for spelling in (word, quote(word), quote(word, safe=""), quote_plus(word)):
                        text = text.replace(spelling, "***")
        return text

    def rethrow(self, error: FetchError) -> NoReturn:
        """Raises `error` again without the secrets, and without the errors behind it that may quote them."""
        final = self.hide(error.final_url) if error.final_url else None
        body = self.hide(error.body.decode("utf-8", "replace")).encode()
        raise FetchError(
            error.reason,
            self.hide(error.detail),
            error.status,
            final,
            wait=error.wait,
            body=body,
            reached=error.reached,
        ) from None


PLAIN = RequestOptions()


def http_date(moment: datetime | None) -> str | None:
    """A time as headers state it."""
    return format_datetime(moment.astimezone(UTC), usegmt=True) if moment is not None else None


def conditional(etag: str | None, last_modified: str | None) -> RequestOptions:
    """Options that ask for stored bytes only if they changed; validators are opaque and go back as they came."""
    named = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return RequestOptions(conditions={name: value for name, value in named.items() if value})
