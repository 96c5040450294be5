"""What a reader of a guide has at hand: photos and drawings of their own, and an Openverse that answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from curate.pipeline.demo import anime, face, garment, icon, portrait
from curate.pipeline.demo.hair import Length
from curate.pipeline.demo.items import Look
from curate.pipeline.imaging import codec
from tests.support.fake_apis import Stand, openverse_item, openverse_page
from tests.support.http_server import Site


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng([5, seed])


def person(seed: int, length: Length = "long", side: int = 480) -> Look:
    """A portrait with hair of that length."""
    rng = _random(seed)
    return portrait.sample(rng, face.sample(rng), length, side, side)


def character(seed: int) -> Look:
    """A drawn character."""
    return anime.sample(_random(seed), 360, 360)


def artists_icon(seed: int) -> Look:
    """A character as the artist draws icons."""
    return icon.sample(_random(seed), 320)


def article(seed: int) -> Look:
    """A garment alone."""
    rng = _random(seed)
    return garment.sample_article(rng, garment.sample(rng), 360, 480)


def other_article(seed: int) -> Look:
    """Another garment alone."""
    return article(seed + 1)


def wearer(seed: int) -> Look:
    """A person who wears a garment."""
    rng = _random(seed)
    return garment.sample_worn(rng, garment.sample(rng), 360, 480)


HAS = {
    "me.jpg": person,
    "character.png": character,
    "anna.jpg": wearer,
    "shirt.jpg": other_article,
    "jumper.jpg": article,  # what Anna wears
    "people/": wearer,
    "articles/": article,
    "selfies/": person,
    "anime/": character,
    "drawings/": character,
    "icons/": artists_icon,
}


@lru_cache(maxsize=256)
def _drawn(name: str, seed: int) -> bytes:
    return codec.encode_jpeg(HAS[name](seed).draw(), 92)


def bring(things: Mapping[str, int], into: Path) -> None:
    """Puts what HAS names into the folder `into`: so many pictures into a folder, or that file."""
    for name, count in things.items():
        for n in range(count):
            path = into / name / f"{n}.jpg" if name.endswith("/") else into / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(_drawn(name, n))


def openverse(site: Site, each: int) -> Stand:
    """An Openverse of drawn people below /openverse: `each` others for each query, with the hair that it names."""
    found: dict[str, list[dict[str, Any]]] = {}

    def answer(params: Mapping[str, str]) -> Any:
        text = params["q"]
        if text not in found:
            numbers = range(each * len(found), each * (len(found) + 1))
            found[text] = [openverse_item(stand, n, title=text) for n in numbers]
            short = re.search(r"short|bob|pixie", text) is not None
            for n in numbers:
                site.add(f"/img/{n}.jpg", codec.encode_jpeg(person(n, "short" if short else "long").draw(), 92))
        return openverse_page(found[text], params)

    stand = Stand(site, "openverse", "/v1/images/", answer)
    return stand
