"""How far translated pictures of the drawn world went, measured against the world's own ground truth.

The drawn world can draw the same person once more with hair of the other length, or in the other garment, or the same
character as an icon: pose, light and backdrop stay, so that the pixels which differ are those that a translator ought
to change, and their colours are those that it ought to reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.config import parse
from curate.pipeline.core.documents import from_json
from curate.pipeline.core.errors import UsageError
from curate.pipeline.demo import hair, icon
from curate.pipeline.demo.anime import Anime
from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.drawing import BLACK, WHITE
from curate.pipeline.demo.garment import Article, Worn
from curate.pipeline.demo.items import DemoPicture, Look
from curate.pipeline.demo.portrait import Portrait
from curate.pipeline.demo.truth import change
from curate.pipeline.demo.world import DrawnWorld
from curate.pipeline.imaging import codec, geometry, warp
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.geometry import Affine
from curate.pipeline.tables import manifest

DIFFERS = 40.0  # mean of the channels, 0..255: less is noise, shading and edges

Mask = NDArray[np.bool_]

_LAYOUTS = {Portrait: "photo", Worn: "photo", Anime: "crop"}  # of the pictures that are measured


@dataclass(frozen=True)
class Change:
    """One translated picture. Distances are means over px and channels of the absolute difference, 0..255."""

    name: str  # of the file
    asked: str  # "short" or "long" hair, a garment's colour, or "icon"
    share: float  # how far it went: 0 nothing changed, 1 all that was asked, along the line between the two
    before: float  # distance to what was asked, where a change was asked
    after: float  # the same of what was made
    kept: float  # distance to the original, where none was asked


def compare(name: str, asked: str, original: RGB, target: RGB, made: RGB, where: Mask | None = None) -> Change | None:
    """What became of `original` on its way to `target`, uint8 [H, W, 3] each; None where the two are alike.

    `where` [H, W] limits the px in which a change counts.
    """
    was, wanted, now = (picture.astype(np.float64) for picture in (original, target, made))
    differs = np.abs(wanted - was).mean(-1) > DIFFERS
    counted = differs if where is None else differs & where
    if not counted.any():
        return None
    way = (wanted - was)[counted]
    share = ((now - was)[counted] * way).sum() / (way * way).sum()
    return Change(
        name,
        asked,
        float(share),
        float(np.abs(way).mean()),
        float(np.abs(now - wanted)[counted].mean()),
        float(np.abs(now - was)[~differs].mean()),
    )


def measure(root: Path, folder: Path) -> list[Change]:
    """The photos in `folder`, translated with --layout photo, that `root`'s table knows from the drawn world's site.

    Raises UsageError where there are none, TableError without manifests/images.parquet.
    """
    section = manifest.meta(manifest.IMAGES, root).get("section", {}).get("demo")
    world = DrawnWorld(parse(Demo, section or {}, "scrape.demo"))
    known = {picture.path: picture for picture in world.pictures.values()}
    columns = ["path", "image_url", "status"]
    rows = manifest.accepted(manifest.read(manifest.IMAGES, root, columns)).to_pylist()
    drawn = {Path(row["path"]).name: known.get(urlsplit(row["image_url"]).path) for row in rows}
    changes = list(_measured(folder, {name: picture for name, picture in drawn.items() if picture}))
    if not changes:
        raise UsageError(
            f"{folder}: no translated photo of the drawn world",
            "make some: curate translate --run processed/runs/cyclegan --split test --out FOLDER",
        )
    return changes


def summary(changes: list[Change]) -> dict[str, float]:
    """Medians over all pictures, and the share of them that went more than half of the way."""
    values: dict[str, float] = {"pictures": len(changes)}
    for field in ("share", "before", "after", "kept"):
        values[field] = round(float(np.median([getattr(change, field) for change in changes])), 3)
    values["half_way"] = round(float(np.mean([change.share > 0.5 for change in changes])), 3)
    return values


def _measured(folder: Path, drawn: Mapping[str, DemoPicture]) -> Iterator[Change]:
    for path in sorted(folder.glob("*.json")):
        notes: dict[str, Any] = from_json(path.read_text("utf-8"))
        picture = drawn.get(Path(notes["input"]).name)
        if picture is None or not notes.get("output") or notes.get("layout") != _LAYOUTS.get(type(picture.look)):
            continue
        made = codec.decode(path.with_suffix(".png").read_bytes())
        if isinstance(picture.look, Portrait):
            affine = np.array(notes["affine"]).reshape(2, 3)
            found = _hair(path.stem, picture, picture.look, made, affine, int(notes["side"]))
        elif isinstance(picture.look, Anime):
            affine = np.array(notes["affine"]).reshape(2, 3)
            found = _icon(path.stem, picture, picture.look, made, affine)
        elif isinstance(picture.look, Worn) and notes.get("article"):
            article = drawn.get(Path(notes["article"]).name)
            found = _garment(path.stem, picture.look, article.look, made) if article else None
        else:
            found = None
        if found:
            yield found


def _hair(name: str, picture: DemoPicture, look: Portrait, made: RGB, affine: Affine, size: int) -> Change | None:
    """A portrait towards the other length of hair: what hangs below the mouth, which no cut on the head changes.

    The photo is measured as the networks saw it, cut out by `affine` at `size` px.
    """
    other: hair.Length = "short" if look.hair.length == "long" else "long"
    recut = replace(look, hair=hair.sample(np.random.default_rng(look.hair.seed), other))
    how = picture.truth.copy.change if picture.truth.copy else None
    pictures = [one.draw() if how is None else change(one.draw(), how) for one in (look, recut)]
    original, target, made = (warp.cut(one, affine, size, warp.FFHQ_CLEARANCE) for one in (*pictures, made))
    assert picture.truth.mouth is not None
    mouth = geometry.apply(affine, [picture.truth.mouth])[0]
    below = np.broadcast_to(np.arange(size)[:, None] > mouth[1], (size, size))
    return compare(name, other, original, target, made, below)


def _icon(name: str, picture: DemoPicture, look: Anime, made: RGB, affine: Affine) -> Change | None:
    """A drawn character towards itself as an icon: the figure, since no icon has the drawing's backdrop."""
    how = picture.truth.copy.change if picture.truth.copy else None
    looks: list[Look] = [look, *(icon.Icon(look, paper, disc, 0.0) for paper, disc in ((WHITE, BLACK), (BLACK, WHITE)))]
    pictures = [one.draw() if how is None else change(one.draw(), how) for one in looks]
    original, target, other = (warp.cut(one, affine, len(made), warp.FFHQ_CLEARANCE) for one in pictures)
    return compare(name, "icon", original, target, made, (target == other).all(-1))


def _garment(name: str, look: Worn, article: object, made: RGB) -> Change | None:
    """A person towards another garment."""
    if not isinstance(article, Article):
        return None
    target = replace(look, garment=article.garment).draw()
    return compare(name, article.garment.colour_name, look.draw(), target, made)
