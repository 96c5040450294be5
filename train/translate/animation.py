"""Before and after as a picture that moves: GIF, which everything shows, or WebP, which keeps the colours."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from curate.pipeline.imaging import synthetic, warp
from curate.pipeline.imaging.codec import RGB

SUFFIXES = frozenset({".gif", ".webp"})
LONGEST = {".gif": 640, ".webp": 960}  # px of the longer side: it is to be sent to somebody
REST, MOVE = 1200, 60  # ms: a picture stands, and one on the way to the other
BETWEEN = 6  # pictures on the way
QUALITY = 85  # of WebP


def encode(before: RGB, after: RGB, suffix: str, xmp: bytes = b"") -> bytes:
    """`before` that becomes `after` and goes back, for ever, as a file that ends in `suffix`, one of SUFFIXES.

    Both are uint8 [H, W, 3] of one size. Equal pictures give equal bytes.
    """
    longest = LONGEST[suffix.lower()]
    first, last = (warp.thumbnail(one, longest) for one in (before, after))
    way = [_mix(first, last, (i + 1) / (BETWEEN + 1)) for i in range(BETWEEN)]
    frames = [first, *way, last, *way[::-1]]
    return moving(frames, [REST, *[MOVE] * BETWEEN, REST, *[MOVE] * BETWEEN], suffix, xmp)


def moving(frames: Sequence[RGB], times: Sequence[int], suffix: str, xmp: bytes = b"") -> bytes:
    """`frames`, uint8 [H, W, 3] of one size, each shown for so many ms, for ever, as a file that ends in `suffix`."""
    file = io.BytesIO()
    if suffix.lower() == ".webp":
        pictures = [Image.fromarray(frame) for frame in frames]
        settings = {"save_all": True, "append_images": pictures[1:], "duration": list(times), "loop": 0}
        pictures[0].save(file, "WEBP", quality=QUALITY, method=4, xmp=xmp, **settings)
        return file.getvalue()
    pictures = _indexed(frames)
    settings = {"save_all": True, "append_images": pictures[1:], "duration": list(times), "loop": 0, "optimize": False}
    pictures[0].save(file, "GIF", **settings)
    return synthetic.marked(file.getvalue(), xmp) if xmp else file.getvalue()


def _mix(first: RGB, last: RGB, share: float) -> RGB:
    return np.asarray(cv2.addWeighted(first, 1 - share, last, share, 0), np.uint8)


def _indexed(frames: Sequence[RGB]) -> list[Image.Image]:
    """`frames` in the 256 colours that serve first, middle and last best: palettes of their own would flicker."""
    ends = np.concatenate([frames[place][::2, ::2] for place in (0, len(frames) // 2, -1)])
    palette = Image.fromarray(ends).quantize(256, Image.Quantize.MEDIANCUT)
    return [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames]
