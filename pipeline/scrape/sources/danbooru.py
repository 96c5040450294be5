"""Danbooru's view for everybody: tagged drawings. It states no licences; a query is a list of tags."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, licenses
from curate.pipeline.scrape.sources.api import ApiSource, address, need, number, said_by, word
from curate.pipeline.scrape.sources.booru import admissible, are_tags, tags
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts, Limits
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.request import PLAIN, RequestOptions

FACTS = Facts(
    terms="unknown",
    what="drawings by tags, the general-rated view; states no licences",
    example='curate scrape --source danbooru --query "long_hair solo" --allow-unknown-license',
    base="https://safebooru.donmai.us",
    key="optional",
    key_from="https://danbooru.donmai.us/profile (the key is login:api_key)",
    limits=Limits(page_size=200, delay=1.0),
    said="one request a second here; two tags are searched, further ones are looked for in what comes; see scrape.map",
)

_SEARCHED = 2  # tags that anybody may search for at once
_RATINGS = frozenset({"g"})


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """The drawings that have every tag of `query`, newest first."""
    api = ApiSource("danbooru", FACTS, query, pages)
    return api.candidates(_pages(api))


def _pages(api: ApiSource) -> Iterator[list[Candidate]]:
    wanted = tags(api.sent)
    searched = wanted[:_SEARCHED] if are_tags(wanted) else wanted  # what is no tag is sent whole, and found nowhere
    further = frozenset(wanted[len(searched) :])

    def candidate(row: Mapping[str, Any]) -> Candidate | None:
        return _candidate(row, further, api.base)

    credentials = base64.b64encode((api.key or "").encode()).decode()
    options = RequestOptions(headers={"Authorization": f"Basic {credentials}"}) if api.key else PLAIN
    sent: dict[str, Any] = {"tags": " ".join(searched), "limit": api.limits.page_size}
    while True:
        rows = _posts(api, sent, options)
        if not rows:
            break
        yield api.read(rows, candidate)
        known = [int(n) for row in rows if isinstance(row, Mapping) and (n := word(row, "id")) and n.isdecimal()]
        if not known or sent.get("page") == f"b{min(known)}":
            return
        sent["page"] = f"b{min(known)}"  # hidden posts shorten pages: only an empty one is the last
    if "page" not in sent and not are_tags(wanted):
        _suggest(api, options)


def _posts(api: ApiSource, sent: Mapping[str, Any], options: RequestOptions) -> list[Any]:
    try:
        answer = api.json("/posts.json", sent, options, spare={422})
    except FetchError as error:
        if error.status != 422:
            raise
        raise UsageError(f"danbooru: {said_by(error)}", "ask for fewer tags at once") from error
    if isinstance(answer, Mapping) and answer.get("success") is False:
        raise FetchError("http_4xx", f"danbooru: {tidy(answer.get('message')) or tidy(answer.get('error'))}")
    return api.rows(answer)


def _suggest(api: ApiSource, options: RequestOptions) -> None:
    """Shows which tags the board knows the words by: choosing one is the user's part."""
    sent = {"search[query]": " ".join(tags(api.sent)), "search[type]": "tag_query", "limit": 5}
    try:
        rows = api.rows(api.json("/autocomplete.json", sent, options))
    except FetchError:
        return
    if known := [value for row in rows if isinstance(row, Mapping) and (value := word(row, "value"))]:
        api.note(f"{api.text} is no tag; it knows: {', '.join(known)}   (scrape.map in params.yaml)")


def _candidate(row: Mapping[str, Any], further: frozenset[str], base: str) -> Candidate | None:
    identity, rating = need(row, "id"), need(row, "rating")
    tagged = frozenset((word(row, "tag_string") or "").split())
    hidden = word(row, "file_url") is None or row.get("is_deleted") or row.get("is_banned")
    name = f".{word(row, 'file_ext') or 'jpg'}"
    if hidden or "banned_artist" in tagged or not further <= tagged or not admissible(row, tagged, _RATINGS, name):
        return None
    url = address(row, "file_url")
    artists = (word(row, "tag_string_artist") or "").split()
    return Candidate(
        address=url,
        image_url=url,
        page_url=f"{base}/posts/{identity}",
        title=tidy(word(row, "tag_string_character") or word(row, "tag_string")),
        creator=tidy(" ".join(artists)),
        license=licenses.UNKNOWN,
        extra={
            "source_id": identity,
            "rating": rating,
            "tags": word(row, "tag_string"),
            "origin": tidy(row.get("source")),
            "claimed_width": number(row, "image_width"),
            "claimed_height": number(row, "image_height"),
        },
    )
