"""The drawn world: what its web site shows, where, and the truth about each picture.

Everything follows from the section scrape.demo; nothing is drawn before its bytes are asked for.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curate.pipeline.demo import catalogue, extras
from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.items import DemoPicture, Page
from curate.pipeline.demo.truth import change

HOST = "demo.curate.test"  # never resolvable: whoever asks for it is given the address to dial
_KEPT = 128  # encoded pictures held in memory
_MOVED = b"<!doctype html><title>Moved</title><p>This picture has moved.</p>\n"


class DrawnWorld:
    """`pages` in the order in which their categories list them."""

    def __init__(self, section: Demo) -> None:
        self.section = section
        self.pages: tuple[Page, ...] = tuple(catalogue.pages(section))
        self.pictures: Mapping[str, DemoPicture] = {p.key: p for page in self.pages for p in page.pictures}
        self._encoded = lru_cache(maxsize=_KEPT)(_encode)

    def category(self, name: str) -> tuple[Page, ...]:
        """The pages of one of items.CATEGORIES, in order."""
        return tuple(page for page in self.pages if page.category == name)

    def pixels(self, picture: DemoPicture) -> NDArray[np.uint8]:
        """What `picture` shows before it is encoded, uint8 RGB [H, W, 3]."""
        return _pixels(picture)

    def encoded(self, picture: DemoPicture) -> bytes:
        """The bytes that the site sends for `picture`: the same in every run, broken where its truth says so."""
        return self._encoded(picture)


def _pixels(picture: DemoPicture) -> NDArray[np.uint8]:
    drawn = picture.look.draw()
    return change(drawn, picture.truth.copy.change) if picture.truth.copy else drawn


def _encode(picture: DemoPicture) -> bytes:
    if picture.truth.fault == "html":
        return _MOVED
    if picture.truth.fault == "missing":
        return b""
    buffer = io.BytesIO()
    if isinstance(picture.look, extras.Blink):
        first, *rest = (Image.fromarray(frame) for frame in picture.look.frames())
        first.save(buffer, "GIF", save_all=True, append_images=rest, duration=400, loop=0)
        return buffer.getvalue()
    image = Image.fromarray(np.ascontiguousarray(_pixels(picture)))
    if picture.mime == "image/png":
        image.save(buffer, "PNG", compress_level=4)
    elif picture.mime == "image/webp":
        image.save(buffer, "WEBP", quality=picture.quality, method=2)
    else:
        image.save(buffer, "JPEG", quality=picture.quality)
    body = buffer.getvalue()
    return body[: len(body) * 2 // 5] if picture.truth.fault == "truncated" else body
