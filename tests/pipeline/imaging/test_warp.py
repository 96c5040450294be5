"""Crops: the right pixels, whole at any scale, soft where the photo ends, equal to FFHQ's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.faces.ffhq import ffhq_quad
from curate.pipeline.imaging import codec, geometry, warp
from curate.pipeline.imaging.geometry import Box


def boxed(box: Box, size: int, rotate: float = 0.0) -> NDArray[np.float64]:
    return geometry.quad_affine(geometry.box_quad(box, rotate=rotate), size)


def ramps(width: int, height: int) -> NDArray[np.uint8]:
    """A picture whose red is x and whose green is y, over `width` and `height`."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.round(np.linspace(0, 255, width))[None, :]
    image[..., 1] = np.round(np.linspace(0, 255, height))[:, None]
    return image


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / ((a.astype(float) - b) ** 2).mean()))


def test_a_crop_of_the_same_scale_is_the_photo_itself() -> None:
    image = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)
    assert np.array_equal(warp.cut(image, boxed(Box(20, 10, 64, 64), 64), 64), image[10:74, 20:84])


def test_a_quarter_turn_is_exact() -> None:
    image = np.random.default_rng(2).integers(0, 256, (100, 100, 3), np.uint8)
    crop = warp.cut(image, boxed(Box(20, 20, 60, 60), 60, rotate=90), 60)
    assert np.array_equal(crop, np.rot90(image[20:80, 20:80]))


@pytest.mark.parametrize("side", [100, 256, 300, 700, 1100, 2300, 5000])
def test_pixels_lie_where_the_affine_says_at_any_scale(side: int) -> None:
    image = ramps(side * 3 // 2, side * 3 // 2)
    affine = boxed(Box(side / 4, side / 4, side, side), 128, rotate=20)
    crop = warp.cut(image, affine, 128)
    x, y = geometry.source_grid(affine, 128, 128)
    expected = np.stack([x, y], axis=-1) * 255 / (side * 3 // 2 - 1)
    assert np.abs(crop[..., :2] - expected).mean() < 0.6


def test_a_small_face_is_enlarged_without_blur() -> None:
    """Between two squares lies no more than the one raw px that linear interpolation needs."""
    squares = (np.indices((80, 80)) // 8).sum(axis=0) % 2 * 255
    photo = np.repeat(squares[..., None], 3, axis=2).astype(np.uint8)
    crop = warp.cut(photo, boxed(Box(8, 8, 64, 64), 256), 256)
    assert np.isin(crop[16], (0, 255)).mean() >= 1 - 4 / 32


@pytest.mark.parametrize("side", [400, 900, 3000, 5000])  # the last is one of 25 megapixels
def test_no_moire_when_a_fine_pattern_is_shrunk(side: int) -> None:
    stripes = np.zeros((side, side, 3), np.uint8)
    stripes[:, ::2] = 255
    middle = warp.cut(stripes, boxed(Box(side * 0.1, side * 0.1, side * 0.8, side * 0.8), 64, rotate=7), 64)
    assert abs(float(middle.mean()) - 127.5) < 6
    assert middle.std() < 14


def test_past_the_edge_the_photo_fades_to_its_median() -> None:
    image = np.full((200, 200, 3), (40, 90, 160), np.uint8)
    image[:, ::3] = 255  # a third: the mean is not the median
    crop = warp.cut(image, boxed(Box(-100, 0, 200, 200), 128), 128).astype(float)
    off = np.abs(crop.mean(axis=0) - (40, 90, 160)).max(axis=1)
    assert off[80:].mean() > 60
    assert off[0] < 15
    assert (np.diff(off[:60:10]) > 0).all()


def test_past_the_edge_the_photo_is_mirrored_and_blurred_without_a_seam() -> None:
    image = np.random.default_rng(3).integers(0, 256, (300, 300, 3), np.uint8)
    crop = warp.cut(image, boxed(Box(-60, 40, 200, 200), 200), 200)
    outside, inside = crop[:, :50].astype(float), crop[:, 90:].astype(float)
    assert outside.std() < inside.std() / 4
    seam = np.abs(np.diff(crop.astype(float), axis=1)).mean(axis=(0, 2))
    assert seam[58:62].max() < inside.std() * 2


@pytest.mark.parametrize("box", [Box(-500, -500, 100, 100), Box(0, 0, 900, 900), Box(5, 5, 1, 1), Box(-20, 3, 40, 40)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (300, 2), (37, 41)])
def test_every_crop_of_every_photo_exists(box: Box, shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 77, np.uint8)
    crop = warp.cut(image, boxed(box, 32, 33), 32)
    assert crop.shape == (32, 32, 3)
    assert np.abs(crop.astype(int) - 77).max() <= 1


def faces(data: Path) -> list[tuple[str, NDArray[np.uint8], NDArray[np.float64], NDArray[np.uint8]]]:
    """Key, photo, landmarks and official crop of each reference face."""
    known = json.loads((data / "ffhq_reference" / "landmarks.json").read_text("utf-8"))
    found = []
    for key, entry in known.items():
        photo = data / "dlib_faces" / Path(entry["in_the_wild"]["file_path"]).name
        official = data / "ffhq_reference" / f"{int(key):05}.png"
        points = np.array(entry["in_the_wild"]["face_landmarks"], np.float64)
        found.append((key, codec.decode(photo.read_bytes()), points, codec.decode(official.read_bytes())))
    return found


def official_cut(photo: NDArray[np.uint8], affine: NDArray[np.float64]) -> NDArray[np.uint8]:
    return warp.cut(photo, affine, 256, warp.FFHQ_CLEARANCE)


def test_crops_equal_the_official_ffhq_ones(data: Path) -> None:
    values = {}
    for key, photo, points, official in faces(data):
        crop = official_cut(photo, geometry.quad_affine(ffhq_quad(points), 256))
        values[key] = psnr(crop, official)
    assert len(values) == 18
    assert min(values.values()) > 43.5, values
    assert np.median(list(values.values())) > 50, values


def test_the_geometry_is_the_official_one_to_a_tenth_of_a_pixel(data: Path) -> None:
    shifts = [(dx, dy) for dx in (-0.15, 0, 0.15) for dy in (-0.15, 0, 0.15)]
    for key, photo, points, official in faces(data):
        affine = geometry.quad_affine(ffhq_quad(points), 256)
        best = max(shifts, key=lambda shift: psnr(official_cut(photo, _shifted(affine, shift)), official))
        assert best == (0, 0), key


def _shifted(affine: NDArray[np.float64], shift: tuple[float, float]) -> NDArray[np.float64]:
    moved = affine.copy()
    moved[:, 2] += shift
    return moved
