"""A human-like head, in units of the face width between the ears, origin midway between the eyes.

The outline and features stand in the mean proportions of the 68 landmarks, with light on cheeks and nose bridge and
shade in the eye sockets: what face cascades look for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from curate.pipeline.demo import palette
from curate.pipeline.demo.drawing import WHITE, Array, Canvas, Colour, array, ellipse, luma, mirror, mix, smooth, stroke

Glasses = Literal["round", "square"]

_JAW = (
    (0.50, 0.02),
    (0.49, 0.17),
    (0.47, 0.32),
    (0.43, 0.46),
    (0.375, 0.59),
    (0.30, 0.695),
    (0.205, 0.785),
    (0.105, 0.845),
)
_SKULL = ((0.0, -0.68), (0.17, -0.665), (0.31, -0.60), (0.42, -0.47), (0.48, -0.30), (0.50, -0.12))

_DARK_FROM = 4  # from this skin on, hair is mostly dark
_HAIR_SHARES = ((0.16, 0.18, 0.17, 0.13, 0.11, 0.14, 0.06, 0.05), (0.38, 0.30, 0.12, 0.06, 0.03, 0.03, 0.05, 0.03))


@dataclass(frozen=True)
class Person:
    """What stays the same in every picture of one person. Lengths in face widths."""

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    jaw: float  # width of the jaw, 1 = the mean
    chin: float  # y of the chin
    eye_x: float  # half the distance between the eyes
    eye_w: float  # half the width of an eye
    eye_h: float  # half the height of an eye
    nose_y: float
    mouth_y: float
    mouth_w: float  # half the width of the mouth at rest
    brow: float  # thickness of the brows
    freckles: bool
    beard: bool
    glasses: Glasses | None

    def outline(self) -> Array:
        """The closed outline of the head."""
        jaw = [(x * (self.jaw if y > 0.2 else 1.0), y * self.chin / 0.86) for x, y in _JAW]
        return smooth(mirror([*_SKULL, *jaw, (0.0, self.chin)]))


def sample(rng: np.random.Generator) -> Person:
    """A random person."""
    skin = int(rng.integers(len(palette.SKIN)))
    return Person(
        skin=palette.SKIN[skin],
        hair=palette.HAIR[rng.choice(len(palette.HAIR), p=_HAIR_SHARES[skin >= _DARK_FROM])],
        iris=palette.IRIS[rng.integers(len(palette.IRIS))],
        lips=palette.LIPS[rng.integers(len(palette.LIPS))],
        jaw=rng.uniform(0.93, 1.05),
        chin=rng.uniform(0.82, 0.88),
        eye_x=rng.uniform(0.218, 0.236),
        eye_w=rng.uniform(0.106, 0.120),
        eye_h=rng.uniform(0.047, 0.057),
        nose_y=rng.uniform(0.285, 0.325),
        mouth_y=rng.uniform(0.49, 0.525),
        mouth_w=rng.uniform(0.165, 0.19),
        brow=rng.uniform(0.028, 0.042),
        freckles=bool(rng.random() < 0.12),
        beard=bool(rng.random() < 0.12),
        glasses=(None if rng.random() < 0.88 else "round" if rng.random() < 0.5 else "square"),
    )


def draw(canvas: Canvas, person: Person, smile: float, side: float) -> None:
    """Draws ears and face without hair.

    `smile`: 0 for a grave face to 1 for a full smile. `side`: where the light comes from, -1..1 (right is positive).
    """
    shade = mix(person.skin, (0.45, 0.16, 0.1), 0.42)
    for s in (-1, 1):
        canvas.fill(ellipse(s * 0.505, 0.09, 0.07, 0.135, -8 * s), mix(person.skin, shade, 0.25))
        canvas.fill(ellipse(s * 0.515, 0.09, 0.035, 0.085, -8 * s), shade, 0.5, 0.012)
    outline = person.outline()
    canvas.fill(outline, person.skin)
    skin = canvas.mask(outline)
    _light(canvas, person, skin, side)
    if person.beard:
        _beard(canvas, person, skin, smile)
    _cheeks(canvas, person, skin, smile)
    _nose(canvas, person, shade)
    _mouth(canvas, person, shade, smile)
    for s in (-1, 1):
        _eye(canvas, person, s, smile)
        _brow(canvas, person, s, smile)
    if person.glasses:
        _spectacles(canvas, person)


def _light(canvas: Canvas, person: Person, skin: Array, side: float) -> None:
    gloss = 2.2 - 1.4 * luma(person.skin)  # dark skin shows its highlights more
    spots = [
        (0, -0.34, 0.26, 0.13, 0.09 * gloss),  # forehead
        (0, 0.09, 0.032, 0.14, 0.13 * gloss),  # bridge of the nose
        (0, person.nose_y - 0.02, 0.05, 0.04, 0.07 * gloss),
        (0, person.nose_y + 0.06, 0.08, 0.025, -0.15),  # under the nose
        (0, person.mouth_y + 0.115, 0.11, 0.028, -0.13),  # under the lip
        (0, person.chin - 0.12, 0.10, 0.06, 0.05 * gloss),
        (side * 0.5, 0.1, 0.4, 0.8, 0.09),
        (-side * 0.5, 0.1, 0.4, 0.8, -0.13),
    ]
    for s in (-1, 1):
        spots += [
            (s * 0.26, 0.23, 0.13, 0.10, 0.12 * gloss),  # cheek
            (s * person.eye_x, -0.015, 0.125, 0.070, -0.26),  # eye socket
            (s * 0.075, -0.03, 0.035, 0.07, -0.13),  # root of the nose
            (s * 0.070, 0.18, 0.03, 0.09, -0.07),  # side of the nose
            (s * 0.52, 0.25, 0.10, 0.45, -0.17),  # towards the outline
            (s * 0.36, 0.74, 0.13, 0.14, -0.16),
        ]
    canvas.light(spots, skin)


def _cheeks(canvas: Canvas, person: Person, skin: Array, smile: float) -> None:
    blush = mix(person.skin, (0.86, 0.28, 0.25), 0.5)
    for s in (-1, 1):
        canvas.fill(ellipse(s * 0.285, 0.265, 0.10, 0.065), blush, 0.24 + 0.10 * smile, 0.045, skin)
    if person.freckles:
        tone = mix(person.skin, (0.5, 0.2, 0.1), 0.5)
        for i in range(22):
            x, y = (i % 11 - 5) * 0.062 + 0.011 * (i * 7 % 5), 0.17 + 0.075 * (i // 11) + 0.02 * (i * 5 % 4)
            if abs(x) > 0.06:
                canvas.fill(ellipse(x, y, 0.008, 0.007), tone, 0.5, 0.003, skin)


def _nose(canvas: Canvas, person: Person, shade: Colour) -> None:
    y, dark = person.nose_y, mix(shade, (0.2, 0.05, 0.03), 0.45)
    canvas.fill(ellipse(0, y - 0.045, 0.026, 0.02), mix(person.skin, WHITE, 0.6), 0.35, 0.014)
    for s in (-1, 1):
        canvas.line([(s * 0.072, y - 0.042), (s * 0.092, y - 0.008), (s * 0.070, y + 0.018)], shade, 0.014, opacity=0.6)
        canvas.fill(ellipse(s * 0.038, y + 0.016, 0.021, 0.010, -14 * s), dark, 0.8, 0.004)
    canvas.line([(-0.03, y + 0.026), (0, y + 0.035), (0.03, y + 0.026)], shade, 0.011, opacity=0.6)


def _mouth(canvas: Canvas, person: Person, shade: Colour, smile: float) -> None:
    """From closed lips with low corners to a wide mouth with high ones, parted lips and teeth."""
    parted = max(0.0, (smile - 0.12) / 0.88)
    smile = smile**0.7  # teeth cover the line between the lips: until they are to be seen the corners must move more
    y, w = person.mouth_y, person.mouth_w * (0.9 + 0.46 * smile)
    dark = mix(shade, (0.23, 0.03, 0.045), 0.6 + 0.15 * smile)
    lips = mix(person.lips, person.skin, 0.22 - 0.07 * smile)
    corner = y + 0.022 - 0.088 * smile
    top = _arch(w, corner, [(-0.5, y - 0.03 - 0.014 * smile), (-0.15, y - 0.045 + 0.006 * smile), (0, y - 0.036)])
    line = _arch(w, corner + 0.005, [(-0.4, y + 0.002 - 0.020 * smile), (0, y + 0.004 - 0.014 * smile)])
    low = _arch(w, corner, [(-0.5 - 0.12 * smile, y + 0.048 + 0.016 * smile), (0, y + 0.058 + 0.058 * smile)])
    canvas.fill(np.concatenate([line, low[::-1]]), lips)
    canvas.fill(np.concatenate([top, line[::-1]]), mix(lips, shade, 0.2 * (1 - smile)))
    canvas.fill(ellipse(0, y + 0.032 + 0.066 * smile, 0.38 * w, 0.010), mix(lips, WHITE, 0.7), 0.4, 0.008)
    canvas.line([(-1.02 * w, corner + 0.003), *line[len(line) // 4 :: len(line) // 4][:3], (1.02 * w, corner + 0.003)],
                dark, 0.016, opacity=0.9 - 0.5 * parted)  # fmt: skip
    _teeth(canvas, w, line, dark, parted)
    for s in (-1, 1):
        ends = [(s * (w - 0.01), corner + 0.006), (s * (w + 0.022), corner - 0.016)]
        canvas.line(ends, shade, 0.018, opacity=0.8 * smile)
        fold = [(s * 0.122, person.nose_y + 0.01), (s * 0.2, person.nose_y + 0.06), (s * (w + 0.045), y - 0.065)]
        canvas.line(fold, shade, 0.020, opacity=0.4 * smile, soft=0.01)


def _arch(w: float, corner: float, left: list[tuple[float, float]]) -> Array:
    """A curve from corner to corner of a mouth of half width `w`; `left`: x in half widths and y, to the middle."""
    half = [(-w, corner), *((x * w, y) for x, y in left)]
    return smooth([*half, *((-x, y) for x, y in half[-2::-1])], closed=False)


def _teeth(canvas: Canvas, w: float, line: Array, dark: Colour, parted: float) -> None:
    """What shows between lips that are `parted` (0..1) below the line where they meet: teeth, first in shadow."""
    top = line * array([0.9, 1])
    drop = 0.088 * parted * np.maximum(0, 1 - (top[:, :1] / (0.9 * w)) ** 2) * array([0, 1])
    canvas.fill(np.concatenate([top, (top + drop)[::-1]]), dark)
    inside = canvas.mask(np.concatenate([top, (top + drop)[::-1]]))
    canvas.fill(
        np.concatenate([top, (top + 0.72 * drop)[::-1]]),
        (0.97, 0.955, 0.93),
        0.96 * min(1.0, 4.0 * parted),
        0.003,
        inside,
    )


def _eye(canvas: Canvas, person: Person, s: int, smile: float) -> None:
    x, w = s * person.eye_x, person.eye_w
    h = person.eye_h * (1 - 0.14 * smile)
    low = h * (0.74 - 0.12 * smile)
    upper = [(x - w, 0.006), (x - 0.5 * w, -0.78 * h), (x, -h), (x + 0.5 * w, -0.78 * h), (x + w, 0.006)]
    upper[4 if s > 0 else 0] = (x + s * w, -0.006)  # the outer corner stands a little higher
    lower = [(x + w, upper[4][1]), (x + 0.5 * w, 0.78 * low), (x, low), (x - 0.5 * w, 0.78 * low), (x - w, upper[0][1])]
    lids = np.concatenate([smooth(upper, closed=False), smooth(lower, closed=False)])
    white = mix(mix((0.74, 0.71, 0.70), WHITE, 0.5), person.skin, 0.62 - 0.5 * luma(person.skin))
    canvas.fill(lids, white)
    ball = canvas.mask(lids)
    r = 0.053
    canvas.fill(ellipse(x, -0.004, r, r), mix(person.iris, (0.05, 0.03, 0.03), 0.55), 1, 0.003, ball)
    canvas.fill(ellipse(x, 0.002, 0.8 * r, 0.8 * r), person.iris, 1, 0.007, ball)
    canvas.fill(ellipse(x, 0.018, 0.5 * r, 0.4 * r), mix(person.iris, WHITE, 0.45), 0.55, 0.007, ball)
    canvas.fill(ellipse(x, -0.004, 0.46 * r, 0.46 * r), (0.03, 0.02, 0.02), 1, 0.003, ball)
    canvas.fill(ellipse(x, -h, 1.1 * w, 0.45 * h), (0.25, 0.16, 0.14), 0.5, 0.010, ball)  # the lid's shadow
    canvas.fill(ellipse(x + 0.015, -0.02, 0.012, 0.012), WHITE, 0.95, 0.002)
    canvas.fill(ellipse(x - 0.014, 0.014, 0.006, 0.006), WHITE, 0.6, 0.002)
    lash = mix(person.hair, (0.08, 0.05, 0.05), 0.82)
    wing = [(x - s * w, 0.008), *(upper[1:4] if s > 0 else upper[3:0:-1]), (x + s * (w + 0.018), -0.016)]
    canvas.fill(stroke(wing, 0.025, (0.25, 0.55)), lash)
    skin_shade = mix(person.skin, (0.3, 0.1, 0.06), 0.5)
    canvas.line([(p, q + 0.004) for p, q in lower], skin_shade, 0.010, opacity=0.75)
    canvas.line([(p, q - 0.036) for p, q in upper], skin_shade, 0.012, (0.1, 0.1), opacity=0.55)


def _brow(canvas: Canvas, person: Person, s: int, smile: float) -> None:
    x, y = s * person.eye_x, -0.128 - 0.012 * smile
    tone = min(mix(person.hair, (0, 0, 0), 0.25), mix(person.skin, (0, 0, 0), 0.5), key=luma)
    path = [
        (x - s * 0.115, y + 0.006),
        (x - s * 0.02, y - 0.016),
        (x + s * 0.07, y - 0.020),
        (x + s * 0.145, y + 0.020),
    ]
    canvas.fill(stroke(path, person.brow * 1.1, (0.55, 0.2)), tone, 0.88, 0.006)


def _beard(canvas: Canvas, person: Person, skin: Array, smile: float) -> None:
    """It gives way to the mouth: what hides the corners of a smile hides the smile."""
    tone = mix(person.hair, (0.1, 0.07, 0.06), 0.3)
    y, wide, up = person.mouth_y, 0.07 * smile, 0.07 * smile
    half = [(0, y + 0.092 + 0.06 * smile), (0.11, y + 0.082 + 0.05 * smile), (0.245 + wide, y + 0.03 - 0.4 * up),
            (0.275 + wide, y - 0.07 - up), (0.35 + 0.4 * wide, y - 0.15 - 0.4 * up), (0.46, 0.06),
            (0.56, 0.1), (0.52, 0.5), (0.36, 0.84), (0.12, 0.98), (0, 1.0)]  # fmt: skip
    canvas.fill(smooth(mirror(half)), tone, 0.85, 0.016, skin)
    for s in (-1, 1):
        ends = [(s * (0.2 + wide), y - 0.062 - up), (s * (0.262 + wide), y + 0.045 - up)]
        lip = [(s * 0.015, y - 0.088), (s * 0.10, y - 0.094), *ends]
        canvas.fill(stroke(lip, 0.050, (0.7, 0.5)), tone, 0.85, 0.010)


def _spectacles(canvas: Canvas, person: Person) -> None:
    rim = mix(person.hair, (0.24, 0.18, 0.18), 0.6)
    for s in (-1, 1):
        x = s * (person.eye_x + 0.008)
        if person.glasses == "round":
            lens = ellipse(x, 0.02, 0.158, 0.150)
        else:
            lens = smooth(
                [(x - 0.165, -0.085), (x + 0.165, -0.085), (x + 0.15, 0.115), (x, 0.135), (x - 0.15, 0.115)], steps=8
            )
        canvas.fill(lens, WHITE, 0.07)
        canvas.line([(x - 0.07, 0.075), (x + 0.06, -0.06)], WHITE, 0.02, opacity=0.16)
        canvas.fill(stroke(np.concatenate([lens[::3], lens[:1]]), 0.014, (1, 1)), rim, 0.85)
        canvas.line([(s * (person.eye_x + 0.165), -0.01), (s * 0.5, -0.03)], rim, 0.02, (1, 0.8))
    canvas.line([(-person.eye_x + 0.15, 0.005), (0, -0.018), (person.eye_x - 0.15, 0.005)], rim, 0.017, (1, 1))
