"""Everything that the drawn world's site lists: its subjects, near-duplicates of them, and what nobody wanted.

Each page has its own random stream, so a larger world holds the pages of a smaller one with the same seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from curate.pipeline.demo import anime, extras, face, garment, icon, portrait
from curate.pipeline.demo.anime import Anime
from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.drawing import luma
from curate.pipeline.demo.garment import Worn
from curate.pipeline.demo.hair import Length
from curate.pipeline.demo.items import BY_NC_ND, DemoPicture, Look, Page
from curate.pipeline.demo.portrait import Portrait
from curate.pipeline.demo.truth import CHANGES, Change, Copy, GarmentTruth, Truth, changed

_SIZES = ((480, 480), (480, 600), (400, 500), (512, 640), (560, 560), (360, 450), (600, 480), (420, 420))
_ICON_SIDES = (320, 360, 400)
_SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}
_PLANTED_EVERY = 8  # originals for each near-duplicate
_AGAIN_EVERY = 4  # portraits, of which the last shows the person of the one before it
_ODD = 10**6  # number of the first product that is there only to be refused

# The first number of every random stream: what it is for.
_LONG, _SHORT, _ANIME, _GARMENTS, _ODD_LONG, _ODD_SHORT, _ODD_ANIME, _ICONS = range(1, 9)


def pages(section: Demo) -> Iterator[Page]:
    """Every page of the site, category by category, in the order of the listings."""
    for length in ("long", "short"):
        portraits = [_portrait(section, length, i) for i in range(section.portraits)]
        odd = _odd_long(section) if length == "long" else _odd_short(section)
        yield from _among(portraits, [*_copies(f"portraits/{length}", portraits), *odd])
    drawings = [_drawing(section, i) for i in range(section.anime)]
    if drawings:
        yield from _among(drawings, [*_copies("anime", drawings), *_scenery("anime", _stream(section, _ODD_ANIME))])
    icons = [_icon(section, i) for i in range(section.icons)]
    if icons:
        unmirrored = [change for change in CHANGES if change != "flip"]  # all of them lean to the same side
        favicon = _favicon("icons", _stream(section, _ICONS, _ODD))
        yield from _among(icons, [*_copies("icons", icons, unmirrored), favicon])
    products = [_product(section, i) for i in range(section.garments)]
    if products:
        yield from _among(products, _odd_products(section, products[0]))


def _stream(section: Demo, *place: int) -> np.random.Generator:
    """The random numbers of one place in the world, whatever else it holds."""
    return np.random.default_rng([section.seed, *place])


def _among(subjects: list[Page], others: list[Page]) -> Iterator[Page]:
    """`subjects` in order with `others` between them, evenly; each of `others` comes after what it may copy."""
    done = 0
    for n, page in enumerate(subjects, 1):
        yield page
        while done < len(others) and (done + 1) * len(subjects) <= n * len(others):
            yield others[done]
            done += 1


def _page(category: str, number: str, title: str, *pictures: DemoPicture) -> Page:
    creator = extras.CREATORS[sum(map(ord, number)) % len(extras.CREATORS)]
    return Page(f"{category}/{number}", category, f"/{category}/{number}", title, creator, pictures)


def _picture(key: str, alt: str, truth: Truth, look: Look, mime: str = "image/jpeg", quality: int = 90) -> DemoPicture:
    return DemoPicture(key, f"/images/{key}.{_SUFFIXES[mime]}", alt, None, truth, look, mime, quality)


def _encoding(rng: np.random.Generator) -> tuple[str, int]:
    """A type and a quality: JPEG mostly."""
    mime = str(rng.choice(["image/jpeg", "image/png", "image/webp"], p=[0.82, 0.08, 0.10]))
    return mime, int(rng.integers(82, 95))


def _copies(category: str, originals: list[Page], changes: Sequence[Change] = CHANGES) -> list[Page]:
    """Near-duplicates of some of `originals`, one for each few of them, the `changes` in turn."""
    copies = []
    for n in range(-(-len(originals) // _PLANTED_EVERY)):
        source = originals[min(n * _PLANTED_EVERY, len(originals) - 1)]
        first = source.pictures[0]
        copy = Copy(first.key, changes[n % len(changes)])
        truth = changed(first.truth, copy, first.look.width, first.look.height)
        quality = 34 if copy.change == "recompress" else 88
        number = f"again-{n:03d}"
        picture = _picture(f"{category}/{number}", first.alt, truth, first.look, quality=quality)
        copies.append(_page(category, number, f"{source.title} (again)", picture))
    return copies


def _portrait_truth(kind: Literal["portrait", "human"], look: Portrait) -> Truth:
    skin = min(255.0, 255 * luma(look.person.skin) * look.exposure)
    truth = Truth(kind, roll=look.pose.roll, hair=look.hair.length, smile=look.smile, skin=skin)
    return truth.placed(look.places())


def _portrait(section: Demo, length: Length, i: int) -> Page:
    place = _LONG if length == "long" else _SHORT
    rng = _stream(section, place, i)
    who = i - 1 if i % _AGAIN_EVERY == _AGAIN_EVERY - 1 else i
    person = face.sample(_stream(section, place, who, 0))
    look = portrait.sample(rng, person, length, *_SIZES[rng.integers(len(_SIZES))])
    identity = 2 * who + (length == "short")
    truth = replace(_portrait_truth("portrait", look), identity=identity)
    title = f"{extras.name(identity)} {extras.SETTINGS[look.setting]}"
    key = f"portraits/{length}/{i:04d}"
    picture = _picture(key, f"{title}, {length} hair", truth, look, *_encoding(rng))
    return _page(f"portraits/{length}", f"{i:04d}", title, picture)


def _drawing(section: Demo, i: int) -> Page:
    rng = _stream(section, _ANIME, i)
    look = anime.sample(rng, *_SIZES[rng.integers(len(_SIZES))])
    truth = _character_truth("anime", look).placed(look.places())
    title = f"{extras.name(7 * i + 3)} {extras.SETTINGS[look.setting]}, drawn"
    return _page("anime", f"{i:04d}", title, _picture(f"anime/{i:04d}", title, truth, look, *_encoding(rng)))


def _icon(section: Demo, i: int) -> Page:
    rng = _stream(section, _ICONS, i)
    look = icon.sample(rng, _ICON_SIDES[rng.integers(len(_ICON_SIDES))])
    truth = _character_truth("icon", look.who).placed(look.places())
    title = f"{extras.name(5 * i + 2)}, an icon"
    return _page("icons", f"{i:04d}", title, _picture(f"icons/{i:04d}", title, truth, look, *_encoding(rng)))


def _character_truth(kind: Literal["anime", "icon"], who: Anime) -> Truth:
    return Truth(kind, roll=who.pose.roll, hair=who.hair.length, smile=who.smile, skin=255 * luma(who.skin))


def _odd(category: str, number: str, title: str, truth: Truth, look: Look, mime: str = "image/jpeg") -> Page:
    return _page(category, number, title, _picture(f"{category}/{number}", title, truth, look, mime))


def _stranger(section: Demo, length: Length, rng: np.random.Generator) -> tuple[Truth, Portrait]:
    look = portrait.sample(rng, face.sample(rng), length, 480, 480)
    return _portrait_truth("portrait", look), look


def _scenery(category: str, rng: np.random.Generator) -> list[Page]:
    """A view without a face, and a picture far too small."""
    view = extras.sample_landscape(rng)
    return [_odd(category, "view", "View from the studio", Truth("landscape"), view), _favicon(category, rng)]


def _favicon(category: str, rng: np.random.Generator) -> Page:
    """A picture far too small."""
    small = replace(extras.sample_landscape(rng), width=48, height=48)
    return _odd(category, "favicon", "Site icon", Truth("favicon"), small, "image/png")


def _odd_long(section: Demo) -> list[Page]:
    """What must not end up among the long-haired, each for another reason."""
    category, rng = "portraits/long", _stream(section, _ODD_LONG)
    strangers = [_stranger(section, "long", rng) for _ in range(6)]
    cut, gone, closed, shy, stamped, held = strangers
    stamped_page = _odd(category, "stamped", "Please don't train on this file", *stamped)
    return [
        *_scenery(category, rng),
        _odd(category, "half", "A portrait, cut off", replace(cut[0], fault="truncated"), cut[1]),
        _odd(category, "gone", "A portrait, taken down", replace(gone[0], fault="missing"), gone[1]),
        replace(_odd(category, "members", "Members only", *closed), path=f"/private/{category}/members"),
        replace(_odd(category, "shy", "Please don't train on me", *shy), noai=True),
        replace(stamped_page, pictures=(replace(stamped_page.pictures[0], noai=True),)),
        replace(_odd(category, "held", "Look, don't touch", *held), license_url=BY_NC_ND),
    ]


def _odd_short(section: Demo) -> list[Page]:
    """What must not end up among the short-haired, each for another reason."""
    category, rng = "portraits/short", _stream(section, _ODD_SHORT)
    moved, winking = (_stranger(section, "short", rng) for _ in range(2))
    return [
        *_scenery(category, rng),
        _odd(category, "two", "Two friends", Truth("couple"), extras.sample_couple(rng)),
        _odd(category, "wink", "A wink", Truth("animated"), extras.Blink(winking[1]), "image/gif"),
        _odd(category, "moved", "A portrait, moved", replace(moved[0], fault="html"), moved[1]),
    ]


def _product(section: Demo, i: int) -> Page:
    rng = _stream(section, _GARMENTS, i)
    number, cut = f"{i:04d}", garment.sample(rng)
    key = f"garments/{number}"
    tag = GarmentTruth(key, cut.pattern, cut.sleeve, cut.neck, cut.colour_name)
    kind = "jumper" if cut.sleeve == "long" else "tee"
    title = f"{cut.colour_name.capitalize()} {extras.PATTERNS[cut.pattern]} {kind}"
    article = garment.sample_article(rng, cut, 520, 520)
    alone = _picture(f"{key}-article", f"{title}, the article alone", Truth("article", garment=tag), article)
    pictures = [replace(alone, role="article")]
    for n in range(2 if rng.random() < 0.3 else 1):
        worn: Worn = garment.sample_worn(rng, cut, 480, 640)
        truth = replace(_portrait_truth("human", worn.look), garment=tag)
        picture = _picture(f"{key}-human{n}", f"{title}, worn by {extras.name(int(rng.integers(99)))}", truth, worn)
        pictures.append(replace(picture, role="human"))
    return _page("garments", number, title, *pictures)


def _odd_products(section: Demo, first: Page) -> list[Page]:
    """Products that make no pair: one worn by nobody, one for children, one with a lost picture, one listed twice."""
    lonely, kids, lost, twice = (_product(section, _ODD + i) for i in range(4))
    broken = replace(lost.pictures[1], truth=replace(lost.pictures[1].truth, fault="missing"))
    article = first.pictures[0]
    again = replace(twice.pictures[0], look=article.look, alt=article.alt, quality=40)
    again = replace(again, truth=replace(article.truth, copy=Copy(article.key, "recompress")))
    return [
        replace(lonely, pictures=lonely.pictures[:1]),
        replace(kids, title=f"Kids' {kids.title.lower()}"),
        replace(lost, pictures=(lost.pictures[0], broken)),
        replace(twice, title=first.title, pictures=(again, *twice.pictures[1:])),
    ]
