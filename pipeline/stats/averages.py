"""The average face of each domain: what all its crops have in common, and how well they are aligned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.imaging import codec, shards
from curate.pipeline.pages.thumbnails import SIDE, Thumb, Thumbs
from curate.pipeline.tables import manifest

FACES = 120  # of a domain, evenly
FEWEST = 8  # that have an average
_UNALIGNED = "none"


def averages(crops: pa.Table, root: Path, thumbs: Thumbs) -> dict[str, Thumb]:
    """The mean of FACES accepted crops, by domain; none of whole pictures, which nothing aligns."""
    crops = manifest.accepted(crops)
    crops = crops.filter(pc.and_(pc.not_equal(crops["align"], _UNALIGNED), pc.is_valid(crops["path"])))
    found = {}
    for domain in sorted(pc.unique(crops["domain"]).to_pylist()):
        paths = crops["path"].filter(pc.equal(crops["domain"], domain))
        places = np.unique(np.linspace(0, len(paths) - 1, FACES).astype(int))
        if thumb := _average(paths.take(pa.array(places)).to_pylist(), root, thumbs):
            found[domain] = thumb
    return found


def _average(paths: Sequence[str], root: Path, thumbs: Thumbs) -> Thumb | None:
    """The mean of the pictures at `paths`; None where fewer than FEWEST can be had."""
    if len(paths) < FEWEST:
        return None
    try:
        return thumbs.drawn("\n".join(["average", *paths]), lambda: _mean(paths, root))
    except _TooFewError:
        return None


class _TooFewError(Exception):
    """Pictures are gone, or damaged."""


def _mean(paths: Sequence[str], root: Path) -> codec.RGB:
    """Of the pictures at `paths`, uint8 [SIDE, SIDE, 3]."""
    total, count = np.zeros((SIDE, SIDE, 3)), 0
    for path in paths:
        try:
            whole = codec.decode(shards.read(root, path))
        except (OSError, codec.ImageError):
            continue
        total += cv2.resize(whole, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        count += 1
    if count < FEWEST:
        raise _TooFewError
    return (total / count).round().astype(np.uint8)
