"""The pages and pictures of the drawn world's site, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.demo.truth import Truth

CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
BY_NC_ND = "https://creativecommons.org/licenses/by-nc-nd/4.0/"
LICENSES: Mapping[str, str] = {CC0: "CC0", BY_NC_ND: "CC BY-NC-ND 4.0"}  # as a page names them
CATEGORIES: Mapping[str, str] = {
    "portraits/long": "Long hair",
    "portraits/short": "Short hair",
    "anime": "Anime faces",
    "icons": "Icons",
    "garments": "Garments",
}


class Look(Protocol):
    """Something that can be drawn."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    def draw(self) -> NDArray[np.uint8]:
        """The picture, uint8 RGB [height, width, 3]."""


@dataclass(frozen=True)
class DemoPicture:
    """One picture of the site: its address, its truth, and what it is drawn from."""

    key: str
    path: str
    alt: str
    role: str | None  # article or human on product pages
    truth: Truth
    look: Look
    mime: str = "image/jpeg"
    quality: int = 90
    noai: bool = False  # sent with X-Robots-Tag: noai


@dataclass(frozen=True)
class Page:
    """One page of the site and the pictures on it."""

    key: str
    category: str  # one of CATEGORIES
    path: str
    title: str
    creator: str
    pictures: tuple[DemoPicture, ...]
    license_url: str = CC0
    noai: bool = False  # the page asks not to be used for training

    @property
    def allowed(self) -> bool:
        """Whether robots.txt lets anyone in."""
        return not self.path.startswith("/private/")
