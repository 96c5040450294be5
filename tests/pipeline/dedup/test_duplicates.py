"""Who stands for whom, beside two plain passes over every pair: first against other data sets, then among the crops."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.dedup.duplicates import DuplicateGroups
from curate.pipeline.dedup.fingerprints import THUMB, Fingerprints
from curate.pipeline.dedup.search import CopyRule
from curate.pipeline.hashing.arrays import Positions
from curate.pipeline.hashing.phash import distance, symmetries

RULE = CopyRule(radius=3, likeness=0.0, contrast=1.0, turns=symmetries(("flip",)))
NO_PAIRS, NONE = np.zeros((0, 2), np.int64), np.zeros(0, np.int64)


def drawn(rng: np.random.Generator, count: int, variants: int) -> Fingerprints:
    """Some of few pictures each, so that many are equal, near, mirrored or flat."""
    number = rng.integers(0, 40, count)
    base = np.random.default_rng(5)
    hashes = base.integers(0, 2**64, 4, np.uint64)[np.arange(40) % 4] ^ base.integers(0, 2**7, 40, np.uint64)
    mirrored = np.roll(hashes, 1) ^ base.integers(0, 2**3, 40, np.uint64)
    contrast = np.where(np.arange(40) % 9, 2.0, 0.5).astype(np.float32)
    thumbs = np.repeat((np.arange(40) % 3).astype(np.uint8)[:, None], THUMB, axis=1)
    return Fingerprints(hashes[number], mirrored[number][:, None][:, :variants], contrast[number], thumbs[number])


def are_equal(a: Fingerprints, b: Fingerprints) -> NDArray[np.bool_]:
    return (a.hashes[:, None] == b.hashes) & (a.thumbs[:, None] == b.thumbs).all(axis=2)


def are_copies(a: Fingerprints, b: Fingerprints, *, both_mirrored: bool) -> NDArray[np.bool_]:
    near = distance(a.hashes[:, None], b.hashes) <= RULE.radius
    near |= distance(a.variants[:, :1], b.hashes) <= RULE.radius
    if both_mirrored:
        near |= distance(a.hashes[:, None], b.variants[:, 0]) <= RULE.radius
    near &= (a.contrast >= RULE.contrast)[:, None] & (b.contrast >= RULE.contrast)
    return near | are_equal(a, b)


def plainly(crops: Fingerprints, others: Fingerprints, rank: Positions) -> tuple[list[int], list[int]]:
    """For each crop the one that stands for it, and which of the others does so instead, or -1."""
    equal, near = are_equal(crops, others), are_copies(crops, others, both_mirrored=False)
    found = [np.flatnonzero(equal[i]) if equal[i].any() else np.flatnonzero(near[i]) for i in range(len(rank))]
    foreign = [int(places[0]) if len(places) else -1 for places in found]
    copies = are_copies(crops, crops, both_mirrored=True)
    stands = [i if foreign[i] >= 0 else -1 for i in range(len(rank))]
    for crop in np.argsort(rank).tolist():
        if stands[crop] < 0:
            for other in range(len(rank)):
                if stands[other] < 0 and (other == crop or copies[crop, other]):
                    stands[other] = crop
    return stands, foreign


@pytest.mark.parametrize("budget", [2, 1 << 26])
@pytest.mark.parametrize("seed", range(12))
def test_one_rule_decides_as_two_plain_passes_do(seed: int, budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.pipeline.hashing.clustering.BUDGET", budget)
    rng = np.random.default_rng(seed)
    crops, others = drawn(rng, int(rng.integers(0, 30)), 1), drawn(rng, int(rng.integers(0, 8)), 0)
    rank = rng.permutation(len(crops.hashes))
    groups = DuplicateGroups(crops, others, rank, RULE)
    groups.compare(NO_PAIRS, NONE)
    stands, foreign = groups.stand_ins()
    assert (stands.tolist(), foreign.tolist()) == plainly(crops, others, rank)


def test_pairs_that_are_known_are_not_looked_for_again() -> None:
    rng = np.random.default_rng(1)
    crops, others, rank = drawn(rng, 40, 1), drawn(rng, 5, 0), rng.permutation(40)
    whole = DuplicateGroups(crops, others, rank, RULE)
    pairs = whole.compare(NO_PAIRS, NONE)
    assert pairs is not None
    assert len(pairs)
    assert set(pairs.ravel().tolist()) <= set(whole.bearers.tolist())
    again = DuplicateGroups(crops, others, rank, RULE)
    known = again.group[pairs]
    assert len(again.compare(known, np.unique(again.group))) == len(known)  # type: ignore[arg-type]
    assert [found.tolist() for found in again.stand_ins()] == [found.tolist() for found in whole.stand_ins()]
