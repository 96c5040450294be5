"""Flickr: photographs under Creative Commons licences, found by flickr.photos.search. Needs a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from curate.pipeline.core.errors import AuthError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, licenses
from curate.pipeline.scrape.sources.api import ApiSource, address, need, number, word
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts, Limits
from curate.pipeline.scrape.web.fetch_errors import FetchError, TransientError
from curate.pipeline.scrape.web.json_reader import read_json
from curate.pipeline.scrape.web.reply import Response
from curate.pipeline.scrape.web.request import RequestOptions

FACTS = Facts(
    terms="open",
    what="photographs under Creative Commons licences",
    example="CURATE_FLICKR_KEY=... curate scrape --source flickr --query ロングヘア",
    base="https://api.flickr.com",
    key="required",
    key_from="https://www.flickr.com/services/api/keys/ (accounts that pay for it)",
    limits=Limits(page_size=250, depth=4000, delay=1.0),
    said="3,600 requests an hour and key; 4,000 results per query",
)

PATH = "/services/rest/"
_SIZES = ("o", "6k", "k", "h", "l", "c", "z")  # of renditions, largest first
_TAKEN = frozenset({"by", "by-sa", "nkcr", "us-gov", "cc0", "pdm"})
_NO_CODE = frozenset({licenses.UNKNOWN, licenses.OTHER})
_KEY_REFUSED, _EMPTY = frozenset({98, 99, 100}), 3
_PASSING = frozenset({10, 105})  # search or service unavailable


class License(NamedTuple):
    """What a licence number of Flickr's stands for."""

    code: str
    url: str | None


_CC = "https://creativecommons.org/licenses/{}/2.0/"
_KNOWN: Mapping[str, License] = {
    "0": License("all-rights-reserved", None),
    **{
        str(n): License(f"cc-{terms}-2.0", _CC.format(terms))
        for n, terms in enumerate(("by-nc-sa", "by-nc", "by-nc-nd", "by", "by-sa", "by-nd"), 1)
    },
    "7": License("nkcr", "https://www.flickr.com/commons/usage/"),
    "8": License("us-gov", "http://www.usa.gov/copyright.shtml"),
    "9": License("cc0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "10": License("pdm-1.0", "https://creativecommons.org/publicdomain/mark/1.0/"),
}


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """The photographs that Flickr finds for `query` under an open licence, most relevant first."""
    api = ApiSource("flickr", FACTS, query, pages)
    return api.candidates(_pages(api))


def _pages(api: ApiSource) -> Iterator[list[Candidate]]:
    known = _read_licenses(api)
    taken = [number for number, known_license in known.items() if licenses.family(known_license.code) in _TAKEN]

    def candidate(row: Mapping[str, Any]) -> Candidate | None:
        return _candidate(row, known, api.limits.max_side)

    sent = {
        "method": "flickr.photos.search",
        "text": api.sent,
        "license": ",".join(sorted(taken, key=lambda n: (len(n), n))),
        "sort": "relevance",
        "media": "photos",
        "content_types": 0,
        "safe_search": 1,
        "privacy_filter": 1,
        "per_page": api.limits.page_size,
        "extras": "license,owner_name,path_alias,date_upload,tags,media,o_dims,"
        + ",".join(f"url_{size}" for size in _SIZES),
    }
    page = 1
    while api.limits.depth is None or (page - 1) * api.limits.page_size < api.limits.depth:
        answer = _call(api, {**sent, "page": page})
        if answer is None:
            return
        yield api.read(api.rows(answer, "photos", "photo"), candidate)
        if page >= (number(answer["photos"], "pages") or 0):
            return
        page += 1


def _call(api: ApiSource, sent: Mapping[str, Any]) -> Any:
    """The answer of a method, or None for nothing to look for. Raises AuthError and FetchError for a failure."""
    options = RequestOptions(params={"api_key": api.key or ""}, check=_check)
    answer = api.json(PATH, {**sent, "format": "json", "nojsoncallback": 1}, options)
    if not isinstance(answer, Mapping):
        raise api.changed("not an object")
    if answer.get("stat") != "fail":
        return answer
    code, said = number(answer, "code"), tidy(answer.get("message")) or "no message"
    if code in _KEY_REFUSED:
        raise AuthError(f"flickr: the key was refused: {said}", f"set CURATE_FLICKR_KEY; keys: {FACTS.key_from}")
    if code == _EMPTY:
        return None
    raise FetchError("http_4xx", f"flickr: {said} ({code})")


def _check(response: Response) -> None:
    """Raises TransientError for a failure in a 200 that may pass."""
    try:
        answer = read_json(response.body)
    except ValueError:
        return
    if isinstance(answer, Mapping) and answer.get("stat") == "fail" and number(answer, "code") in _PASSING:
        raise TransientError("http_5xx", f"flickr: {answer.get('message')}", 503, response.wait)


def _read_licenses(api: ApiSource) -> Mapping[str, License]:
    """What the numbers stand for now; what is known of old where that cannot be read."""
    try:
        answer = _call(api, {"method": "flickr.photos.licenses.getInfo"}) or {}
        rows = api.rows(answer, "licenses", "license")
        listed = {
            need(row, "id"): License(licenses.code(word(row, "url"), word(row, "name")), word(row, "url"))
            for row in rows
        }
    except (FetchError, KeyError, TypeError):
        api.note("the list of its licences cannot be read: taking the one of old")
        return _KNOWN
    old = {number: known for number, known in _KNOWN.items() if listed.get(number, known).code in _NO_CODE}
    return {**listed, **old} or _KNOWN


def _candidate(row: Mapping[str, Any], known: Mapping[str, License], max_side: int | None) -> Candidate | None:
    identity, owner = need(row, "id"), word(row, "pathalias") or need(row, "owner")
    if (word(row, "media") or "photo") != "photo":
        return None
    size = _largest(row, max_side)
    if size is None:
        return None  # its owner keeps every large rendition to himself
    url = address(row, f"url_{size}")
    stated = known.get(need(row, "license"), License(licenses.OTHER, None))
    return Candidate(
        address=url,
        image_url=url,
        page_url=f"https://www.flickr.com/photos/{owner}/{identity}",
        title=tidy(row.get("title")),
        creator=tidy(row.get("ownername")),
        license=stated.code,
        license_url=stated.url,
        extra={
            "source_id": identity,
            "license_raw": word(row, "license"),
            "tags": tidy(row.get("tags")),
            "claimed_width": number(row, f"width_{size}"),
            "claimed_height": number(row, f"height_{size}"),
        },
    )


def _largest(row: Mapping[str, Any], max_side: int | None) -> str | None:
    """The name of the largest rendition whose longer side is `max_side` px at most."""
    for size in _SIZES:
        side = max(number(row, f"width_{size}") or 0, number(row, f"height_{size}") or 0)
        if word(row, f"url_{size}") and (max_side is None or side <= max_side):
            return size
    return None
