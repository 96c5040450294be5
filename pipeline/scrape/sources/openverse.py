"""Openverse: openly licensed pictures of many museums and photo sites, found by one API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curate.pipeline.core.errors import AuthError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, licenses
from curate.pipeline.scrape.sources.api import ApiSource, address, need, number, said_by, word
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts, Limits
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.json_reader import read_json
from curate.pipeline.scrape.web.request import PLAIN, RequestOptions

_SET = "set CURATE_OPENVERSE_KEY=client_id:client_secret anew, then run it again: what was found is kept"
LICENSES = "cc0,pdm,by,by-sa"

FACTS = Facts(
    terms="open",
    what="openly licensed pictures of many museums and photo sites",
    example="curate scrape --source openverse --query ロングヘア --want 200",
    base="https://api.openverse.org",
    key="optional",
    key_from="https://api.openverse.org/v1/auth_tokens/register/ (the key is client_id:client_secret)",
    limits=Limits(page_size=20, depth=240, daily=200, delay=3.0),
    limits_with_key=Limits(page_size=50, depth=240, daily=10_000, delay=0.6),
    said="20 requests a minute and 200 a day, 20 results each; with a key 100 and 10,000, 50 each; 240 per query",
)


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """The pictures that Openverse finds for `query`, most relevant first, as deep as it can be asked."""
    api = ApiSource("openverse", FACTS, query, pages)
    return api.candidates(_pages(api))


def _pages(api: ApiSource) -> Iterator[list[Candidate]]:
    options, renewed = _access(api), True
    size, page = api.limits.page_size, 1
    while api.limits.depth is None or (page - 1) * size < api.limits.depth:
        try:
            answer = _page(api, options, page, size)
        except FetchError as error:
            if error.status != 401:
                raise
            said = said_by(error)
            if "page_size" in said and size > FACTS.limits.page_size and page == 1:
                size = FACTS.limits.page_size  # a key that counts for nothing yet
                continue
            if "depth" in said or (page > 1 and api.key is None):  # deeper than may be looked, which is no fault
                return
            if ":" in (api.key or "") and not renewed:  # a token lives for half a day
                options, renewed = _access(api), True
                continue
            raise AuthError(f"openverse: {said}", _SET) from error
        renewed = False
        yield api.read(api.rows(answer, "results"), _candidate)
        if page >= (number(answer, "page_count") or 0):
            return
        page += 1


def _access(api: ApiSource) -> RequestOptions:
    """What shows who asks: the key, where it is an access token, or the token that is given for an id and a secret."""
    if api.key is None:
        return PLAIN
    identity, colon, secret = api.key.partition(":")
    token = api.key
    if colon:
        form = {"grant_type": "client_credentials", "client_id": identity, "client_secret": secret}
        try:
            answer = api.respond("/v1/auth_tokens/token/", {}, RequestOptions(form=form), spare={400, 401, 403})
            token = need(read_json(answer.body), "access_token")
        except (ValueError, KeyError, TypeError):
            raise AuthError("openverse: gave no token for the key", _SET) from None
        except FetchError as error:
            if error.status not in {400, 401, 403}:
                raise
            raise AuthError(f"openverse: the key was refused: {said_by(error)}", _SET) from error
    return RequestOptions(headers={"Authorization": f"Bearer {token}"})


def _page(api: ApiSource, options: RequestOptions, page: int, size: int) -> Any:
    # Never mature=false: any value of that key turns sensitive results on.
    sent = {"q": api.sent, "license": LICENSES, "page": page, "page_size": size}
    return api.json("/v1/images/", sent, options, spare={401})


def _candidate(row: Mapping[str, Any]) -> Candidate | None:
    identity, url = need(row, "id"), address(row, "url")
    if row.get("mature"):
        return None
    stated = "-".join(part for part in (word(row, "license"), word(row, "license_version")) if part)
    return Candidate(
        address=url,
        image_url=url,
        page_url=word(row, "foreign_landing_url"),
        title=tidy(row.get("title")),
        creator=tidy(row.get("creator")),
        license=licenses.code(word(row, "license_url"), _spelled(stated) if stated else None),
        license_url=word(row, "license_url"),
        extra={
            "source_id": identity,
            "provider": word(row, "provider"),
            "creator_url": word(row, "creator_url"),
            "attribution": tidy(row.get("attribution")),
            "claimed_width": number(row, "width"),
            "claimed_height": number(row, "height"),
        },
    )


def _spelled(stated: str) -> str:
    return stated if stated.startswith(("cc0", "pdm")) else f"cc {stated}"
