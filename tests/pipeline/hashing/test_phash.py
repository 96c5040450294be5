"""Hashes equal to imagehash's, also of pictures seen another way; what they have to go by."""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from curate.pipeline.hashing import phash
from curate.pipeline.hashing.phash import Symmetry
from tests.support import drawn_people


def pictures() -> dict[str, NDArray[np.uint8]]:
    """Easy and hard ones: drawn faces, flat colours, ramps, noise, blocks, odd shapes."""
    rng = np.random.default_rng(5)
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (256, 256, 3))
    blocks = np.kron(rng.integers(0, 2, (8, 8), np.uint8) * 255, np.ones((16, 16), np.uint8))
    return {
        **{f"face {seed}": drawn_people.photo(seed) for seed in range(4)},
        **{f"flat {value}": np.full((50, 70, 3), value, np.uint8) for value in (0, 1, 7, 128, 255)},
        "ramp": np.ascontiguousarray(ramp),
        "falling ramp": np.ascontiguousarray(ramp[:, ::-1].transpose(1, 0, 2)),
        "blocks": np.repeat(blocks[..., None], 3, axis=2),
        **{f"noise {n}": rng.integers(0, 256, (n, 2 * n, 3), np.uint8) for n in (1, 8, 31, 32, 33, 200)},
    }


@pytest.mark.parametrize("picture", pictures().values(), ids=pictures().keys())
def test_the_hash_is_imagehash_s_bit_for_bit(picture: NDArray[np.uint8]) -> None:
    assert phash.phash(picture) == int(str(imagehash.phash(Image.fromarray(picture))), 16)


def test_a_picture_hashes_alike_alone_and_among_others() -> None:
    all_ = list(pictures().values())
    assert phash.phashes(all_).tolist() == [phash.phash(picture) for picture in all_]
    assert len(phash.phashes([])) == 0


SEEN = {
    Symmetry(False, False, True): lambda rgb: rgb[:, ::-1],
    Symmetry(True, True, False): np.rot90,
    Symmetry(False, True, True): lambda rgb: np.rot90(rgb, 2),
    Symmetry(True, False, True): lambda rgb: np.rot90(rgb, 3),
    Symmetry(True, True, True): lambda rgb: np.rot90(rgb)[:, ::-1],
    Symmetry(False, True, False): lambda rgb: rgb[::-1],
    Symmetry(True, False, False): lambda rgb: rgb.transpose(1, 0, 2),
}


def test_the_ways_to_see_a_picture() -> None:
    assert phash.symmetries([]) == ()
    assert len(phash.symmetries(["flip"])) == 1
    assert len(phash.symmetries(["rot90"])) == 3
    assert set(phash.symmetries(["rot90", "flip"])) == SEEN.keys()


@pytest.mark.parametrize("turn", SEEN, ids=str)
def test_a_turned_picture_s_hash_follows_from_the_picture(turn: Symmetry) -> None:
    for seed in range(6):
        picture = drawn_people.photo(seed)
        ours = phash.signs(phash.turned(phash.spectra([picture]), turn))[0]
        theirs = phash.phash(np.ascontiguousarray(SEEN[turn](picture)))
        assert phash.distance(ours, theirs) <= 2  # Pillow rounds across and down in that order


def test_contrast_is_the_deviation_of_luma() -> None:
    wave = 128 + 40 * np.cos(np.pi * (np.arange(256) + 0.5) / 256 * 3)
    picture = np.broadcast_to(wave[None, :, None].round(), (256, 256, 3)).astype(np.uint8)
    flat = np.full((64, 64, 3), 90, np.uint8)
    noisy = (flat + np.random.default_rng(0).integers(-3, 4, flat.shape)).astype(np.uint8)
    found = phash.contrast(phash.spectra([picture, flat, noisy]))
    assert found[0] == pytest.approx(40 / np.sqrt(2), rel=0.01)
    assert found[1] == pytest.approx(0, abs=1e-6)
    assert found[2] < 1
    assert min(phash.contrast(phash.spectra([drawn_people.photo(seed) for seed in range(4)]))) > 5
