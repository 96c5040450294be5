"""The pages of the drawn world's web site: what it answers to each address."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from curate.pipeline.demo.items import CATEGORIES, LICENSES, DemoPicture, Page
from curate.pipeline.demo.world import DrawnWorld

PER_PAGE = 12
ROBOTS = "User-agent: *\nDisallow: /private/\n"
CHANGED = "Sat, 01 Mar 2025 09:00:00 GMT"  # nothing here ever changes
_DRAWING = 1  # raise it when the same world draws different pixels
_HTML, _TEXT, _CSS = "text/html; charset=utf-8", "text/plain; charset=utf-8", "text/css; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """One response; `picture` stands for a body that is drawn only when it is sent."""

    status: int
    mime: str
    body: bytes = b""
    picture: DemoPicture | None = None
    etag: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Site:
    """Answers every address of `world`, without regard to the host name that was asked for."""

    def __init__(self, world: DrawnWorld) -> None:
        self.world = world
        self._templates = Environment(
            loader=PackageLoader("curate.pipeline.demo"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._pages = {page.path: page for page in world.pages}
        self._pictures = {picture.path: picture for picture in world.pictures.values()}
        self._style = self._templates.get_template("style.css").render().encode()

    def answer(self, address: str) -> Answer:
        """The response to GET `address`, a path with an optional query string."""
        parts = urlsplit(address)
        path = unquote(parts.path)
        if picture := self._pictures.get(path):
            return self._image(picture)
        if page := self._pages.get(path):
            return self._page(page)
        if (name := path.strip("/")) in CATEGORIES:
            return self._listing(name, parse_qs(parts.query).get("page", ["1"])[0])
        if path == "/":
            return self._index()
        if path == "/robots.txt":
            return _answer(ROBOTS.encode(), _TEXT)
        if path == "/style.css":
            return _answer(self._style, _CSS)
        return self._missing()

    def _image(self, picture: DemoPicture) -> Answer:
        if picture.truth.fault == "missing":
            return self._missing()
        mime = _HTML if picture.truth.fault == "html" else picture.mime
        tag = hashlib.sha1(f"{_DRAWING} {self.world.section.seed} {picture.path}".encode()).hexdigest()[:16]
        headers = {"X-Robots-Tag": "noai, noimageai"} if picture.noai else {}
        return Answer(200, mime, picture=picture, etag=f'"{tag}"', headers=headers)

    def _page(self, page: Page) -> Answer:
        product = page.category == "garments"
        facts = {
            "@context": "https://schema.org",
            "@type": "Product" if product else "VisualArtwork",
            "name": page.title,
        }
        facts |= {"sku": page.key} if product else {"identifier": page.key, "license": page.license_url}
        maker = {"@type": "Organization", "name": page.creator}
        facts |= {"brand": maker} if product else {"creator": maker}  # type: ignore[dict-item]
        jsonld = Markup(json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c"))
        name = "product.html" if product else "portrait.html"
        return self._render(name, page=page, jsonld=jsonld, license=LICENSES[page.license_url])

    def _listing(self, name: str, number: str) -> Answer:
        listed = self.world.category(name)
        count = max(1, -(-len(listed) // PER_PAGE))
        if not number.isdecimal() or not 1 <= int(number) <= count:
            return self._missing()
        n = int(number)
        shown = listed[(n - 1) * PER_PAGE : n * PER_PAGE]
        return self._render("listing.html", name=CATEGORIES[name], pages=shown, number=n, count=count)

    def _index(self) -> Answer:
        categories = []
        for path, name in CATEGORIES.items():
            listed = self.world.category(path)
            categories.append(
                {"path": path, "name": name, "count": len(listed), "pictures": [one.pictures[-1] for one in listed[:3]]}
            )
        return self._render("index.html", listed=categories)

    def _render(self, template: str, **values: object) -> Answer:
        return _answer(self._templates.get_template(template).render(categories=CATEGORIES, **values).encode(), _HTML)

    def _missing(self) -> Answer:
        return Answer(404, _TEXT, b"Not found\n")


def _answer(body: bytes, mime: str) -> Answer:
    return Answer(200, mime, body, etag=f'"{hashlib.sha1(body).hexdigest()[:16]}"')
