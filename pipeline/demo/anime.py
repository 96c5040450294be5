"""An anime-style face: large eyes, pointed chin, flat colours, dark outlines. Units as in face.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.demo import anime_hair, backdrop, palette
from curate.pipeline.demo.anime_hair import AnimeHair
from curate.pipeline.demo.backdrop import Tones
from curate.pipeline.demo.drawing import (
    WHITE,
    Array,
    Canvas,
    Colour,
    apply,
    array,
    ellipse,
    mirror,
    mix,
    similarity,
    smooth,
    stroke,
)
from curate.pipeline.demo.palette import ink
from curate.pipeline.demo.portrait import FeaturePoints, Pose, places


@dataclass(frozen=True)
class Anime:
    """Everything that an anime-style picture shows; drawing it twice gives the same pixels."""

    skin: Colour
    hair: AnimeHair
    iris: Colour
    clothes: Colour
    smile: bool
    eye_x: float
    eye_w: float
    eye_h: float
    chin: float
    outfit: str  # bow, scarf or buttons
    setting: str  # a kind of backdrop
    tones: Tones
    width: int
    height: int
    pose: Pose
    blur: float
    noise: float
    seed: int

    def draw(self) -> NDArray[np.uint8]:
        """The picture, uint8 RGB [height, width, 3]."""
        rng = np.random.default_rng(self.seed)
        canvas = Canvas(self.height, self.width, self.pose.frame)
        backdrop.paint(canvas, self.setting, self.tones, rng, 0.004)
        anime_hair.behind(canvas, self.hair)
        _body(canvas, self)
        _face(canvas, self)
        anime_hair.front(canvas, self.hair)
        return canvas.finish(rng, self.blur, self.noise)

    def places(self) -> FeaturePoints:
        """The truth about the face in the picture."""
        return places(self.eye_x, _mouth_y(self), self.chin, -0.35, self.pose)


def sample(rng: np.random.Generator, width: int, height: int) -> Anime:
    """A random anime-style picture of that size."""
    unit = rng.uniform(0.30, 0.42) * min(width, height)
    pose = Pose(unit, float(np.clip(rng.normal(0, 6), -16, 16)), width * rng.uniform(0.46, 0.54),
                max(height * rng.uniform(0.44, 0.52), 1.05 * unit))  # fmt: skip
    tones = backdrop.sample_tones(rng)
    return Anime(
        skin=palette.ANIME_SKIN[rng.integers(len(palette.ANIME_SKIN))],
        hair=anime_hair.sample(rng, tones[3]),
        iris=palette.ANIME_IRIS[rng.integers(len(palette.ANIME_IRIS))],
        clothes=palette.CLOTHES[rng.integers(len(palette.CLOTHES))],
        smile=bool(rng.random() < 0.6),
        eye_x=rng.uniform(0.22, 0.245),
        eye_w=rng.uniform(0.135, 0.155),
        eye_h=rng.uniform(0.155, 0.185),
        chin=rng.uniform(0.48, 0.53),
        outfit=str(rng.choice(["bow", "scarf", "buttons"])),
        setting=str(rng.choice(["plain", "arcs", "hills", "lights", "studio", "sunlit"])),
        tones=tones,
        width=width,
        height=height,
        pose=pose,
        blur=rng.uniform(0.0, 0.6) * min(width, height) / 512,
        noise=rng.uniform(0.0, 1.5),
        seed=int(rng.integers(2**31)),
    )


def _mouth_y(look: Anime) -> float:
    return 0.70 * look.chin


def _body(canvas: Canvas, look: Anime) -> None:
    head = canvas.frame
    throat = apply(head, [(0, look.chin)])[0]
    canvas.frame = similarity(look.pose.unit, 0.3 * look.pose.roll, float(throat[0]), float(throat[1]))
    skin_line, line = ink(look.skin), ink(look.clothes)
    neck = smooth(mirror([(0, -0.15), (0.13, -0.12), (0.13, 0.16), (0.24, 0.28), (0.1, 0.5), (0, 0.55)]))
    canvas.inked(neck, mix(look.skin, (0.80, 0.42, 0.45), 0.28), skin_line)
    half = [(0, 0.42), (0.14, 0.24), (0.38, 0.30), (0.60, 0.40), (0.74, 0.62), (0.82, 1.1), (0.88, 2.6)]
    canvas.inked(mirror([*smooth(half, closed=False), (0.0, 2.6)]), look.clothes, line)
    for s in (-1, 1):
        canvas.line([(s * 0.52, 0.80), (s * 0.555, 1.2), (s * 0.56, 2.4)], line, 0.022, (0.3, 1))
    collar = mix(look.clothes, WHITE, 0.72)
    for s in (-1, 1):
        flap = array([(0, 0.46), (0.13, 0.20), (0.34, 0.30), (0.26, 0.62)]) * array([s, 1])
        canvas.inked(smooth(flap, steps=3), collar, line)
    knot = mix(look.tones[3], (0.85, 0.25, 0.3), 0.5)
    if look.outfit == "scarf":
        tails = smooth(mirror([(0, 0.50), (0.10, 0.62), (0.17, 0.86), (0.03, 0.80), (0, 0.74)]), steps=4)
        canvas.inked(tails, knot, ink(knot))
    elif look.outfit == "bow":
        for s in (-1, 1):
            canvas.inked(smooth([(0, 0.52), (s * 0.18, 0.42), (s * 0.19, 0.62)], steps=4), knot, ink(knot))
    else:
        for y in (0.62, 0.84, 1.06):
            canvas.inked(ellipse(0, y, 0.025, 0.025), collar, line)
    if look.outfit != "buttons":
        canvas.inked(ellipse(0, 0.52, 0.045, 0.05), mix(knot, WHITE, 0.2), ink(knot))
    canvas.frame = head


def _face(canvas: Canvas, look: Anime) -> None:
    c, line = look.chin, ink(look.skin)
    for s in (-1, 1):
        canvas.inked(ellipse(s * 0.49, 0.12, 0.06, 0.11, -12 * s), look.skin, line)
    half = [(0, -0.62), (0.26, -0.56), (0.44, -0.38), (0.50, -0.1), (0.485, 0.12), (0.43, 0.28),
            (0.29, 0.42), (0.10, c - 0.015), (0, c)]  # fmt: skip
    shape = smooth(mirror(half))
    canvas.inked(shape, look.skin, line)
    skin = canvas.mask(shape)
    fringe = smooth(mirror([(0, -0.7), (0.5, -0.5), (0.52, 0.1), (0.40, -0.02), (0.2, -0.06), (0, -0.05)]))
    canvas.fill(fringe, mix(look.skin, (0.72, 0.36, 0.42), 0.30), 0.8, 0.008, skin)
    for s in (-1, 1):
        canvas.fill(ellipse(s * 0.30, 0.265, 0.085, 0.042), (0.96, 0.45, 0.45), 0.40, 0.02, skin)
        for i in range(3):
            x = s * 0.30 + (i - 1) * 0.036
            canvas.line([(x - 0.010, 0.285), (x + 0.010, 0.250)], (0.86, 0.30, 0.34), 0.009, opacity=0.5)
        _eye(canvas, look, s)
        brow = [(s * 0.13, -0.225), (s * 0.24, -0.262), (s * 0.36, -0.225)]
        canvas.fill(stroke(brow, 0.022, (0.5, 0.3)), mix(ink(look.hair.tone), look.hair.tone, 0.2))
    canvas.line([(-0.008, 0.225), (0.012, 0.245), (-0.004, 0.255)], mix(look.skin, line, 0.6), 0.013)
    _mouth(canvas, look)


def _eye(canvas: Canvas, look: Anime, s: int) -> None:
    x, w, h = s * look.eye_x, look.eye_w, look.eye_h
    top, low = 0.02 - h, 0.02 + 0.86 * h
    lids = smooth([(x - s * 0.86 * w, 0.0), (x - s * 0.5 * w, top + 0.03), (x + s * 0.15 * w, top),
                   (x + s * 0.82 * w, top + 0.06), (x + s * w, 0.02), (x + s * 0.7 * w, low - 0.03),
                   (x, low), (x - s * 0.6 * w, low - 0.03)])  # fmt: skip
    canvas.fill(lids, (0.99, 0.98, 1.0))
    ball = canvas.mask(lids)
    rx, ry = 0.74 * w, 0.93 * h
    dark, deep = mix(look.iris, (0.05, 0.03, 0.12), 0.75), look.iris

    def glass(u: Array, v: Array) -> Array:
        share = np.clip((v - top) / (1.8 * h), 0, 1)[..., None] ** 1.3
        light = array(mix(deep, WHITE, 0.45))
        result: Array = array(dark) * (1 - share) + light * share
        return result

    canvas.fill(ellipse(x, 0.02, rx, ry), dark, 1, 0.002, ball)
    canvas.fill(ellipse(x, 0.022, 0.88 * rx, 0.92 * ry), glass, 1, 0.004, ball)
    canvas.fill(ellipse(x, 0.0, 0.44 * rx, 0.46 * ry), mix(dark, (0.02, 0.01, 0.05), 0.6), 1, 0.004, ball)
    canvas.fill(ellipse(x, 0.02 + 0.62 * ry, 0.5 * rx, 0.20 * ry), mix(deep, WHITE, 0.65), 0.6, 0.010, ball)
    canvas.fill(ellipse(x, top, 1.2 * w, 0.36 * h), (0.22, 0.12, 0.26), 0.5, 0.012, ball)
    canvas.fill(ellipse(x - 0.34 * rx, 0.02 - 0.40 * ry, 0.30 * rx, 0.24 * ry, 20), WHITE, 1, 0.002)
    canvas.fill(ellipse(x + 0.36 * rx, 0.02 + 0.42 * ry, 0.15 * rx, 0.12 * ry), WHITE, 0.9, 0.002)
    lash = mix(ink(look.hair.tone), (0.06, 0.03, 0.07), 0.75)
    arc = [(x - s * 0.95 * w, 0.015), (x - s * 0.55 * w, top + 0.026), (x + s * 0.15 * w, top - 0.006),
           (x + s * 0.86 * w, top + 0.055), (x + s * 1.13 * w, 0.035)]  # fmt: skip
    canvas.fill(stroke(arc, 0.055, (0.2, 0.35)), lash)
    canvas.line([(x + s * 0.9 * w, top + 0.08), (x + s * 1.22 * w, top + 0.065)], lash, 0.022, (1, 0.1))
    canvas.line(
        [(x - s * 0.45 * w, low - 0.005), (x + s * 0.1 * w, low + 0.008), (x + s * 0.62 * w, low - 0.02)], lash, 0.016
    )


def _mouth(canvas: Canvas, look: Anime) -> None:
    y, line = _mouth_y(look), (0.45, 0.14, 0.16)
    if look.smile:
        shape = smooth(
            [
                (-0.075, y - 0.02),
                (0, y - 0.010),
                (0.075, y - 0.02),
                (0.045, y + 0.035),
                (0, y + 0.052),
                (-0.045, y + 0.035),
            ]
        )
        canvas.inked(shape, (0.80, 0.30, 0.32), line)
        canvas.fill(ellipse(0, y + 0.038, 0.035, 0.018), (0.97, 0.58, 0.56), 1, 0.003, canvas.mask(shape))
    else:
        canvas.line([(-0.055, y - 0.004), (-0.02, y + 0.010), (0.02, y + 0.010), (0.055, y - 0.004)], line, 0.018)
