"""The average face of each domain: what all its crops have in common, and how well they are aligned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
    """The mean of the pictures at `paths` that are square."""
    total, count = np.zeros((SIDE, SIDE, 3)), 0
    for path in paths:
        try:
            small = codec.thumbnail(codec.decode(shards.read(root, path)), SIDE)
        except (OSError, codec.ImageError):
            continue
        if small.shape == total.shape:
            total += small
            count += 1
    if count < FEWEST:
        return None
    return thumbs.drawn((total / count).round().astype(np.uint8), "\n".join(["average", *paths]))
