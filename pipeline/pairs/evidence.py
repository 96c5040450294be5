"""What the pixels of an Article and a Human picture say about whether they are a pair: measures, no verdicts.

The rules that a person goes by (the article is not only the lower half, the wearer faces the camera and has no other
clothes on) become numbers here; thresholds in params.yaml, section pairs, refuse by them, and the rest is for review.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces import skin
from curate.pipeline.imaging import plain_ground
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.geometry import Box
from curate.pipeline.pairs import heads

_GRID = 48  # px, longest side at which colours are compared: one sample per few px of cloth is enough
_ALIKE = 12.0  # of CIELAB with half the weight on lightness: folds and shadows stay one colour
_SKIN = 16.0  # the same, between the middle of a face and the rest of the skin
_PRESENT = 0.01  # share of a region that a colour covers to count as being there
_STROKE = 0.03  # of the shorter side: how thick at most the strokes of writing are

Lab: TypeAlias = NDArray[np.float32]  # [..., 3], CIE L*a*b* with L halved, so that Euclid's distance is the one above


def border(rgb: RGB) -> float:
    """How plain the ground of `rgb`, uint8 [H, W, 3], is: share of its outermost px near their median colour, 0..1."""
    ring = plain_ground.rim(rgb)
    return float((np.abs(ring.astype(np.int16) - np.median(ring, axis=0)).max(axis=1) <= plain_ground.GROUND).mean())


def shown(rgb: RGB) -> float:
    """Share of `rgb`, uint8 [H, W, 3], 0..1, that shows something: without thin strokes, such as those of writing."""
    side = max(3, round(_STROKE * min(rgb.shape[:2])))
    whole = cv2.morphologyEx(plain_ground.figure(rgb).astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    return float(whole.mean())


def aspect(rgb: RGB) -> float | None:
    """Height of what `rgb`, uint8 [H, W, 3], shows over its width; None for a plain picture."""
    ys, xs = np.nonzero(plain_ground.figure(rgb))
    return float((np.ptp(ys) + 1) / (np.ptp(xs) + 1)) if len(ys) else None


def worn(article: RGB, human: RGB, faces: Sequence[Box]) -> dict[str, float | None]:
    """How much of `article` the person in `human` (uint8 [H, W, 3]) wears; `faces` are boxes in px of `human`.

    `agreement`: share of the article's px whose colour the torso shows, too, 0..1. `others`: share of the torso that
    is neither of the article's colours nor skin nor ground, 0..1; None where the torso cannot be found. `worn_at`:
    where the article's colours lie on the person, in face heights below the chin; None without a face, or where they
    are nowhere below it. `hair`: share of the head that has the one colour of hair, 0..1; 0 with a face, None without a
    head. The torso is below the largest face, else where the article's colours are; `agreement` looks in the middle of
    the picture then. All are None for a blank article.
    """
    small_article, small_human = _sampled(article), _sampled(human)
    cloth = _lab(small_article)[plain_ground.figure(small_article)]
    if not len(cloth):
        return {"agreement": None, "others": None, "worn_at": None, "hair": None}
    colours = _lab(small_human)
    face = max(faces, key=lambda box: box.side, default=None)
    scaled = face.scaled(small_human.shape[1] / human.shape[1]) if face else None
    bare = np.linalg.norm(colours - _skin(colours, scaled), axis=-1) < _SKIN if scaled else skin.mask(small_human)
    own = _near(colours.reshape(-1, 3), cloth).reshape(bare.shape)
    shows = plain_ground.figure(small_human)
    clothed = shows & ~bare
    torso = _torso(small_human.shape[0], small_human.shape[1], scaled)
    garment = torso if scaled else heads.extent(shows & own)
    return {
        "agreement": _covered(cloth, colours[torso]),
        "others": float((clothed & ~own)[garment].mean()) if garment else None,
        "worn_at": _height(clothed & own, scaled) if scaled else None,
        "hair": 0.0 if scaled else heads.hair(small_human, shows & own, shows),
    }


def _height(clothed: NDArray[np.bool_], face: Box) -> float | None:
    """Where the px of `clothed`, [H, W], lie in the mean: heights of `face` below its chin."""
    chin = face.y + face.height
    rows = np.nonzero(clothed[max(0, round(chin)) :])[0]
    return float((rows.mean() + max(0, round(chin)) - chin) / face.height) if len(rows) else None


def _sampled(rgb: RGB) -> RGB:
    """At most _GRID px on a side; px are picked, not mixed: a mean of stripes is a colour that nobody wears."""
    height, width = rgb.shape[:2]
    scale = min(1.0, _GRID / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _lab(rgb: RGB) -> Lab:
    lab: Lab = np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    lab[..., 0] /= 2
    return lab


def _torso(height: int, width: int, face: Box | None) -> tuple[slice, slice]:
    """Rows and columns, never empty."""
    if face is None:
        return slice(height // 4, height * 3 // 4 + 1), slice(width // 4, width * 3 // 4 + 1)
    middle, chin = face.x + face.width / 2, face.y + face.height
    left, right = (int(np.clip(middle + side * face.width, 0, width)) for side in (-0.9, 0.9))
    top, bottom = (int(np.clip(chin + down * face.height, 0, height)) for down in (0.3, 2.8))
    top, left = min(top, height - 1), min(left, width - 1)
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def _skin(colours: Lab, face: Box) -> Lab:
    """The colour of the middle of a face."""
    x, y = face.x + face.width / 2, face.y + face.height / 2
    reach = face.side / 5
    height, width = colours.shape[:2]
    top, left = int(np.clip(y - reach, 0, height - 1)), int(np.clip(x - reach, 0, width - 1))
    patch = colours[top : max(top + 1, round(y + reach)), left : max(left + 1, round(x + reach))]
    return np.asarray(np.median(patch.reshape(-1, 3), axis=0), np.float32)


def _near(colours: Lab, others: Lab) -> NDArray[np.bool_]:
    """Which of `colours` [n, 3] enough of `others` [m, 3] have as well: [n]."""
    squares = (colours**2).sum(1)[:, None] + (others**2).sum(1) - 2 * colours @ others.T
    enough: NDArray[np.bool_] = (squares < _ALIKE**2).mean(axis=1) >= _PRESENT
    return enough


def _covered(cloth: Lab, torso: Lab) -> float:
    return float(_near(cloth, torso.reshape(-1, 3)).mean())
