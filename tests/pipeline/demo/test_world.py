from __future__ import annotations

import io
import re
from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
from PIL import Image

from curate.pipeline.demo import anime, icon
from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.items import DemoPicture
from curate.pipeline.demo.truth import CHANGES
from curate.pipeline.demo.world import DrawnWorld
from curate.pipeline.hashing import phash

SMALL = Demo(seed=5, portraits=33, anime=4, icons=4, garments=3)  # 33 portraits hold one copy of each change


@lru_cache(maxsize=1)
def world() -> DrawnWorld:
    return DrawnWorld(SMALL)


def pictures(kind: str) -> list[DemoPicture]:
    return [p for p in world().pictures.values() if p.truth.kind == kind]


def sound(kind: str) -> list[DemoPicture]:
    return [p for p in pictures(kind) if p.truth.fault is None]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    key = "portraits/long/0000"
    here, again = (DrawnWorld(Demo(seed=5)).encoded(DrawnWorld(Demo(seed=5)).pictures[key]) for _ in range(2))
    other = DrawnWorld(Demo(seed=6))
    assert here == again
    assert other.encoded(other.pictures[key]) != here


def test_a_larger_world_holds_the_pictures_of_a_smaller_one() -> None:
    larger = DrawnWorld(Demo(seed=5, portraits=40, anime=6, icons=6, garments=5))
    smaller = {key: p for key, p in world().pictures.items() if p.truth.copy is None}
    assert {key: larger.pictures[key] for key in smaller} == smaller


def test_there_is_as_much_of_everything_as_asked_for() -> None:
    plain = [p for p in world().pictures.values() if re.fullmatch(r".*/\d{4}", p.key)]
    counts = Counter((p.truth.kind, p.truth.hair) for p in plain if p.truth.kind == "portrait")
    assert counts == {("portrait", "long"): SMALL.portraits, ("portrait", "short"): SMALL.portraits}
    assert sum(p.truth.kind == "anime" for p in plain) == SMALL.anime
    assert sum(p.truth.kind == "icon" for p in plain) == SMALL.icons
    assert len(world().category("garments")) == SMALL.garments + 4  # and four that make no pair


def test_a_world_without_drawings_and_garments_has_none() -> None:
    assert {page.category for page in DrawnWorld(Demo(portraits=1, anime=0, icons=0, garments=0)).pages} == {
        "portraits/long",
        "portraits/short",
    }


def test_addresses_and_keys_are_unique() -> None:
    assert len({p.path for p in world().pictures.values()}) == sum(len(page.pictures) for page in world().pages)
    assert len({page.path for page in world().pages}) == len(world().pages)


def test_faces_are_large_enough_and_their_parts_lie_in_them() -> None:
    for picture in [*sound("portrait"), *sound("anime"), *sound("icon"), *sound("human")]:
        truth = picture.truth
        assert truth.face and truth.eyes and truth.mouth and truth.chin and truth.roll is not None
        x, y, width, height = truth.face
        assert width >= 80, picture.key
        assert min(picture.look.width, picture.look.height) >= 320
        for px, py in (*truth.eyes, truth.mouth, truth.chin):
            assert x - 1 <= px <= x + width + 1
            assert y - 1 <= py <= y + height + 1
        (lx, ly), (rx, ry) = truth.eyes
        assert np.degrees(np.arctan2(ry - ly, rx - lx)) == pytest.approx(truth.roll, abs=1e-3)


def test_pictures_are_what_their_addresses_say() -> None:
    kinds = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF"}
    seen = set()
    for picture in [*sound("portrait")[:12], *sound("favicon"), *sound("animated"), *sound("article")[:1]]:
        with Image.open(io.BytesIO(world().encoded(picture))) as image:
            assert image.format == kinds[picture.mime]
            assert getattr(image, "n_frames", 1) == (2 if picture.truth.kind == "animated" else 1)
            assert picture.truth.copy or image.size == (picture.look.width, picture.look.height)
            seen.add(image.format)
    assert {"JPEG", "GIF", "PNG"} <= seen


def test_broken_pictures_are_broken() -> None:
    faults = {p.truth.fault: world().encoded(p) for p in world().pictures.values() if p.truth.fault}
    assert set(faults) == {"truncated", "missing", "html"}
    with pytest.raises(OSError), Image.open(io.BytesIO(faults["truncated"])) as image:
        image.load()
    assert faults["html"].startswith(b"<!doctype html>")


@pytest.mark.parametrize("how", CHANGES)
def test_a_planted_copy_is_found_by_its_hash_exactly_when_its_truth_says_so(how: str) -> None:
    planted = [p for p in pictures("portrait") if p.truth.copy and p.truth.copy.change == how]
    assert len(planted) == 2  # one for each hair length
    for picture in planted:
        assert picture.truth.copy
        pair = (picture, world().pictures[picture.truth.copy.of])
        hashes = [phash.phash(np.asarray(Image.open(io.BytesIO(world().encoded(p))).convert("RGB"))) for p in pair]
        assert ((hashes[0] ^ hashes[1]).bit_count() <= 8) == picture.truth.copy.found


@pytest.mark.parametrize("how", ["resize", "crop", "flip"])
def test_the_truth_of_a_copy_points_at_the_same_features(how: str) -> None:
    picture = next(p for p in pictures("portrait") if p.truth.copy and p.truth.copy.change == how)
    assert picture.truth.copy and picture.truth.eyes
    first = world().pictures[picture.truth.copy.of]
    assert first.truth.eyes
    mine, original = world().pixels(picture), world().pixels(first)
    for i, eye in enumerate(picture.truth.eyes):
        x, y = first.truth.eyes[1 - i if how == "flip" else i]
        a = mine[round(eye[1]) - 2 : round(eye[1]) + 3, round(eye[0]) - 2 : round(eye[0]) + 3]
        b = original[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3]
        assert np.abs(a.mean((0, 1)) - b.mean((0, 1))).max() < 20  # the pupil, on skin of quite another colour


def test_a_garment_is_the_same_on_both_pictures_of_a_pair() -> None:
    whole = [i for i in world().category("garments") if len(i.pictures) > 1 and not i.pictures[0].truth.copy]
    assert len(whole) >= SMALL.garments
    for page in whole:
        tags = {p.truth.garment for p in page.pictures}
        assert len(tags) == 1
        assert tags.pop().pair == page.key  # type: ignore[union-attr]
        assert [p.role for p in page.pictures[:2]] == ["article", "human"]


def test_an_icon_leans_as_far_as_crops_that_are_turned_by_45_degrees() -> None:
    rolls = [p.truth.roll for p in sound("icon")]
    assert rolls and all(-60 < roll < -30 for roll in rolls if roll is not None)


def test_no_icon_is_mirrored() -> None:
    world = DrawnWorld(Demo(seed=5, portraits=1, anime=0, icons=41, garments=0))  # a copy of each change, and one more
    changes = {p.truth.copy.change for p in world.pictures.values() if p.truth.kind == "icon" and p.truth.copy}
    assert changes == set(CHANGES) - {"flip"}


def test_an_icon_is_the_drawn_character_in_few_flat_colours_and_keeps_its_own() -> None:
    """The same character, the same place: another hand."""
    rng = np.random.default_rng(4)
    for _ in range(4):
        who = anime.sample(rng, 320, 320)
        drawn, drawn_as_icon = who.draw(), icon.of(who, rng).draw()
        left, right = icon.of(who, rng).places().eyes
        assert icon.of(who, rng).places().eyes == who.places().eyes
        x, y = (
            round((left[0] + right[0]) / 2),
            round(left[1] + 0.14 * who.pose.unit),
        )  # the skin between the eyes and the nose
        assert np.abs(drawn[y, x].astype(int) - drawn_as_icon[y, x]).max() < 20
        flat = [np.mean(np.abs(np.diff(p.astype(int), axis=1)).max(-1) <= 6) for p in (drawn, drawn_as_icon)]
        assert np.abs(drawn.astype(int) - drawn_as_icon).mean() > 25
        assert flat[1] > 0.8
