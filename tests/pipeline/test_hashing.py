"""Hashes equal to imagehash's, neighbours complete, clusters proof against chains."""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pipeline import hashing
from tests.pipeline import faces


def pictures() -> dict[str, NDArray[np.uint8]]:
    """Easy and hard ones: drawn faces, flat colours, ramps, noise, blocks, odd shapes."""
    rng = np.random.default_rng(5)
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (256, 256, 3))
    blocks = np.kron(rng.integers(0, 2, (8, 8), np.uint8) * 255, np.ones((16, 16), np.uint8))
    return {
        **{f"face {seed}": faces.photo(seed) for seed in range(4)},
        **{f"flat {value}": np.full((50, 70, 3), value, np.uint8) for value in (0, 1, 7, 128, 255)},
        "ramp": np.ascontiguousarray(ramp),
        "falling ramp": np.ascontiguousarray(ramp[:, ::-1].transpose(1, 0, 2)),
        "blocks": np.repeat(blocks[..., None], 3, axis=2),
        **{f"noise {n}": rng.integers(0, 256, (n, 2 * n, 3), np.uint8) for n in (1, 8, 31, 32, 33, 200)},
    }


@pytest.mark.parametrize("picture", pictures().values(), ids=pictures().keys())
def test_the_hash_is_imagehash_s_bit_for_bit(picture: NDArray[np.uint8]) -> None:
    assert hashing.phash(picture) == int(str(imagehash.phash(Image.fromarray(picture))), 16)


def test_a_picture_hashes_alike_alone_and_among_others() -> None:
    all_ = list(pictures().values())
    assert hashing.phashes(all_).tolist() == [hashing.phash(picture) for picture in all_]
    assert len(hashing.phashes([])) == 0


def brute(hashes: NDArray[np.uint64], radius: int) -> NDArray[np.int64]:
    return np.argwhere(np.triu(hashing.distance(hashes[:, None], hashes[None, :]) <= radius, 1))


def crowd(count: int, seed: int) -> NDArray[np.uint64]:
    """Random hashes, some of them copies of others with a few bits turned."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, count, np.uint64)
    for i in range(count // 2, count):
        bits = rng.choice(64, rng.integers(0, 13), replace=False).astype(np.uint64)
        hashes[i] = hashes[rng.integers(0, count // 2)] ^ np.bitwise_or.reduce(np.uint64(1) << bits, initial=0)
    return hashes


@pytest.mark.parametrize("radius", [0, 1, 3, 4, 8, 10, 13])
def test_no_neighbour_is_missed(radius: int) -> None:
    hashes = crowd(600, radius)
    assert len(brute(hashes, radius)) > 10
    np.testing.assert_array_equal(hashing.neighbours(hashes, radius), brute(hashes, radius))


@given(st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 3, 2**63]), max_size=12), st.integers(0, 12))
@settings(deadline=None, max_examples=40)
def test_neighbours_of_any_few(values: list[int], radius: int) -> None:
    hashes = np.array(values, np.uint64)
    np.testing.assert_array_equal(hashing.neighbours(hashes, radius), brute(hashes, radius).reshape(-1, 2))


def test_a_chain_is_not_swallowed() -> None:
    # Each is 4 bits from the next, the ends 16 apart.
    chain = np.array([(1 << bits) - 1 for bits in (0, 4, 8, 12, 16)], np.uint64)
    stands = hashing.leaders(chain, np.array([2, 0, 1, 3, 4]), radius=4)
    assert stands.tolist() == [1, 1, 1, 3, 3]
    assert hashing.components(5, hashing.neighbours(chain, 4)).tolist() == [0] * 5


def slow_leaders(hashes: NDArray[np.uint64], rank: NDArray[np.int64], radius: int) -> list[int]:
    leader = [-1] * len(hashes)
    for item in np.argsort(rank):
        if leader[item] < 0:
            for other in range(len(hashes)):
                if leader[other] < 0 and hashing.distance(hashes[item], hashes[other]) <= radius:
                    leader[other] = int(item)
    return leader


@pytest.mark.parametrize("seed", range(4))
def test_leaders_are_those_of_the_plain_rule(seed: int) -> None:
    hashes = np.concatenate([crowd(100, seed), crowd(100, seed)])
    rank = np.random.default_rng(seed).permutation(200)
    assert hashing.leaders(hashes, rank, 8).tolist() == slow_leaders(hashes, rank, 8)


def test_a_thousand_equal_pictures_have_one_leader() -> None:
    rank = np.random.default_rng(0).permutation(20_000)
    stands = hashing.leaders(np.zeros(20_000, np.uint64), rank, 8)
    assert (stands == np.argmin(rank)).all()
