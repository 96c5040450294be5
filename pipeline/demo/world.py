"""The drawn world: what its web site shows, where, and the truth about each picture.

Everything follows from a params.Demo. Each picture has its own random stream, so a larger world holds the pictures of
a smaller one with the same seed. Nothing is drawn before its bytes are asked for.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.demo import anime, extras, face, garment, portrait
from pipeline.demo.drawing import luma
from pipeline.demo.hair import Length
from pipeline.demo.truth import CHANGES, Copy, GarmentTruth, Truth, change, changed
from pipeline.params import Demo

HOST = "demo.curate.test"  # never resolvable: whoever asks for it is told where to dial
CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
BY_NC_ND = "https://creativecommons.org/licenses/by-nc-nd/4.0/"
CATEGORIES: Mapping[str, str] = {
    "portraits/long": "Long hair",
    "portraits/short": "Short hair",
    "anime": "Anime faces",
    "garments": "Garments",
}
_SIZES = ((480, 480), (480, 600), (400, 500), (512, 640), (560, 560), (360, 450), (600, 480), (420, 420))
_MIMES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}
_PLANTED_EVERY = 8  # originals for each near-duplicate
_KEPT = 256  # encoded pictures held in memory


class Look(Protocol):
    """Something that can be drawn."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    def draw(self) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class Picture:
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
class Item:
    """One page of the site and the pictures on it."""

    key: str
    category: str
    path: str
    title: str
    creator: str
    license_url: str
    pictures: tuple[Picture, ...]
    noai: bool = False  # the page asks not to be used for training

    @property
    def allowed(self) -> bool:
        """Whether robots.txt lets anyone in."""
        return not self.path.startswith("/private/")


class World:
    """`items` in the order in which their categories list them."""

    def __init__(self, section: Demo) -> None:
        self.section = section
        self.items: tuple[Item, ...] = tuple(
            item
            for make in (_portraits(section, "long"), _portraits(section, "short"), _anime(section), _garments(section))
            for item in make
        )
        self.pictures: Mapping[str, Picture] = {p.key: p for item in self.items for p in item.pictures}
        self._encode = lru_cache(maxsize=_KEPT)(_encode)

    def category(self, name: str) -> tuple[Item, ...]:
        """The items of one of CATEGORIES, in order."""
        return tuple(item for item in self.items if item.category == name)

    def pixels(self, picture: Picture) -> NDArray[np.uint8]:
        """What the picture shows before it is encoded, uint8 RGB [H, W, 3]."""
        return _pixels(picture)

    def encoded(self, picture: Picture) -> bytes:
        """The bytes that the site sends for `picture`: the same for the same section, broken where its truth says so."""
        return self._encode(picture)


def _pixels(picture: Picture) -> NDArray[np.uint8]:
    drawn = picture.look.draw()
    return change(drawn, picture.truth.copy.change) if picture.truth.copy else drawn


def _encode(picture: Picture) -> bytes:
    if picture.truth.fault == "html":
        return b"<!doctype html><title>Sold out</title><p>This picture has moved.</p>\n"
    if picture.truth.fault == "missing":
        return b""
    buffer = io.BytesIO()
    if isinstance(picture.look, extras.Blink):
        frames = [Image.fromarray(frame) for frame in picture.look.frames()]
        frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=400, loop=0)
        return buffer.getvalue()
    image = Image.fromarray(np.ascontiguousarray(_pixels(picture)))
    options = {"image/png": {"compress_level": 4}, "image/webp": {"quality": picture.quality, "method": 2}}
    image.save(
        buffer, picture.mime.removeprefix("image/").upper(), **options.get(picture.mime, {"quality": picture.quality})
    )
    body = buffer.getvalue()
    return body[: len(body) * 2 // 5] if picture.truth.fault == "truncated" else body


def _stream(section: Demo, *place: int) -> np.random.Generator:
    """The random numbers of one place in the world, whatever else it holds."""
    return np.random.default_rng([section.seed, *place])


def _encoding(rng: np.random.Generator) -> tuple[str, int]:
    mime = str(rng.choice(["image/jpeg", "image/png", "image/webp"], p=[0.82, 0.08, 0.10]))
    return mime, int(rng.integers(82, 95))


def _spread(originals: list[Item], others: list[Item]) -> Iterator[Item]:
    """`originals` in order, with `others` among the later ones, evenly."""
    due = [round((i + 1) * len(originals) / len(others)) for i in range(len(others))]
    waiting = list(others)
    for done, item in enumerate(originals, 1):
        yield item
        while waiting and due[len(others) - len(waiting)] <= done:
            yield waiting.pop(0)
    yield from waiting


def _page(category: str, number: str, title: str, pictures: tuple[Picture, ...], creator: int, **more: object) -> Item:
    path = f"/{category}/{number}"
    item = Item(
        f"{category}/{number}", category, path, title, extras.CREATORS[creator % len(extras.CREATORS)], CC0, pictures
    )
    return replace(item, **more)  # type: ignore[arg-type]


def _picture(category: str, number: str, alt: str, truth: Truth, look: Look, mime: str = "image/jpeg", quality: int = 90,
             role: str | None = None) -> Picture:  # fmt: skip
    key = f"{category}/{number}" + (f"-{role}" if role else "")
    return Picture(key, f"/images/{key}.{_MIMES[mime]}", alt, role, truth, look, mime, quality)


def _copies(section: Demo, category: str, originals: list[Item]) -> list[Item]:
    """Planted near-duplicates of some of `originals`, one for each few of them, the changes in turn."""
    items = []
    for n in range(-(-len(originals) // _PLANTED_EVERY)):
        source = originals[min(n * _PLANTED_EVERY + 1, len(originals) - 1)]
        first = source.pictures[0]
        copy = Copy(first.key, CHANGES[n % len(CHANGES)])
        truth = changed(first.truth, copy, first.look.width, first.look.height)
        quality = 34 if copy.change == "recompress" else 88
        number = f"again-{n:03d}"
        picture = _picture(category, number, first.alt, truth, first.look, "image/jpeg", quality)
        items.append(_page(category, number, f"{source.title} (again)", (picture,), n + 3))
    return items


def _portraits(section: Demo, length: Length) -> Iterator[Item]:
    category, place = f"portraits/{length}", {"long": 1, "short": 2}[length]
    originals = []
    for i in range(section.portraits):
        rng = _stream(section, place, i)
        who = i - 1 if i % 4 == 3 else i  # every fourth picture shows the person of the one before it
        person = face.sample(_stream(section, place, who, 0))
        width, height = _SIZES[rng.integers(len(_SIZES))]
        look = portrait.sample(rng, person, length, width, height)
        identity = 2 * who + (length == "short")
        skin = min(255.0, 255 * luma(person.skin) * look.exposure)
        truth = Truth("portrait", roll=look.pose.roll, hair=length, smile=look.smile, identity=identity, skin=skin)
        title = f"{extras.NAMES[identity % len(extras.NAMES)]} {extras.SETTINGS[look.backdrop]}"
        picture = _picture(
            category, f"{i:04d}", f"{title}, {length} hair", truth.placed(look.places()), look, *_encoding(rng)
        )
        originals.append(_page(category, f"{i:04d}", title, (picture,), i))
    others = [*_copies(section, category, originals), *_unwanted(section, category, originals)]
    yield from _spread(originals, others)


def _unwanted(section: Demo, category: str, originals: list[Item]) -> list[Item]:
    """What every real search finds besides: each of these is refused by a later stage, for another reason."""
    rng = _stream(section, 9, len(category))
    first = originals[0].pictures[0]
    size = first.look.width, first.look.height

    def page(name: str, title: str, truth: Truth, look: Look, mime: str = "image/jpeg", **more: object) -> Item:
        return _page(category, name, title, (_picture(category, name, title, truth, look, mime),), 5, **more)

    def like(index: int) -> tuple[Truth, Look]:
        """The truth and the look of a new portrait that nothing copies."""
        stream = _stream(section, 8, len(category), index)
        look = portrait.sample(stream, face.sample(stream), "short" if category.endswith("short") else "long", 480, 480)
        truth = Truth(
            "portrait", roll=look.pose.roll, hair=look.hair.length, smile=look.smile, skin=255 * luma(look.person.skin)
        )
        return truth.placed(look.places()), look

    view = page("view", "View from the studio", Truth("landscape"), extras.sample_landscape(rng))
    icon = page(
        "icon", "Site icon", Truth("icon"), replace(extras.sample_landscape(rng), width=48, height=48), "image/png"
    )
    missing = page("gone", "Portrait, taken down", replace(like(0)[0], fault="missing"), like(0)[1])
    if category == "portraits/long":
        truth, look = like(1)
        closed = page("private", "Members only", *like(2), path=f"/private/{category}/members")
        shy = page("asks-not", "Please don't train on me", *like(3), noai=True)
        stamped = page("stamped", "Please don't train on this file", *like(4))
        stamped = replace(stamped, pictures=(replace(stamped.pictures[0], noai=True),))
        held = page("all-mine", "Look, don't touch", *like(5), license_url=BY_NC_ND)
        return [
            view,
            page("half", "Portrait, cut off", replace(truth, fault="truncated"), look),
            closed,
            icon,
            shy,
            missing,
            held,
            stamped,
        ]
    if category == "portraits/short":
        couple = extras.sample_couple(rng)
        truth, look = like(1)
        blink = extras.Blink(
            replace(look, width=320, height=320, pose=replace(look.pose, x=160.0, y=140.0, unit=120.0))
        )
        return [
            page("two", "Two friends", Truth("couple"), couple),
            page("blink", "A wink", Truth("animated"), blink, "image/gif"),
            page("moved", "Portrait, moved", replace(truth, fault="html"), look),
            view,
            missing,
        ]
    del size
    return [view, icon]


def _anime(section: Demo) -> Iterator[Item]:
    originals = []
    for i in range(section.anime):
        rng = _stream(section, 3, i)
        width, height = _SIZES[rng.integers(len(_SIZES))]
        look = anime.sample(rng, width, height)
        truth = Truth(
            "anime",
            roll=look.pose.roll,
            hair=look.length,
            smile=look.smile,
            identity=10**6 + i,
            skin=255 * luma(look.skin),
        )
        title = f"{extras.NAMES[(7 * i + 3) % len(extras.NAMES)]} {extras.SETTINGS[look.backdrop]}, drawn"
        picture = _picture("anime", f"{i:04d}", title, truth.placed(look.places()), look, *_encoding(rng))
        originals.append(_page("anime", f"{i:04d}", title, (picture,), i + 1))
    if originals:
        yield from _spread(originals, [*_copies(section, "anime", originals), *_unwanted(section, "anime", originals)])


def _garments(section: Demo) -> Iterator[Item]:
    products = [_product(section, i) for i in range(section.garments)]
    if not products:
        return
    lonely = _product(section, 10**6)
    lonely = replace(lonely, pictures=lonely.pictures[:1])  # no picture of anyone wearing it
    gone = _product(section, 10**6 + 1)
    gone = replace(
        gone,
        pictures=(gone.pictures[0], replace(gone.pictures[1], truth=replace(gone.pictures[1].truth, fault="missing"))),
    )
    kids = _product(section, 10**6 + 2)
    kids = replace(kids, title=f"Kids' {kids.title.lower()}")
    again = _product(section, 10**6 + 3)
    first = products[0].pictures[0]
    relisted = replace(
        again.pictures[0], look=first.look, quality=40, truth=replace(first.truth, copy=Copy(first.key, "recompress"))
    )
    again = replace(
        again, title=products[0].title, pictures=(relisted, *again.pictures[1:])
    )  # a shop lists its article twice
    yield from _spread(products, [lonely, kids, gone, again])


def _product(section: Demo, i: int) -> Item:
    rng = _stream(section, 4, i)
    number = f"{i:04d}"
    cut = garment.sample(rng)
    tag = GarmentTruth(f"garments/{number}", cut.pattern, cut.sleeve, cut.neck, cut.colour_name)
    title = f"{cut.colour_name.capitalize()} {extras.PATTERN_WORDS[cut.pattern]} {'jumper' if cut.sleeve == 'long' else 'tee'}"
    alone = garment.sample_article(rng, cut, 520, 520)
    pictures = [
        _picture(
            "garments", number, f"{title}, the article alone", Truth("article", garment=tag), alone, role="article"
        )
    ]
    for n in range(2 if rng.random() < 0.3 else 1):
        worn = garment.sample_worn(rng, cut, 480, 640)
        truth = Truth("human", roll=worn.look.pose.roll, hair=worn.look.hair.length, smile=worn.look.smile,
                      skin=255 * luma(worn.look.person.skin), garment=tag).placed(worn.places())  # fmt: skip
        role = "human" if n == 0 else "human2"
        picture = _picture(
            "garments",
            number,
            f"{title}, worn by {extras.NAMES[int(rng.integers(len(extras.NAMES)))]}",
            truth,
            worn,
            role=role,
        )
        pictures.append(replace(picture, role="human"))
    return _page("garments", number, title, tuple(pictures), i)
