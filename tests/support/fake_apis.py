"""Local stand-ins for the documented interfaces: answers of the real ones' shapes, and a memory of what was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from curate.pipeline.core.progress import SILENT
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.tables import manifest
from tests.support.http_server import Site, photo

KEY = "s3cr3t-k3y+/="

Params = Mapping[str, str]


@dataclass
class Reply:
    """An answer that is more than a 200 with JSON."""

    body: Any = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Stand:
    """One interface below a site's own folder: /commons, /flickr, ... `pages` answers the listing calls."""

    site: Site
    name: str
    path: str
    pages: Callable[[Params], Any]
    asked: list[Params] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.also(self.path, self.pages)

    @property
    def base(self) -> str:
        return self.site.url(f"/{self.name}")

    def also(self, path: str, pages: Callable[[Params], Any]) -> None:
        """Answers another path of the same interface."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            params = dict(parse_qsl(urlsplit(handler.path).query, keep_blank_values=True, strict_parsing=False))
            if handler.command == "POST":
                params |= dict(parse_qsl(handler.rfile.read(int(handler.headers["Content-Length"])).decode()))
            self.asked.append(params)
            self.headers.append(dict(handler.headers))
            _send(handler, pages(params))

        self.site.route(f"/{self.name}{path}", answer)

    def image(self, number: int) -> str:
        """The address of picture `number`, on the same site."""
        return self.site.add(f"/img/{number}.jpg", photo(number))


def _send(handler: BaseHTTPRequestHandler, reply: Any) -> None:
    reply = reply if isinstance(reply, Reply) else Reply(reply)
    text = reply.body if isinstance(reply.body, str | bytes) else json.dumps(reply.body, ensure_ascii=False)
    content = text.encode() if isinstance(text, str) else text
    handler.send_response(reply.status)
    for name, value in {"Content-Type": "application/json", **reply.headers}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def openverse_item(stand: Stand, n: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"id-{n}",
        "title": f"Long hair {n}",
        "url": stand.image(n),
        "foreign_landing_url": f"https://photos.example/p/{n}",
        "creator": "Mika",
        "license": "by-sa",
        "license_version": "2.0",
        "license_url": "https://creativecommons.org/licenses/by-sa/2.0/",
        "mature": False,
        "tags": [{"name": "hair", "accuracy": None}],
        "width": 300,
        "height": 280,
        **changes,
    }


def openverse_page(items: list[Any], params: Params, pages: int = 1) -> Any:
    return {"result_count": 37, "page_count": pages, "page": int(params["page"]), "results": items, "new_key": {}}


def commons_item(stand: Stand, n: int, **changes: Any) -> dict[str, Any]:
    metadata = {
        "LicenseShortName": {"value": "CC BY-SA 4.0", "source": "commons-desc-page", "hidden": ""},
        "License": {"value": "cc-by-sa-4.0"},
        "LicenseUrl": {"value": "https://creativecommons.org/licenses/by-sa/4.0"},
        "Artist": {"value": '<a href="//wiki.example/wiki/User:H">Hanako &amp; Rei</a>'},
        "AttributionRequired": {"value": "true"},
        "Restrictions": {"value": "personality"},
        **changes.pop("metadata", {}),
    }
    info = {
        "timestamp": "2019-06-02T00:00:00Z",
        "user": "Up",
        "width": 2400,
        "height": 1600,
        "mime": "image/jpeg",
        "url": stand.image(n),
        "descriptionurl": f"https://wiki.example/wiki/File:Hair{n}.jpg",
        "thumburl": stand.image(n + 1000),
        "thumbwidth": 1280,
        "thumbheight": 853,
        "extmetadata": {name: value for name, value in metadata.items() if value is not None},
        **changes.pop("info", {}),
    }
    return {"pageid": 9000 + n, "ns": 6, "title": f"File:Hair{n}.jpg", "index": n, "imageinfo": [info], **changes}


def flickr_item(stand: Stand, n: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(500 + n),
        "owner": "1@N00",
        "title": "髪",
        "license": "4",
        "ownername": "Mika",
        "pathalias": None,
        "media": "photo",
        "tags": "hair long",
        "url_l": stand.image(n),
        "height_l": "683",
        "width_l": 1024,
        **changes,
    }


def flickr_page(items: list[Any], params: Params, pages: int = 1) -> Any:
    if params["method"] == "flickr.photos.licenses.getInfo":
        listed = [
            {"id": "0", "name": "All Rights Reserved", "url": ""},
            {"id": "4", "name": "CC BY 2.0", "url": "https://creativecommons.org/licenses/by/2.0/"},
            {"id": "7", "name": "No known copyright restrictions", "url": "https://www.flickr.com/commons/usage/"},
            {"id": "11", "name": "CC BY 4.0", "url": "https://creativecommons.org/licenses/by/4.0/"},
            {"id": "12", "name": "CC BY-NC 4.0", "url": "https://creativecommons.org/licenses/by-nc/4.0/"},
        ]
        return {"licenses": {"license": listed}, "stat": "ok"}
    return {"photos": {"page": int(params["page"]), "pages": pages, "photo": items}, "stat": "ok"}


def pixabay_item(stand: Stand, n: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": n,
        "pageURL": f"https://stock.example/{n}",
        "type": "photo",
        "tags": "hair, long",
        "webformatURL": "https://stock.example/x_640.jpg",
        "largeImageURL": stand.image(n),
        "imageWidth": 4000,
        "imageHeight": 2250,
        "user": "Mika",
        **changes,
    }


def pixabay_page(items: list[Any], params: Params, pages: int = 1) -> Any:
    return {"total": 4692, "totalHits": 500 if int(params["page"]) < pages else 0, "hits": items}


def pexels_item(stand: Stand, n: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": n,
        "width": 4000,
        "height": 6000,
        "url": f"https://stock.example/{n}",
        "photographer": "Mika",
        "photographer_url": "https://stock.example/@mika",
        "alt": "a portrait",
        "src": {"original": stand.image(n), "large2x": stand.image(n + 1000), "tiny": "https://stock.example/tiny"},
        **changes,
    }


def safebooru_item(stand: Stand, n: int, **changes: Any) -> dict[str, Any]:
    stand.site.add(f"/safebooru/images/344/ab{n}.jpg", photo(n))
    return {
        "id": n,
        "directory": 344,
        "image": f"ab{n}.jpg",
        "width": 900,
        "height": 1200,
        "rating": "general",
        "tags": "long_hair solo",
        "owner": "bot",
        "source": "https://art.example/1",
        "file_url": stand.image(n),
        **changes,
    }


def danbooru_item(stand: Stand, n: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": n,
        "rating": "g",
        "file_ext": "jpg",
        "image_width": 900,
        "image_height": 1200,
        "tag_string": "long_hair mika_(artist) solo",
        "tag_string_artist": "mika_(artist)",
        "tag_string_character": "",
        "source": "https://art.example/1",
        "file_url": stand.image(n),
        "is_deleted": False,
        "is_banned": False,
        **changes,
    }


def bing_item(stand: Stand, n: int, **changes: Any) -> dict[str, Any]:
    return {
        "murl": stand.image(n),
        "purl": f"https://x.example/{n}",
        "t": 'a "quoted" title',
        "md5": f"m{n}",
        **changes,
    }


def bing_page(items: list[Any]) -> Reply:
    from html import escape

    links = "".join(f"<a class='iusc' m=\"{escape(json.dumps(item))}\" href='/x'>x</a>" for item in items)
    return Reply(f"<html><body>{links}</body></html>", headers={"Content-Type": "text/html; charset=utf-8"})


@dataclass(frozen=True)
class Kind:
    """How one source is stood in for."""

    path: str
    item: Callable[..., dict[str, Any]]
    page: Callable[[list[Any], Params, int], Any]  # a page of items; the third is how many pages there are
    asked: str  # the parameter that carries the query
    number: Callable[[Params], int]  # which page is asked for, from 1
    needs: str  # a key of an item without which it is none
    key: bool = False
    nothing: Any = None  # an answer that says so; None: a page without items


def _numbered(name: str, size: str | None = None, first: int = 1) -> Callable[[Params], int]:
    def number(params: Params) -> int:
        at = int(params.get(name, first)) - first
        return (at // int(params[size]) if size else at) + 1

    return number


def _commons_page(items: list[Any], params: Params, pages: int) -> Any:
    at = int(params.get("gsroffset", 0)) // 50 + 1
    more = {"continue": {"gsroffset": 50 * at, "continue": "gsroffset||"}} if at < pages else {"batchcomplete": True}
    return {**more, "query": {"pages": items}, "warnings": {"main": {"warnings": "not fatal"}}}


KINDS: Mapping[str, Kind] = {
    "openverse": Kind("/v1/images/", openverse_item, openverse_page, "q", _numbered("page"), "url"),
    "commons": Kind(
        "/w/api.php",
        commons_item,
        _commons_page,
        "gsrsearch",
        lambda params: int(params.get("gsroffset", 0)) // 50 + 1,
        "title",
        nothing={"batchcomplete": True},
    ),
    "flickr": Kind("/services/rest/", flickr_item, flickr_page, "text", _numbered("page"), "license", key=True),
    "pixabay": Kind("/api/", pixabay_item, pixabay_page, "q", _numbered("page"), "largeImageURL", key=True),
    "pexels": Kind(
        "/v1/search",
        pexels_item,
        lambda items, params, pages: {"page": 1, "total_results": 99, "photos": items},
        "query",
        _numbered("page"),
        "src",
        key=True,
    ),
    "safebooru": Kind(
        "/index.php", safebooru_item, lambda items, *_: items, "tags", _numbered("pid", first=0), "image", nothing=""
    ),
    "danbooru": Kind("/posts.json", danbooru_item, lambda items, *_: items, "tags", lambda params: 1, "rating"),
    "bing": Kind(
        "/images/async",
        bing_item,
        lambda items, *_: bing_page(items),
        "q",
        _numbered("first"),
        "murl",
        nothing=Reply("<html><body>nothing</body></html>"),
    ),
}


def stand_in(
    site: Site, name: str, listing: Callable[[Stand], list[list[dict[str, Any]]]] = lambda stand: [[]]
) -> Stand:
    """Stands in for the source `name`, with the pages that `listing` makes."""
    kind = KINDS[name]
    pages: list[list[dict[str, Any]]] = []

    def answer(params: Params) -> Any:
        if name == "danbooru":
            before = int(params.get("page", "b999999999").removeprefix("b"))
            at = next((n for n, page in enumerate(pages) if any(item["id"] < before for item in page)), None)
        elif name == "bing":
            at = int(params["first"]) // 2
        else:
            at = kind.number(params) - 1
        items = pages[at] if at is not None and at < len(pages) else []
        if not items and kind.nothing is not None:
            return kind.nothing
        reply = kind.page(items, params, len(pages))
        if name == "pexels" and at is not None and at + 1 < len(pages):
            reply["next_page"] = f"{stand.base}{kind.path}?query=hair&page={at + 2}"
        return reply

    stand = Stand(site, name, kind.path, answer)
    pages += listing(stand)
    return stand


class Notes:
    """Remembers what was said to the person watching."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def task(self, name: str, total: int | None) -> Any:
        return SILENT.task(name, total)

    def note(self, text: str) -> None:
        self.said.append(text)


def collected(
    stand: Stand,
    root: Path,
    text: str = "hair",
    notes: Notes | None = None,
    allow: tuple[str, ...] = (),
    **changes: Any,
) -> list[dict[str, Any]]:
    query = Query(source=stand.name, query=text, base_url=stand.base)
    given = {
        "contact": "me@example.org",
        "delay": 0.0,
        "allow_unknown_license": True,
        "allow_scrape_source": True,
        "queries": (query,),
        **changes,
    }
    scrape.run(Scrape(**given), root, allow=(stand.site.host, *allow), progress=notes or Notes())
    return rows(root)


def rows(root: Path) -> list[dict[str, Any]]:
    return sorted(manifest.read(manifest.IMAGES, root).to_pylist(), key=lambda row: row["rank"])


def item(stand: Stand, n: int, **changes: Any) -> dict[str, Any]:
    return KINDS[stand.name].item(stand, n, **changes)
