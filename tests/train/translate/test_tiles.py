"""Whole photos: what comes back has the photo's size, no seams, and is what the networks make of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from curate.pipeline.imaging.codec import RGB
from curate.train.networks.resnet import ResnetGenerator
from curate.train.recipes.ugatit.networks import AttentionGenerator
from curate.train.translate import tiles


def noise(height: int, width: int) -> RGB:
    made: RGB = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    return made


class Network:
    """Inverts its images, and remembers their sizes."""

    def __init__(self, offset: float = 0.0) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.offset = offset

    def __call__(self, pixels: RGB) -> NDArray[np.float32]:
        self.sizes.append(pixels.shape[:2])
        return (255 - pixels.astype(np.float32)) + self.offset * len(self.sizes)


@pytest.mark.parametrize("size", [(64, 64), (1, 1), (4, 300), (37, 99), (31, 33)])
def test_any_size_comes_back_and_the_networks_see_what_they_take(size: tuple[int, int]) -> None:
    network, photo = Network(), noise(*size)
    assert np.array_equal(tiles.through(photo, network), 255 - photo)
    ((height, width),) = network.sizes
    assert height % tiles.STEP == width % tiles.STEP == 0
    assert min(height, width) >= tiles.LEAST
    assert height - size[0] < max(tiles.STEP, tiles.LEAST - size[0] + 1)


@pytest.mark.parametrize("size", [(101, 230), (64, 65), (63, 700), (300, 41), (190, 191)])
def test_tiles_add_up_to_the_photo(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE", 64)
    monkeypatch.setattr(tiles, "OVERLAP", 16)
    network, photo = Network(), noise(*size)
    assert np.array_equal(tiles.through(photo, network), 255 - photo)
    if size[0] * size[1] > 64 * 64:
        assert network.sizes.pop(0)[0] * 4 * 4 <= 80 * 80 * 4 * 4, "the photo made small, for its measures"
        assert max(side for each in network.sizes for side in each) <= 64


def test_where_tiles_differ_one_becomes_the_other_without_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE", 64)
    monkeypatch.setattr(tiles, "OVERLAP", 16)
    made = tiles.through(np.full((100, 100, 3), 200, np.uint8), Network(offset=12.0)).astype(int)
    assert made.max() - made.min() > 30, "the tiles do differ"
    assert np.abs(np.diff(made, axis=0)).max() <= 3
    assert np.abs(np.diff(made, axis=1)).max() <= 3


@pytest.mark.parametrize("length", [1, tiles.TILE, tiles.TILE + 1, 2 * tiles.TILE - 3, 12_000, 20_000])
def test_tiles_cover_everything_once(length: int) -> None:
    places = tiles.spans(length)
    assert places[0][0] == 0 and places[-1][1] == length
    assert all(end - start <= tiles.TILE for start, end in places)
    total = np.zeros(length)
    for index, (start, end) in enumerate(places):
        total[start:end] += tiles.ramps(places, index)
    assert np.abs(total - 1).max() < 1e-5
    for (_, end), (start, _) in pairwise(places):
        assert tiles.OVERLAP - 1 <= end - start <= tiles.OVERLAP + 1


@pytest.mark.parametrize("network", ["resnet", "light"])
def test_tiles_of_a_network_that_normalises_are_those_of_the_photo_at_once(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    made: torch.nn.Module = (
        ResnetGenerator(4, 1) if network == "resnet" else AttentionGenerator(4, 1, light=True, size=0)
    )
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.2)

    def render(pixels: RGB) -> NDArray[np.float32]:
        with torch.no_grad():
            out = made(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1)
        out = out if isinstance(out, torch.Tensor) else out.out
        values: NDArray[np.float32] = ((out + 1) * 127.5)[0].permute(1, 2, 0).numpy()
        return values

    ramp = np.add.outer(np.arange(160), np.arange(160) // 2)  # its left and its right differ
    photo = np.stack([ramp, 240 - ramp, ramp // 2], 2).astype(np.uint8)
    at_once = tiles.through(photo, render).astype(int)
    monkeypatch.setattr(tiles, "TILE", 96)
    monkeypatch.setattr(tiles, "OVERLAP", 32)
    tiled = tiles.through(photo, render).astype(int)
    assert np.abs(tiled - at_once).mean() < 0.3 * at_once.std()
    apart = np.concatenate(
        [render(np.ascontiguousarray(photo[:80, :80])), render(np.ascontiguousarray(photo[:80, 80:]))], 1
    )
    assert np.abs(apart - at_once[:80]).mean() > 2 * np.abs(tiled - at_once)[:80].mean(), "each by itself differs"
