"""An artist's icon of an anime-style character: flat colours, one thick outline, big simple shapes, the head at 45
degrees before a disc. Units as in face.py."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.demo import anime, icon_hair, palette
from curate.pipeline.demo.anime import Anime
from curate.pipeline.demo.drawing import WHITE, Array, Canvas, Colour, apply, ellipse, mirror, mix, similarity, smooth
from curate.pipeline.demo.portrait import FeaturePoints, Pose, places

LEAN = -45.0  # degrees, clockwise: the head leans to the left
_SIDE = 2.1  # of the picture, in face widths: what a box of the face with a quarter on each side shows
_DROP = 0.145  # of the middle of the picture below the eyes
_CHEEK: Colour = (0.98, 0.55, 0.52)
_MOUTH: Colour = (0.86, 0.27, 0.30)


@dataclass(frozen=True)
class Icon:
    """The character of `who` in the artist's hand, in `who`'s pose and size; drawing it twice gives the same pixels."""

    who: Anime
    paper: Colour
    disc: Colour
    grain: float  # of 255

    @property
    def width(self) -> int:
        """Of the picture, px."""
        return self.who.width

    @property
    def height(self) -> int:
        """Of the picture, px."""
        return self.who.height

    def draw(self) -> NDArray[np.uint8]:
        """The picture, uint8 RGB [height, width, 3]."""
        who = self.who
        canvas = Canvas(who.height, who.width, who.pose.frame)
        canvas.pixels[:] = self.paper
        canvas.fill(ellipse(0, 0.1, 1.0, 1.0), self.disc)
        for edge in (icon_hair.STICKER, None):  # first everything in white and wider, as on a sticker
            icon_hair.behind(canvas, who.hair, edge)
            _body(canvas, who, edge)
            _head(canvas, who, edge)
            icon_hair.front(canvas, who.hair, edge)
        return canvas.finish(np.random.default_rng(who.seed), 0.0, self.grain)

    def places(self) -> FeaturePoints:
        """The truth about the face in the picture."""
        return places(self.who.eye_x, 0.7 * self.who.chin, self.who.chin, -0.35, self.who.pose)


def sample(rng: np.random.Generator, side: int) -> Icon:
    """A random icon of `side` px each way."""
    unit = side / _SIDE * rng.uniform(0.92, 1.08)
    roll = LEAN + float(np.clip(rng.normal(0, 5), -12, 12))
    to_eyes = apply(similarity(unit, roll, 0, 0), [(0, -_DROP)])[0]
    x, y = (side * rng.uniform(0.48, 0.52) + float(v) for v in to_eyes)
    return of(replace(anime.sample(rng, side, side), pose=Pose(unit, roll, x, y)), rng)


def of(who: Anime, rng: np.random.Generator) -> Icon:
    """`who` as an icon, before a random disc."""
    light, middle, dark, accent = palette.BACKDROPS[rng.integers(len(palette.BACKDROPS))]
    paper = (accent, middle, mix(middle, dark, 0.6))[rng.integers(3)]
    return Icon(who, paper, mix(light, paper, 0.25), grain=rng.uniform(1.0, 2.0))


def _body(canvas: Canvas, who: Anime, edge: float | None) -> None:
    """Neck, shoulders and what is worn at the throat; they stand straighter than the head."""
    head = canvas.frame
    throat = apply(head, [(0, who.chin)])[0]
    canvas.frame = similarity(who.pose.unit, who.pose.roll * 0.8, float(throat[0]), float(throat[1]))
    neck = mirror([(0, -0.2), (0.13, -0.2), (0.14, 0.3), (0, 0.4)])
    icon_hair.bold(canvas, neck, mix(who.skin, icon_hair.INK, 0.22), edge)
    half = smooth([(0.0, 0.22), (0.20, 0.16), (0.50, 0.24), (0.66, 0.50), (0.74, 1.0), (0.76, 2.6)], closed=False)
    icon_hair.bold(canvas, mirror([*half, (0.0, 2.6)]), who.clothes, edge)
    if edge is None:
        knot = mix(who.tones[3], (0.88, 0.25, 0.30), 0.55)
        if who.outfit == "buttons":
            for s in (-1, 1):
                flap = smooth([(0, 0.32), (s * 0.20, 0.08), (s * 0.36, 0.24), (s * 0.18, 0.46)], steps=4)
                icon_hair.bold(canvas, flap, WHITE, None)
        elif who.outfit == "bow":
            for s in (-1, 1):
                wing = smooth([(0, 0.28), (s * 0.26, 0.14), (s * 0.26, 0.44)], steps=4)
                icon_hair.bold(canvas, wing, knot, None)
        else:
            icon_hair.bold(canvas, smooth(mirror([(0, 0.12), (0.28, 0.08), (0.30, 0.24), (0, 0.36)])), knot, None)
    canvas.frame = head


def _head(canvas: Canvas, who: Anime, edge: float | None) -> None:
    c = who.chin
    for s in (-1, 1):
        icon_hair.bold(canvas, ellipse(s * 0.52, 0.12, 0.08, 0.12, -10 * s), who.skin, edge)
    half = [
        (0, -0.62),
        (0.30, -0.55),
        (0.50, -0.32),
        (0.55, 0.0),
        (0.52, 0.22),
        (0.40, 0.39),
        (0.18, c - 0.015),
        (0, c),
    ]
    icon_hair.bold(canvas, smooth(mirror(half)), who.skin, edge)
    if edge is not None:
        return
    for s in (-1, 1):
        canvas.fill(ellipse(s * 0.36, 0.245, 0.095, 0.06), mix(who.skin, _CHEEK, 0.75))
        _eye(canvas, who, s)
    y = 0.64 * c
    if who.smile:
        shape = [(-0.085, y - 0.025), (0.085, y - 0.025), (0.07, y + 0.04), (0, y + 0.075), (-0.07, y + 0.04)]
        icon_hair.bold(canvas, smooth(shape, steps=4), _MOUTH, None, 0.024)
    else:
        canvas.line([(-0.06, y), (0, y + 0.02), (0.06, y)], icon_hair.INK, 0.036, (0.7, 0.7))


def _eye(canvas: Canvas, who: Anime, s: int) -> None:
    """An oval of one colour, its upper half in ink, and one round light."""
    x, w, h = s * who.eye_x, 0.78 * who.eye_w, 0.98 * who.eye_h
    oval = ellipse(x, 0.02, w, h)
    icon_hair.bold(canvas, oval, mix(who.iris, WHITE, 0.22), None, 0.026)
    canvas.fill(ellipse(x, 0.02 - 0.42 * h, w, 0.80 * h), icon_hair.INK, clip=canvas.mask(oval))
    canvas.fill(ellipse(x - 0.36 * w, 0.02 - 0.42 * h, 0.36 * w, 0.30 * h), WHITE)
    brow: Array = smooth([(x - 0.10, -0.235), (x, -0.262 - 0.01), (x + 0.10, -0.235)], closed=False)
    canvas.line(brow, icon_hair.INK, 0.034, (0.7, 0.7))
