"""Paint laid over photos: where it lies, what stays bit for bit, how it ends, in whose colours it is."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from curate.pipeline.imaging import geometry, photo, srgb, warp
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.photo import Photo
from curate.train.translate import composite
from curate.train.translate.colour_match import matched
from curate.train.translate.composite import Layer, cut_out, laid_over
from tests.support.pictures import smooth, wide_profile


def quad(centre: tuple[float, float], side: float, turned: float) -> np.ndarray:
    angle = np.radians(turned)
    return geometry.square(np.array(centre), np.array([np.cos(angle), np.sin(angle)]), side / 2)


def layer_of(picture: RGB, affine: np.ndarray, side: int, level: float = 1.0) -> Layer:
    """What networks see of `picture` by `affine`, as their paint."""
    seen = warp.cut(picture, affine, side).astype(np.float32)
    return Layer(seen, np.full((side, side), level, np.float32), affine)


def inside(affine: np.ndarray, side: int, width: int, height: int, by: float = 0.0) -> np.ndarray:
    """The px of a photo that lie within the layer's edges, `by` px of it further in."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    places = geometry.apply(affine, np.stack([x.ravel(), y.ravel()], 1)).reshape(height, width, 2)
    return ((places >= -0.5 + by) & (places <= side - 0.5 - by)).all(-1)


@pytest.mark.parametrize("turned", [0, 7, -33, 90])
def test_paint_of_what_is_there_gives_the_photo_again(turned: float) -> None:
    """At the photo's own scale: half a px beside, and it would be seen."""
    picture = smooth(240, 200)
    affine = geometry.quad_affine(quad((98.3, 121.7), 96, turned), 96)
    made = laid_over(Photo.of(picture), layer_of(picture, affine, 96)).shown
    off = np.abs(made.astype(int) - picture)
    assert off.max() <= 2 and off.mean() < 0.5
    shifted = laid_over(Photo.of(picture), layer_of(np.roll(picture, 1, 1), affine, 96)).shown
    assert np.abs(shifted.astype(int) - picture).max() > 6, "a shift by one px is seen"


@pytest.mark.parametrize("scale", [0.4, 3.0])
def test_larger_and_smaller_paint_lies_where_it_was_seen(scale: float) -> None:
    picture = smooth(300, 300, period=60)
    side = 64
    affine = geometry.quad_affine(quad((150, 150), side * scale, 12), side)
    made = laid_over(Photo.of(picture), layer_of(picture, affine, side)).shown
    assert np.abs(made.astype(int) - picture).mean() < (0.7 if scale > 1 else 0.2)


@pytest.mark.parametrize("turned", [0, 21])
def test_outside_nothing_changes_and_towards_the_edge_it_fades(turned: float) -> None:
    picture = smooth(200, 260)
    affine = geometry.quad_affine(quad((120, 100), 100, turned), 32)
    red = Layer(np.full((32, 32, 3), (255, 0, 0), np.float32), np.ones((32, 32), np.float32), affine)
    made = laid_over(Photo.of(picture), red).shown
    within = inside(affine, 32, 260, 200)
    assert np.array_equal(made[~within], picture[~within])
    deep = inside(affine, 32, 260, 200, by=composite.EDGE * 32 + 0.2)
    assert (made[deep] == (255, 0, 0)).all()
    rim = within & ~inside(affine, 32, 260, 200, by=0.1)
    assert np.abs(made[rim].astype(int) - picture[rim]).max() < 12, "no edge is seen"


def test_where_the_photo_ends_paint_does_not_fade() -> None:
    picture = smooth(100, 100)
    affine = geometry.quad_affine(quad((50, 70), 90, 0), 30)  # from 5 to 95, its lower edge below the photo's
    made = laid_over(Photo.of(picture), Layer(np.zeros((30, 30, 3), np.float32), np.ones((30, 30), np.float32), affine))
    assert not made.shown[-1, 20:80].any()
    assert np.array_equal(made.shown[:25], picture[:25])


def test_an_enlarged_mask_is_smooth() -> None:
    mask = np.zeros((16, 16), np.float32)
    mask[:, :8] = 1
    affine = np.eye(2, 3) / 16
    affine[:, 2] = (1 / 16 - 1) / 2
    made = laid_over(
        Photo.of(np.zeros((256, 256, 3), np.uint8)), Layer(np.full((16, 16, 3), 255, np.float32), mask, affine)
    )
    row = made.shown[128, :, 0].astype(int)
    assert np.diff(row).max() <= 1 and np.diff(row).min() > -16, "no step where one px of the mask is sixteen"
    assert row[127] == pytest.approx(127.5, abs=8), "its middle is where the mask's is"


def test_paint_where_the_mask_is_empty_is_nobodys() -> None:
    """Networks paint anything there, and enlarged it would bleed over the mask's edge."""
    mask = np.zeros((16, 16), np.float32)
    mask[4:12, 4:12] = 1
    paint = np.where(mask[..., None] > 0, np.float32(200), np.float32((0, 255, 0)))
    affine = np.eye(2, 3) / 8
    made = laid_over(Photo.of(np.full((128, 128, 3), 200, np.uint8)), Layer(paint, mask, affine)).shown
    assert np.abs(made.astype(int) - 200).max() <= 2


def test_a_mask_grows_by_one_px_with_the_paint_of_its_neighbours() -> None:
    paint, mask = np.full((16, 16, 3), 250, np.float32), np.zeros((16, 16), np.float32)
    paint[6:10, 6:10], mask[6:10, 6:10] = 40, 1
    grown = composite.grown(Layer(paint, mask, np.eye(2, 3)))
    assert grown.mask[5, 7] == 1
    assert grown.mask[4, 7] == 0
    assert np.array_equal(grown.mask[6:10, 6:10], mask[6:10, 6:10])
    assert np.allclose(grown.paint[grown.mask > 0], 40, atol=0.1)


def test_strength_goes_from_nothing_to_all() -> None:
    picture = smooth(60, 60)
    layer = Layer(np.zeros((60, 60, 3), np.float32), np.ones((60, 60), np.float32), np.eye(2, 3))
    assert np.array_equal(laid_over(Photo.of(picture), layer.weakened(0)).shown, picture)
    half = laid_over(Photo.of(picture), layer.weakened(0.5)).shown
    assert np.abs(half - picture / 2).max() <= 0.51


def test_a_photo_in_other_colours_keeps_its_values_and_gets_the_paint_in_them() -> None:
    picture, profile = smooth(80, 80), wide_profile()
    own = Photo(srgb_of(picture, profile), picture, None, profile)
    affine = geometry.quad_affine(quad((40, 40), 40, 0), 40)
    grey = Layer(np.full((40, 40, 3), (200, 60, 40), np.float32), np.ones((40, 40), np.float32), affine)
    made = laid_over(own, grey)
    within = inside(affine, 40, 80, 80)
    assert np.array_equal(made.own[~within], picture[~within])
    assert made.profile == profile
    seen = srgb_of(made.own, profile)
    assert np.abs(seen[40, 40].astype(int) - (200, 60, 40)).max() <= 2, (
        "as it was painted, to whoever reads the profile"
    )
    assert np.abs(made.own[40, 40].astype(int) - (200, 60, 40)).max() > 8, "and not the same numbers"


def test_transparency_stays_and_what_is_painted_on_it_is_seen() -> None:
    picture = smooth(40, 40)
    alpha = np.full((40, 40), 255, np.uint8)
    alpha[:, 20:] = 0
    image = photo.to_pillow(Photo(picture, picture.copy(), alpha))
    seen = photo.from_pillow(image)
    layer = Layer(
        np.zeros((20, 20, 3), np.float32), np.ones((20, 20), np.float32), np.array([[1.0, 0, -10], [0, 1, -10]])
    )
    made = laid_over(seen, layer)
    assert made.alpha is not None
    assert np.array_equal(made.own[:10], picture[:10]) and np.array_equal(made.alpha[:10], alpha[:10])
    assert made.alpha[20, 25] == 255 and not made.own[20, 25].any()
    flat = np.asarray(srgb.shown(photo.to_pillow(made), None))
    assert np.abs(flat.astype(int) - made.shown).max() <= 1, "what it shows is what it shows on white"


def test_the_paint_alone_laid_over_by_hand_gives_the_photo() -> None:
    picture = smooth(120, 120)
    mask = np.zeros((24, 24), np.float32)
    mask[6:18, 4:20] = 0.7
    layer = Layer(np.full((24, 24, 3), (20, 180, 90), np.float32), mask, np.eye(2, 3) / 4)
    under = photo.to_pillow(Photo.of(picture)).convert("RGBA")
    paint = photo.to_pillow(cut_out(Photo.of(picture), [layer]))
    assert paint.mode == "RGBA" and paint.size == under.size
    by_hand = np.asarray(Image.alpha_composite(under, paint).convert("RGB"))
    assert np.abs(by_hand.astype(int) - laid_over(Photo.of(picture), layer).shown).max() <= 2


def test_colours_are_matched_by_what_changed_least() -> None:
    seen = smooth(64, 64).astype(np.float32) * 0.6 + 40
    around = np.zeros((64, 64), np.float32)
    around[:8] = around[-8:] = around[:, :8] = around[:, -8:] = 1
    paint = seen + np.float32((6, 9, 12))  # a shift everywhere
    paint[-8:, 20:44] = 10  # and dark hair at the lower edge
    made = matched(paint, seen, around)
    assert np.abs(made[:8] - seen[:8]).mean() < 0.6 * np.abs(paint[:8] - seen[:8]).mean()
    assert np.array_equal(matched(paint, seen, np.zeros_like(around)), paint)


def srgb_of(own: RGB, profile: bytes) -> RGB:
    image = Image.fromarray(own)
    return np.asarray(srgb.shown(image, profile))
