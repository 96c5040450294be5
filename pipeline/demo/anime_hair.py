"""Hair for anime-style heads: flat colours that fade towards the tips, dark outlines. Units as in face.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curate.pipeline.demo import palette
from curate.pipeline.demo.drawing import WHITE, Array, Canvas, Colour, Paint, array, ellipse, mirror, mix, smooth
from curate.pipeline.demo.hair import Length
from curate.pipeline.demo.palette import ink

_NIGHT: Colour = (0.25, 0.15, 0.35)  # the tint of hair in shade
_STYLES: dict[Length, tuple[str, ...]] = {"long": ("straight", "twin", "wavy"), "short": ("bob", "flip", "bun")}


@dataclass(frozen=True)
class AnimeHair:
    """One haircut and its colours."""

    length: Length
    style: str
    tone: Colour
    tip: Colour
    fall: float  # half width
    fringe: tuple[float, ...]  # y of each spike's tip
    ribbon: Colour | None


def sample(rng: np.random.Generator, accent: Colour) -> AnimeHair:
    """A random haircut, its tips and ribbon tinted with `accent`."""
    length: Length = "long" if rng.random() < 0.6 else "short"
    tone = palette.ANIME_HAIR[rng.integers(len(palette.ANIME_HAIR))]
    return AnimeHair(
        length=length,
        style=str(rng.choice(_STYLES[length])),
        tone=tone,
        tip=mix(tone, accent, 0.22),
        fall=rng.uniform(0.62, 0.74),
        fringe=tuple(rng.uniform(-0.15, -0.07, int(rng.integers(4, 7)))),
        ribbon=mix(accent, (0.88, 0.22, 0.35), 0.45) if rng.random() < 0.4 else None,
    )


def _paint(hair: AnimeHair, depth: float) -> Paint:
    base = mix(hair.tone, _NIGHT, 0.34 * depth)
    tip = mix(hair.tip, _NIGHT, 0.10 + 0.3 * depth)

    def at(x: Array, y: Array) -> Array:
        share = np.clip((y + 0.5) / 1.6, 0, 1)[..., None]
        result: Array = array(base) * (1 - share) + array(tip) * share
        return result

    return at


def behind(canvas: Canvas, hair: AnimeHair) -> None:
    """What hangs behind the head."""
    f, line, paint = hair.fall, ink(hair.tone), _paint(hair, 1.0)
    if hair.style == "twin":
        for s in (-1, 1):
            tail = smooth([(0.50, -0.42), (0.74, -0.46), (0.96, -0.20), (1.02, 0.3), (0.95, 0.85),
                           (0.80, 1.15), (0.82, 0.75), (0.76, 0.35), (0.70, 0.0),
                           (0.56, -0.2)]) * array([s, 1])  # fmt: skip
            canvas.inked(tail, _paint(hair, 0.35), line)
    if hair.style in ("straight", "wavy"):
        half = [(0, -0.80), (0.4, -0.68), (f, -0.2), (f + 0.06, 0.4), (f + 0.08, 0.9),
                (f + 0.10, 1.35), (f - 0.1, 1.22), (0.42, 1.42), (0.2, 1.25), (0, 1.35)]  # fmt: skip
        shape = smooth(mirror(half))
        if hair.style == "wavy":
            shape[:, 0] += np.sign(shape[:, 0]) * 0.045 * np.sin(9 * shape[:, 1]) * np.clip(shape[:, 1], 0, 1)
        canvas.inked(shape, paint, line)
        return
    low = {"bob": 0.52, "flip": 0.46, "bun": 0.32, "twin": 0.3}[hair.style]
    half = [(0, -0.80), (0.4, -0.68), (f - 0.02, -0.2), (f, 0.2), (f - 0.02, low), (0.4, low + 0.04), (0, low)]
    shape = smooth(mirror(half))
    if hair.style == "flip":
        out = np.clip((shape[:, 1] - 0.2) / 0.3, 0, 1)
        shape[:, 0] += np.sign(shape[:, 0]) * 0.10 * out
    if hair.style == "bun":
        for s in (-1, 1):
            canvas.inked(ellipse(s * 0.46, -0.70, 0.19, 0.18), _paint(hair, 0.3), line)
    canvas.inked(shape, paint, line)


def front(canvas: Canvas, hair: AnimeHair) -> None:
    """Fringe and side locks, their shine, and a ribbon."""
    f, line, paint = hair.fall, ink(hair.tone), _paint(hair, 0.0)
    low = 0.62 if hair.length == "long" else 0.42
    for s in (-1, 1):
        lock = smooth([(0.34, -0.50), (0.52, -0.48), (f - 0.03, -0.1), (f - 0.04, 0.25),
                       (0.50, low), (0.46, 0.26), (0.47, 0.02), (0.42, -0.2)]) * array([s, 1])  # fmt: skip
        canvas.inked(lock, paint, line)
    tips = np.linspace(0.46, -0.46, len(hair.fringe) + 1)
    teeth: list[tuple[float, float]] = []
    for left, right, tip in zip(tips[1:], tips[:-1], hair.fringe):
        teeth += [(right - 0.012, -0.32), (0.45 * right + 0.55 * left, tip), (left + 0.02, -0.30)]
    edge = [(-0.53, -0.18), (-0.56, -0.42), (-0.44, -0.66), (-0.22, -0.80), (0, -0.845), (0.22, -0.80), (0.44, -0.66),
           (0.56, -0.42), (0.53, -0.18)]  # fmt: skip
    shape = smooth([*edge, *teeth], steps=5)
    canvas.inked(shape, paint, line)
    cap = canvas.mask(shape)
    shine = mix(hair.tone, WHITE, 0.68)
    for x0, x1, y in ((-0.36, -0.14, -0.52), (-0.08, 0.22, -0.56), (0.28, 0.38, -0.50)):
        canvas.line(
            [(x0, y + 0.03), ((x0 + x1) / 2, y), (x1, y + 0.03)],
            shine,
            0.05,
            (0.1, 0.1),
            opacity=0.75,
            soft=0.004,
            clip=cap,
        )
    for x in tips[1:-1]:
        canvas.line([(x, -0.31), (0.85 * x, -0.48), (0.5 * x, -0.66)], line, 0.013, (0.8, 0.05), opacity=0.45)
    if hair.ribbon:
        _bow(canvas, hair.ribbon)


def _bow(canvas: Canvas, tone: Colour) -> None:
    for s in (-1, 1):
        wing = smooth([(0.36, -0.62), (0.36 + s * 0.16, -0.75), (0.36 + s * 0.19, -0.56)], steps=4)
        canvas.inked(wing, tone, ink(tone))
    canvas.inked(ellipse(0.36, -0.635, 0.04, 0.05), mix(tone, WHITE, 0.25), ink(tone))
