"""A run as a moving picture: held-out images on top, and below them what the networks make of these, step after step.

It is a GIF, which everything shows; one palette for all frames keeps it small, and what stands still is stored once.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image

from curate.pipeline.imaging import synthetic
from curate.pipeline.imaging.codec import RGB

SHOWN = 4  # pictures of a group side by side, at the most
SIDE = 128  # px, the longer side of a picture
GAP = 4  # px of white around each
FOOT = 22  # px below, for the step and how far that is
SECONDS, LAST_SECONDS = 0.25, 2.5  # that a frame, and the last one, are shown
COLOURS = 255  # one more is left for what does not change
_INK, _DONE, _LEFT = (40, 40, 40), (58, 122, 204), (224, 224, 224)

Groups = Sequence[Sequence[RGB]]  # pictures, uint8 [H, W, 3], of each way of translation


def gif(first: Groups, made: Mapping[int, Groups], steps: int) -> bytes:
    """The GIF of `made`, by step, below the images `first` that it was made of. `steps` is the whole run's length."""
    frames = [Image.fromarray(_frame(first, groups, step, steps)) for step, groups in sorted(made.items())]
    palette = _palette([frames[0], frames[len(frames) // 2], frames[-1]])
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    times = [int(1000 * SECONDS)] * (len(frames) - 1) + [int(1000 * LAST_SECONDS)]
    buffer = io.BytesIO()
    indexed[0].save(buffer, "GIF", save_all=True, append_images=indexed[1:], duration=times, loop=0)
    return synthetic.marked(buffer.getvalue(), synthetic.xmp())


def _palette(frames: Sequence[Image.Image]) -> Image.Image:
    """The colours that serve all frames, found in `frames` at a quarter of their size."""
    small = [np.asarray(frame.resize((frame.width // 4, frame.height // 4))) for frame in frames]
    return Image.fromarray(np.concatenate(small)).quantize(COLOURS, Image.Quantize.MEDIANCUT)


def _frame(first: Groups, made: Groups, step: int, steps: int) -> RGB:
    blocks = [np.concatenate([_row(seen), _row(own)]) for seen, own in zip(first, made, strict=True) if seen]
    width = max(block.shape[1] for block in blocks) + GAP
    whole = np.concatenate([_padded(block, width) for block in blocks] + [np.full((FOOT, width, 3), 255, np.uint8)])
    top, right = len(whole) - FOOT, width - GAP
    label = f"step {step:,} of {steps:,}" if step else "untrained"
    cv2.putText(whole, label, (GAP, top + 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
    left = min(GAP + 140, right - 40)
    cv2.rectangle(whole, (left, top + 8), (right, top + 12), _LEFT, -1)
    cv2.rectangle(whole, (left, top + 8), (left + round((right - left) * step / steps), top + 12), _DONE, -1)
    return whole


def _row(pictures: Sequence[RGB]) -> RGB:
    """The first SHOWN of `pictures` side by side on white."""
    framed = []
    for picture in pictures[:SHOWN]:
        scale = SIDE / max(picture.shape[:2])
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        large = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
        framed.append(np.pad(large, ((GAP // 2, GAP // 2), (GAP, 0), (0, 0)), constant_values=255))
    row: RGB = np.concatenate(framed, axis=1)
    return row


def _padded(block: RGB, width: int) -> RGB:
    return np.pad(block, ((0, 0), (0, width - block.shape[1]), (0, 0)), constant_values=255)
