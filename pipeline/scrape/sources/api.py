"""What every source with an API has in common: asking, telling refusals apart, noticing a change.

A source says what to ask and how to read one item; limits, keys, what a query is called here, items that make no sense
and the ends of lists are seen to once, here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from curate.pipeline.core.config import as_dict, parse
from curate.pipeline.core.errors import AuthError, QuotaError, UsageError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts, Limits
from curate.pipeline.scrape.web import api_keys
from curate.pipeline.scrape.web.api_keys import variable
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.json_reader import read_json
from curate.pipeline.scrape.web.network_errors import OFFLINE
from curate.pipeline.scrape.web.reply import Response
from curate.pipeline.scrape.web.request import PLAIN, RequestOptions

_JAPANESE = re.compile(r"[\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uff66-\uff9f]")
NOBODY = 0.5  # share of a page's items that may make no sense before it is the page that does


class ApiSource:
    """The API of the source `name`, asked for one query.

    Raises UsageError without a query and AuthError without the key that it needs.
    """

    def __init__(self, name: str, facts: Facts, query: Query, pages: Pages) -> None:
        if not query.query:
            raise UsageError(f"{name} needs something to look for", "say what: curate scrape --query TEXT")
        self.name = name
        self.key = pages.key(name) if facts.key != "none" else None
        if facts.key == "required" and self.key is None:
            raise AuthError(f"{name} needs a key", f"get one at {facts.key_from}, then: export {variable(name)}=KEY")
        self.limits = _limits(name, facts, self.key, pages.settings)
        self.base = (query.base_url or facts.base).rstrip("/")
        self.typed = query.query
        self.text = pages.words.get(name) or query.query
        self._facts = facts
        self._pages = pages
        self._seen: set[str] = set()
        self._last = ("", b"")
        self.barren = 0  # pages in a row that showed nothing new
        self._broken = self._passed = self._found = 0
        if query.base_url is None or "delay" in pages.settings:
            pages.space(urlsplit(self.base).hostname or "", self.limits.delay)

    @property
    def sent(self) -> str:
        """The query as this source is asked it: the user's word for it here, cut where the source stops reading."""
        return self.text[: self.limits.text] if self.limits.text else self.text

    @property
    def japanese(self) -> bool:
        """Whether the query has kana or kanji."""
        return _JAPANESE.search(self.text) is not None

    def respond(
        self, path: str, params: Mapping[str, Any], options: RequestOptions = PLAIN, spare: Collection[int] = ()
    ) -> Response:
        """The answer to `params` at `path`, a path below the base or a whole address.

        Raises QuotaError and AuthError for what they say, and FetchError for any other refusal; statuses in `spare`
        come as the FetchError that they are.
        """
        url = path if path.startswith(("http://", "https://")) else joined(self.base, path)
        if params:
            url += "?" + urlencode(params)
        try:
            response = self._pages.answer(url, options, self.limits.daily)
        except FetchError as error:
            if error.status is not None and error.status in spare:
                raise
            raise self._explained(error) from error
        self._last = (url, response.body)
        return response

    def json(
        self, path: str, params: Mapping[str, Any], options: RequestOptions = PLAIN, spare: Collection[int] = ()
    ) -> Any:
        """The same, read as JSON. Raises FetchError, with the answer put aside, for anything else."""
        return self.parsed(self.respond(path, params, options, spare).body)

    def html(self, path: str, params: Mapping[str, Any]) -> bytes:
        """A page for people at `path`, under the site's robots.txt."""
        url = f"{joined(self.base, path)}?{urlencode(params)}"
        try:
            body = self._pages.page(url).body
        except FetchError as error:
            raise self._explained(error) from error
        self._last = (url, body)
        return body

    def parsed(self, body: bytes) -> Any:
        """`body` as JSON."""
        try:
            return read_json(body)
        except ValueError:
            kind = "HTML" if body.lstrip()[:1] == b"<" else "something else"
            raise self.changed(f"{kind} instead of JSON") from None

    def changed(self, what: str) -> FetchError:
        """The last answer is of another shape than it used to be. It is put aside for a person to look at."""
        where = self._pages.set_aside(self.name, *self._last)
        return FetchError("http_5xx", f"{self.name} has changed its answers: {what}; this one is kept in {where}")

    def rows(self, answer: Any, *keys: str) -> list[Any]:
        """The list at `keys` of an answer, one key below the other."""
        for key in keys:
            answer = answer.get(key) if isinstance(answer, Mapping) else None
        if not isinstance(answer, list):
            raise self.changed(f"no list at {'.'.join(keys) or 'its top'}")
        return answer

    def read(self, rows: Iterable[Any], one: Callable[[Mapping[str, Any]], Candidate | None]) -> list[Candidate]:
        """The candidates of a page that were on none before. `one` gives None for an item that is not wanted.

        An item that lacks what it must have (KeyError, TypeError, ValueError) is passed over; when most do, the page
        is of another shape.
        """
        found: list[Candidate] = []
        broken = total = 0
        for row in rows:
            total += 1
            try:
                candidate = one(row)
            except (KeyError, TypeError, ValueError):
                broken += 1
                continue
            if candidate is None:
                self._passed += 1
            else:
                found.append(candidate)
        if broken > NOBODY * total:
            raise self.changed(f"{broken} of {total} items lack what they must have")
        self._broken += broken
        fresh = []
        for candidate in found:
            if candidate.address not in self._seen:
                self._seen.add(candidate.address)
                fresh.append(self._stamped(candidate))
        self._found += len(fresh)
        self.barren = self.barren + 1 if found and not fresh else 0
        return fresh

    def candidates(self, pages: Iterator[Sequence[Candidate]], patience: int = 1) -> Iterator[Candidate]:
        """The candidates of `pages`, until `patience` pages in a row showed nothing new or enough were taken."""
        left = self.limits.per_run
        for page in pages:
            yield from page[:left]
            if left is not None and (left := left - len(page)) <= 0:
                self._pages.note(f"{self.name}: takes {self.limits.per_run} results per run, as its terms wish")
                break
            if self.barren >= patience:
                break
        self._report()

    def note(self, text: str) -> None:
        """One line for the person watching."""
        self._pages.note(f"{self.name}: {text}")

    def _stamped(self, candidate: Candidate) -> Candidate:
        """With what holds for all of this source."""
        facts: dict[str, Any] = {"terms_class": self._facts.terms}
        if self._facts.terms in {"open", "platform"}:
            facts["person_rights"] = "unchecked"  # a licence says nothing about who is in the picture
        if "-nd" in candidate.license:
            facts["no_derivatives"] = True
        if self.sent != self.typed:
            facts["query_sent"] = self.sent
        stated = {name: value for name, value in candidate.extra.items() if value not in (None, "")}
        return replace(candidate, extra={**facts, **stated})

    def _explained(self, error: FetchError) -> Exception:
        """A refusal as the error that says what it means for the person."""
        said = said_by(error)
        if error.reason == "quota" or error.status == 429:
            when = datetime.now(UTC) + timedelta(seconds=error.wait if error.wait is not None else 3600.0)
            return QuotaError(
                f"{self.name}: {said}",
                f"what was found is kept; the same command goes on after {when:%Y-%m-%d %H:%M} UTC",
            )
        if error.reason == "no_contact":
            return FetchError(error.reason, f"{self.name}: {said}", final_url=error.final_url, reached=False)
        if not error.reached:
            why = f"no network ({said})" if said.endswith(OFFLINE) else said
            return FetchError(error.reason, f"{self.name}: {why}", reached=False)
        wants_key = error.status == 401 or (error.status == 403 and self._facts.key != "none")
        if wants_key and error.reason != "host_off":  # a challenge is for people, not for keys
            return AuthError(
                f"{self.name}: {'the key was refused' if self.key else 'a key is wanted'}: {said}",
                f"set {variable(self.name)} anew, then run it again: what was found is kept",
            )
        return FetchError(error.reason, f"{self.name}: {said}", error.status, error.final_url)

    def _report(self) -> None:
        if not (self._found or self._passed or self._broken):
            hint = " (what it is called there can be set: scrape.map in params.yaml)" if self.japanese else ""
            self.note(f"nothing found for {self.text}{hint}")
        if self._broken:
            self.note(f"{self._broken} items lacked what they must have and were passed over")


def limits(name: str, facts: Facts, settings: Mapping[str, Any]) -> Limits:
    """How much the source `name` may be asked for, with the user's key and `settings` (scrape.sources.NAME).

    Raises UsageError for a setting that is none, and AuthError for a key that cannot be used.
    """
    return _limits(name, facts, api_keys.read(name) if facts.key != "none" else None, settings)


def _limits(name: str, facts: Facts, key: str | None, settings: Mapping[str, Any]) -> Limits:
    usual = facts.limits_with_key if key and facts.limits_with_key else facts.limits
    return parse(Limits, {**as_dict(usual), **settings}, f"scrape.sources.{name}")


def said_by(error: FetchError) -> str:
    """What a refusal says for itself."""
    words = tidy(error.body.decode("utf-8", "replace"))
    return f"{error.detail or error.reason}{': ' + words[:200] if words else ''}"


def joined(base: str, path: str) -> str:
    """`path` below `base`; a base that names the path already is the address itself."""
    return base + ("/" if path.endswith("/") else "") if base.endswith(path.rstrip("/")) else base + path


def need(row: Mapping[str, Any], key: str) -> str:
    """The text or number at `key`.

    Raises KeyError if it is absent, null or empty, TypeError if it is neither, ValueError for half a character.
    """
    value = row[key]
    if value is None or value == "":
        raise KeyError(key)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(key)
    text = str(value)
    text.encode()
    return text


def word(row: Mapping[str, Any], key: str) -> str | None:
    """The same, or None."""
    try:
        return need(row, key)
    except (KeyError, TypeError, ValueError):
        return None


def number(row: Mapping[str, Any], key: str) -> int | None:
    """The whole number at `key`, however it is written, or None."""
    try:
        return int(float(need(row, key)))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def address(row: Mapping[str, Any], key: str) -> str:
    """The http or https address at `key`; one without a scheme is of https. Raises KeyError, TypeError, ValueError."""
    url = need(row, key)
    url = f"https:{url}" if url.startswith("//") else url
    if not url.startswith(("http://", "https://")):
        raise ValueError(key)
    return url
