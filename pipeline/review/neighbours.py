"""What a crop's nearest neighbours say of the domain that it is in; features in, votes out.

Every crop asks the most like it, by the angle between their features, which domain they are of. A vote weighs one over
the root of how many crops its domain has: so a small domain is not taken for a mistake in a large one, and one stray
crop of it does not outvote fourteen others, which it would with the full inverse.
Whoever shares a picture or a person with the crop has no vote: copies would vouch for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Features: TypeAlias = NDArray[np.float32]  # [n, d]
Numbers: TypeAlias = NDArray[np.int64]  # [n]

VOTERS = 15
SHOWN = 3  # neighbours that are named
AXES = 128  # along which features differ the most: the rest is noise, and costs time
_BLOCK = 1024  # crops compared at once with all others
_NO_VOTE = -2.0  # below any cosine


@dataclass(frozen=True)
class Votes:
    """What the neighbours of each of n crops say."""

    score: NDArray[np.float64]  # [n] share of the votes against its domain, 0..1
    voted: Numbers  # [n] the other domain that has most of the votes
    order: Numbers  # [n] the crops, the most doubtful first
    nearest: Numbers  # [n, SHOWN] the nearest that have a vote; -1 where there are fewer


def vote(features: Features, domains: Numbers, groups: Sequence[Numbers]) -> Votes:
    """Asks the VOTERS nearest of each crop. `domains` are numbers from 0, `groups` numbers of what crops share.

    Of equal scores the one that is nearer to the others' than to its own comes first. Raises ValueError for less than
    two domains.
    """
    count, kinds = len(features), int(domains.max(initial=0)) + 1
    if kinds < 2:
        raise ValueError("one domain has no neighbours")
    weights = 1.0 / np.sqrt(np.maximum(np.bincount(domains, minlength=kinds), 1))
    score, closer, voted = np.zeros(count), np.zeros(count), np.zeros(count, np.int64)
    nearest = np.full((count, SHOWN), -1, np.int64)
    for start in range(0, count, _BLOCK):
        rows = slice(start, min(start + _BLOCK, count))
        alike = features[rows] @ features.T
        for group in groups:
            alike[group[rows, None] == group[None]] = _NO_VOTE
        alike[np.arange(rows.stop - start), np.arange(start, rows.stop)] = _NO_VOTE
        most = min(VOTERS, count)
        chosen = np.argpartition(-alike, most - 1, axis=1)[:, :most]
        values = np.take_along_axis(alike, chosen, 1)
        turn = np.argsort(-values, axis=1, kind="stable")
        chosen, values = np.take_along_axis(chosen, turn, 1), np.take_along_axis(values, turn, 1)
        ballots = np.where(values > _NO_VOTE, weights[domains[chosen]], 0.0)
        tally = np.stack([(ballots * (domains[chosen] == kind)).sum(1) for kind in range(kinds)], 1)
        own, here = domains[rows], np.arange(rows.stop - start)
        against = tally.sum(1) - tally[here, own]
        score[rows] = against / np.maximum(tally.sum(1), 1e-12)
        closer[rows] = (ballots * values * np.where(domains[chosen] == own[:, None], -1.0, 1.0)).sum(1)
        tally[here, own] = -1.0
        voted[rows] = tally.argmax(1)
        named = np.where(values > _NO_VOTE, chosen, -1)[:, :SHOWN]
        nearest[rows, : named.shape[1]] = named
    return Votes(score, voted, np.lexsort((-closer, -score.round(6))), nearest)


def directions(features: Features) -> Features:
    """`features` [n, d] as seen from their mean, of length 1, along the AXES in which they differ the most."""
    centred = features.astype(np.float32) - features.mean(0, dtype=np.float64).astype(np.float32)
    if min(centred.shape) > AXES:
        _, axes = np.linalg.eigh(centred.T @ centred) if len(centred) > centred.shape[1] else _dual(centred)
        centred = centred @ axes[:, -AXES:]
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)


def _dual(centred: Features) -> tuple[Features, Features]:
    """The eigenvalues of the covariance of fewer rows than columns, rising, and its axes [d, n]."""
    values, vectors = np.linalg.eigh(centred @ centred.T)
    return values, (centred.T @ vectors) / np.sqrt(np.maximum(values, 1e-6 * values[-1]))
