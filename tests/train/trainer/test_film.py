"""The moving picture of a run."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageSequence

from curate.train.trainer import film


def picture(value: int, height: int = 64, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_the_inputs_stand_still_above_what_becomes_of_them() -> None:
    first = [[picture(40)] * 2, [picture(80)] * 2]
    levels = {0: 120, 50: 160, 100: 200}
    made = {step: [[picture(level)] * 2, [picture(level + 20)] * 2] for step, level in levels.items()}
    content = film.gif(first, made, 100)
    shown = Image.open(io.BytesIO(content))
    frames = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(shown)]
    pitch, middle = film.SIDE + film.GAP, film.SIDE // 2
    assert frames[0].shape == (4 * pitch + film.FOOT, 2 * pitch + film.GAP, 3)
    seen = [[frame[row * pitch + middle, middle, 0] for row in range(4)] for frame in frames]
    assert np.abs(np.subtract(seen, [[40, 120, 80, 140], [40, 160, 80, 180], [40, 200, 80, 220]])).max() <= 4
    blue = [int(((frame[-film.FOOT :, :, 2] - frame[-film.FOOT :, :, 0]) > 60).any(0).sum()) for frame in frames]
    assert blue[0] <= 1 < blue[1] < blue[2], "the bar grows with the steps"
    durations = [frame.info["duration"] for frame in ImageSequence.Iterator(shown)]
    assert durations[-1] > 2000 > durations[0], "the result stays to be looked at"


def test_no_more_pictures_than_can_be_looked_at_and_tall_ones_keep_their_shape() -> None:
    shown = Image.open(io.BytesIO(film.gif([[picture(0, 64, 48)] * 9], {7: [[picture(255, 64, 48)] * 9]}, 7)))
    assert shown.size == (film.SHOWN * (96 + film.GAP) + film.GAP, 2 * (film.SIDE + film.GAP) + film.FOOT)
