"""What stands behind a figure: gradients, studio light, sky and hills, a room, soft lights. Always out of focus."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from curate.pipeline.demo import palette
from curate.pipeline.demo.drawing import WHITE, Array, Canvas, Colour, array, ellipse, mix, similarity, smooth

Tones = tuple[Colour, Colour, Colour, Colour]  # light, middle, dark, accent


def _gradient(canvas: Canvas, start: Colour, end: Colour, turn: float = 0.0) -> None:
    """Fills the canvas from `start` at the top to `end` at the bottom, the direction turned by `turn` radians."""
    height, width = canvas.pixels.shape[:2]
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    share = np.clip(0.5 + y * np.cos(turn) + x * np.sin(turn), 0, 1)[..., None]
    canvas.pixels[:] = array(start) * (1 - share) + array(end) * share


def plain(canvas: Canvas, tones: Tones, rng: np.random.Generator) -> None:
    """A soft gradient."""
    _gradient(canvas, tones[0], tones[2], rng.uniform(0, 2 * np.pi))


def studio(canvas: Canvas, tones: Tones, rng: np.random.Generator) -> None:
    """A paper roll with one lamp on it."""
    x, y = rng.uniform(0.05, 0.95), rng.uniform(0.1, 0.8)

    def lamp(u: Array, v: Array) -> Array:
        near = np.exp(-3.2 * ((u - x) ** 2 + (v - y) ** 2))[..., None]
        result: Array = (
            array(mix(tones[2], (0.1, 0.1, 0.15), 0.2)) * (1 - near) + array(mix(tones[1], tones[0], 0.6)) * near
        )
        return result

    canvas.fill([(-1, -1), (2, -1), (2, 3), (-1, 3)], lamp, soft=0)


def arcs(canvas: Canvas, tones: Tones, rng: np.random.Generator) -> None:
    """Large calm discs, as on a poster."""
    _gradient(canvas, tones[0], mix(tones[0], tones[1], 0.5))
    side = 1 if rng.random() < 0.5 else -1
    x = 0.5 + side * rng.uniform(0.15, 0.35)
    canvas.fill(ellipse(x, rng.uniform(0.3, 0.5), 0.42, 0.42), mix(tones[1], tones[2], rng.uniform(0.1, 0.8)))
    canvas.fill(ellipse(1 - x, rng.uniform(0.8, 1.0), 0.34, 0.34), mix(tones[1], tones[3], 0.55))
    canvas.fill(ellipse(1 - x, rng.uniform(0.1, 0.25), 0.09, 0.09), mix(tones[3], tones[0], 0.25))


def hills(canvas: Canvas, tones: Tones, rng: np.random.Generator) -> None:
    """Sky, a low sun, clouds and two rows of hills."""
    _gradient(canvas, mix(tones[1], WHITE, 0.15), mix(tones[0], tones[3], 0.25))
    canvas.fill(ellipse(rng.uniform(0.1, 0.9), rng.uniform(0.12, 0.3), 0.09, 0.09), mix(WHITE, tones[3], 0.35), 0.9)
    for _ in range(3):
        x, y, w = rng.uniform(0, 1), rng.uniform(0.08, 0.35), rng.uniform(0.08, 0.16)
        for shift, lift in ((-0.6, 0.02), (0.0, -0.02), (0.6, 0.02)):
            canvas.fill(ellipse(x + shift * w, y + lift, w * 0.7, w * 0.3), WHITE, 0.55, soft=0.01)
    for level, tone in ((0.62, mix(tones[1], tones[2], 0.6)), (0.76, tones[2])):
        ridge = [(x, level + rng.uniform(-0.05, 0.05)) for x in np.linspace(-0.2, 1.2, 6)]
        canvas.fill([*smooth(ridge, closed=False), (1.2, 3), (-0.2, 3)], tone)


def room(canvas: Canvas, tones: Tones, rng: np.random.Generator) -> None:
    """A wall with a picture or a window, a shelf and a plant."""
    _gradient(canvas, mix(tones[0], tones[1], 0.3), mix(tones[1], tones[2], 0.35), rng.uniform(-1.2, 1.2))
    left = rng.random() < 0.5
    x = 0.03 if left else 0.68
    canvas.fill([(x, 0.08), (x + 0.29, 0.08), (x + 0.29, 0.46), (x, 0.46)], WHITE, 0.75, 0.004)
    canvas.fill(
        [(x + 0.025, 0.105), (x + 0.265, 0.105), (x + 0.265, 0.435), (x + 0.025, 0.435)], mix(tones[3], WHITE, 0.45)
    )
    canvas.fill(ellipse(x + 0.15, 0.3, 0.07, 0.07), mix(tones[2], WHITE, 0.25))
    px = 0.85 if left else 0.14
    green = mix(tones[2], (0.35, 0.55, 0.42), 0.6)
    for turn in (-50, -25, 0, 25, 50):
        reach = np.radians(turn)
        canvas.fill(ellipse(px + 0.15 * np.sin(reach), 0.62 - 0.15 * np.cos(reach), 0.035, 0.16, turn), green, 0.9)
    canvas.fill(
        [(px - 0.08, 0.72), (px + 0.08, 0.72), (px + 0.06, 0.9), (px - 0.06, 0.9)], mix(tones[3], tones[2], 0.3)
    )
    canvas.fill([(-1, 0.88), (2, 0.88), (2, 3), (-1, 3)], mix(tones[2], tones[1], 0.4))


def lights(canvas: Canvas, tones: Tones, rng: np.random.Generator) -> None:
    """Evening, with lamps far out of focus."""
    _gradient(canvas, mix(tones[2], tones[1], 0.35), mix(tones[2], (0.1, 0.1, 0.2), 0.45), rng.uniform(0, 2 * np.pi))
    for _ in range(14):
        r = rng.uniform(0.025, 0.085)
        tone = mix(tones[3], tones[0], rng.uniform(0, 1))
        canvas.fill(ellipse(rng.uniform(0, 1), rng.uniform(0, 1), r, r), tone, rng.uniform(0.15, 0.4), 0.006)


def sunlit(canvas: Canvas, tones: Tones, rng: np.random.Generator) -> None:
    """A wall on which light falls slantwise through a window out of sight."""
    _gradient(canvas, tones[2], mix(tones[2], tones[1], 0.5), rng.uniform(0, 2 * np.pi))
    glow = mix(tones[0], tones[3], 0.25)
    x, slant = rng.uniform(-0.1, 0.5), rng.choice([-1, 1]) * rng.uniform(0.25, 0.5)
    for pane in range(2):
        left = x + 0.30 * pane
        canvas.fill(
            [(left, -0.1), (left + 0.25, -0.1), (left + 0.25 + slant, 1.4), (left + slant, 1.4)], glow, 0.75, 0.02
        )


KINDS: dict[str, Callable[[Canvas, Tones, np.random.Generator], None]] = {
    "plain": plain, "studio": studio, "arcs": arcs, "hills": hills, "room": room, "lights": lights,
    "sunlit": sunlit,
}  # fmt: skip


def sample_tones(rng: np.random.Generator) -> Tones:
    """Random colours that go together, at times by dusk."""
    light, middle, dark, accent = palette.BACKDROPS[rng.integers(len(palette.BACKDROPS))]
    if rng.random() < 0.3:
        night = (0.16, 0.17, 0.26)
        return mix(middle, night, 0.35), mix(dark, night, 0.35), mix(dark, night, 0.65), accent
    return light, middle, dark, accent


def paint(canvas: Canvas, kind: str, tones: Tones, rng: np.random.Generator, blur: float = 0.008) -> None:
    """Fills the whole canvas with the backdrop `kind`, out of focus by `blur` picture widths."""
    frame, width = canvas.frame, canvas.pixels.shape[1]
    canvas.frame = similarity(width, 0, 0, 0)
    KINDS[kind](canvas, tones, rng)
    canvas.frame = frame
    canvas.pixels[:] = cv2.GaussianBlur(canvas.pixels, (0, 0), max(0.3, blur * width))
