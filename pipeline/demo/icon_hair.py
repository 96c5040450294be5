"""Hair as icons have it: the haircuts of anime_hair.py as few bold shapes, each of one colour. Units as in face.py."""

from __future__ import annotations

import numpy as np

from curate.pipeline.demo.anime_hair import AnimeHair
from curate.pipeline.demo.drawing import (
    WHITE,
    Array,
    Canvas,
    Colour,
    Paint,
    array,
    ellipse,
    mirror,
    mix,
    smooth,
    stroke,
)

INK: Colour = (0.13, 0.10, 0.17)
STICKER = 0.11  # width of the white edge around the whole figure
_LINE = 0.036


def bold(canvas: Canvas, shape: Array, paint: Paint, edge: float | None, line: float = _LINE) -> None:
    """`shape` in `paint` with a thick outline of ink; or, where an `edge` is given, in white and so much wider."""
    if edge is None:
        canvas.inked(shape, paint, INK, line)
    else:
        rim = stroke(np.concatenate([shape, shape[:1]]), 2 * edge, (1, 1))
        canvas.fill(rim, WHITE)
        canvas.fill(shape, WHITE)


def behind(canvas: Canvas, hair: AnimeHair, edge: float | None) -> None:
    """What hangs behind the head: one shape in the shade, and tails or buns."""
    f, shade = hair.fall + 0.02, mix(hair.tone, (0.25, 0.12, 0.38), 0.30)
    for s in (-1, 1):
        if hair.style == "twin":
            tail = smooth([(0.46, -0.50), (0.78, -0.58), (1.04, -0.16), (1.0, 0.42), (0.78, 0.86), (0.72, 0.3),
                           (0.60, -0.05)]) * array([s, 1])  # fmt: skip
            bold(canvas, tail, hair.tone, edge)
        if hair.style == "bun":
            bold(canvas, ellipse(s * 0.47, -0.70, 0.22, 0.21), hair.tone, edge)
    low = {"straight": 1.3, "wavy": 1.2, "bob": 0.50, "flip": 0.44, "bun": 0.30, "twin": 0.28}[hair.style]
    half = [(0, -0.84), (0.42, -0.72), (f, -0.2), (f + 0.02, 0.3 * low), (f, low), (0.5 * f, low + 0.08), (0, low)]
    if hair.style == "flip":
        half[3:5] = [(f + 0.02, 0.16), (f + 0.16, low)]
    if hair.style == "wavy":
        half[3:5] = [(f + 0.10, 0.12), (f, 0.42), (f + 0.14, 0.76), (f + 0.02, low)]
    bold(canvas, smooth(mirror(half)), shade, edge)


def front(canvas: Canvas, hair: AnimeHair, edge: float | None) -> None:
    """The fringe in a few large teeth, a lock on each side, one flat light, and a ribbon."""
    low = 0.60 if hair.length == "long" else 0.38
    for s in (-1, 1):
        lock = smooth([(0.40, -0.46), (0.60, -0.40), (hair.fall - 0.01, 0.0), (0.53, low), (0.46, 0.12)])
        bold(canvas, lock * array([s, 1]), hair.tone, edge)
    teeth: list[tuple[float, float]] = []
    tips = hair.fringe[:-1][:3]
    ends = np.linspace(0.50, -0.50, len(tips) + 1)
    for right, left, tip in zip(ends[:-1], ends[1:], tips):
        teeth += [(right - 0.02, -0.30), (0.4 * right + 0.6 * left, tip - 0.03), (left + 0.04, -0.27)]
    crown = [(-0.56, -0.16), (-0.60, -0.42), (-0.47, -0.69), (-0.23, -0.85), (0, -0.89), (0.23, -0.85), (0.47, -0.69),
             (0.60, -0.42), (0.56, -0.16)]  # fmt: skip
    shape = smooth([*crown, *teeth], steps=5)
    bold(canvas, shape, hair.tone, edge)
    if edge is None:
        canvas.fill(ellipse(-0.31, -0.60, 0.15, 0.045, -38), mix(hair.tone, WHITE, 0.6))
    if hair.ribbon is not None:
        for s in (-1, 1):
            wing = smooth([(0.36, -0.66), (0.36 + s * 0.22, -0.84), (0.36 + s * 0.24, -0.54)], steps=4)
            bold(canvas, wing, hair.ribbon, edge)
        bold(canvas, ellipse(0.36, -0.67, 0.06, 0.07), hair.ribbon, edge)
