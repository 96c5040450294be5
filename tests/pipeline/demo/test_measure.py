"""How far translated pictures went: the arithmetic, and the drawn world's pictures through it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from curate.pipeline.core.errors import UsageError
from curate.pipeline.demo import hair, icon, measure
from curate.pipeline.demo.anime import Anime
from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.garment import Article, Worn
from curate.pipeline.demo.items import DemoPicture
from curate.pipeline.demo.portrait import Portrait
from curate.pipeline.demo.world import DrawnWorld
from curate.pipeline.imaging import codec, geometry, warp
from curate.pipeline.tables import manifest

DEMO = {"seed": 7, "portraits": 3, "anime": 2, "icons": 0, "garments": 3}


def squares() -> tuple[codec.RGB, codec.RGB]:
    """Black, and black with a white left half."""
    before = np.zeros((10, 10, 3), np.uint8)
    after = before.copy()
    after[:, :5] = 200
    return before, after


@pytest.mark.parametrize(("level", "share", "after"), [(0, 0.0, 200), (100, 0.5, 100), (200, 1.0, 0), (250, 1.25, 50)])
def test_the_share_is_how_far_it_went_on_the_way(level: int, share: float, after: float) -> None:
    before, target = squares()
    made = before.copy()
    made[:, :5], made[:, 5:] = level, 7
    found = measure.compare("x", "white", before, target, made)
    assert found == measure.Change("x", "white", pytest.approx(share), 200.0, pytest.approx(after), 7.0)


def test_where_nothing_is_asked_nothing_is_measured() -> None:
    before, target = squares()
    assert measure.compare("x", "", before, before, before) is None
    assert measure.compare("x", "", before, target, before, np.zeros((10, 10), bool)) is None


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose images came from the drawn world."""
    path = tmp_path_factory.mktemp("world")
    rows = []
    for picture in DrawnWorld(Demo(**DEMO)).pictures.values():
        if picture.truth.fault:
            continue
        name = f"raw/images/{picture.key.replace('/', '-')}.jpg"
        fixed = {"source": "html", "domain": "x", "license": "cc0", "rank": 0, "status": "accepted", "reason": "ok"}
        url = f"http://demo.curate.test{picture.path}"
        key = Path(name).stem
        rows.append({"candidate_id": key, "image_id": key, "path": name, "image_url": url, **fixed})
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), path, meta={"section": {"demo": DEMO}})
    return path


def pictures(kind: str) -> list[DemoPicture]:
    world = DrawnWorld(Demo(**DEMO))
    return [p for p in world.pictures.values() if p.truth.kind == kind and not p.truth.copy and not p.truth.fault]


def written(root: Path, folder: Path, picture: DemoPicture, made: codec.RGB, **more: object) -> None:
    folder.mkdir(exist_ok=True)
    name = picture.key.replace("/", "-")
    (folder / f"{name}.png").write_bytes(codec.encode_png(made))
    notes = {
        "input": str(root / f"raw/images/{name}.jpg"),
        "output": f"{name}.png",
        "layout": "photo",
        "side": 64,
        **more,
    }
    (folder / f"{name}.json").write_text(json.dumps(notes))


@pytest.mark.parametrize(("length", "share"), [("long", 0.0), ("short", 1.0)])
def test_hair_is_as_long_as_it_is_drawn(root: Path, tmp_path: Path, length: hair.Length, share: float) -> None:
    for picture in [p for p in pictures("portrait") if p.truth.hair == "long"][:2]:
        look = picture.look
        assert isinstance(look, Portrait)
        if length == "short":  # another haircut than the one that measures: what hangs down is the same
            look = replace(look, hair=hair.sample(np.random.default_rng(99), "short"))
        scale = 64 / min(look.width, look.height)
        affine = np.array([[scale, 0, 0], [0, scale, 0]])
        written(root, tmp_path / "out", picture, look.draw(), affine=affine.ravel().tolist())
    changes = measure.measure(root, tmp_path / "out")
    assert len(changes) == 2
    told = measure.summary(changes)
    assert told["share"] == pytest.approx(share, abs=0.02)
    assert told["kept"] < 8
    assert told["half_way"] == (length == "short")


@pytest.mark.parametrize("dressed", [True, False])
def test_garments_are_told_by_their_colour(root: Path, tmp_path: Path, dressed: bool) -> None:
    people, articles = pictures("human"), pictures("article")
    person = people[0]
    other = next(a for a in articles if a.truth.garment != person.truth.garment)
    assert isinstance(person.look, Worn) and isinstance(other.look, Article)
    look = replace(person.look, garment=other.look.garment) if dressed else person.look
    article = str(root / f"raw/images/{other.key.replace('/', '-')}.jpg")
    written(root, tmp_path / "out", person, look.draw(), article=article)
    (change,) = measure.measure(root, tmp_path / "out")
    assert change.asked == other.look.garment.colour_name
    assert (change.share, change.after) == pytest.approx((1.0, 0.0) if dressed else (0.0, change.before), abs=1e-6)
    assert change.before > 60 and change.kept < 4


@pytest.mark.parametrize(("style", "share"), [("anime", 0.0), ("icon", 1.0)])
def test_a_drawing_is_measured_against_its_character_as_an_icon(
    root: Path, tmp_path: Path, style: str, share: float
) -> None:
    picture = pictures("anime")[0]
    look = picture.look
    assert isinstance(look, Anime)
    made = (icon.of(look, np.random.default_rng(1)) if style == "icon" else look).draw()
    affine = np.array([[0.1, 0.1, 0.0], [-0.1, 0.1, 32.0]])  # turned by 45 degrees
    cut = warp.cut(made, affine, 64, warp.FFHQ_CLEARANCE)
    written(root, tmp_path / "out", picture, cut, affine=affine.ravel().tolist(), layout="crop")
    (change,) = measure.measure(root, tmp_path / "out")
    assert change.asked == "icon" and change.before > 40
    assert change.share == pytest.approx(share, abs=0.02)


def test_photos_of_elsewhere_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no translated photo of the drawn world"):
        measure.measure(root, tmp_path)


def test_the_map_to_the_output_is_followed(root: Path, tmp_path: Path) -> None:
    picture = next(p for p in pictures("portrait") if p.truth.hair == "long")
    assert isinstance(picture.look, Portrait) and picture.truth.chin
    affine = np.array([[0.12, 0.02, 4.0], [-0.02, 0.12, 6.0]])
    written(root, tmp_path / "out", picture, picture.look.draw(), affine=affine.ravel().tolist())
    (change,) = measure.measure(root, tmp_path / "out")
    assert change.share == pytest.approx(0, abs=0.01)
    assert 0 < geometry.apply(affine, [picture.truth.chin])[0][1] < 64
