"""Hair for human-like heads: what hangs behind, what frames the face, and the strands in it. Units as in face.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from curate.pipeline.demo import palette
from curate.pipeline.demo.drawing import WHITE, Array, Canvas, Colour, array, ellipse, mirror, mix, ripple, smooth

Length = Literal["long", "short"]
Ornament = Literal["band", "flower"]
STYLES: dict[Length, tuple[str, ...]] = {
    "long": ("centre", "side", "fringe", "wavy"),
    "short": ("crop", "swept", "quiff", "curly", "pixie"),
}


@dataclass(frozen=True)
class Hair:
    """One haircut. `part` is the x of the parting; `reach` the y of the tips of long hair; `fall` its half width."""

    length: Length
    style: str
    part: float
    reach: float
    fall: float
    lean: float  # -1..1: how much fuller and longer it falls on the right side than on the left
    ornament: Ornament | None
    seed: int

    def side(self, s: int) -> tuple[float, float]:
        """The half width and the y of the tips on side `s`."""
        return self.fall + 0.09 * s * self.lean, self.reach + 0.22 * min(0.0, s * self.lean)


def sample(rng: np.random.Generator, length: Length) -> Hair:
    """A random haircut of that length."""
    style = STYLES[length][rng.integers(len(STYLES[length]))]
    part = 0.0 if style in ("centre", "fringe") else float(rng.choice([-1, 1])) * rng.uniform(0.12, 0.24)
    return Hair(
        length=length,
        style=style,
        part=part,
        reach=rng.uniform(1.15, 1.6),
        fall=rng.uniform(0.63, 0.78),
        lean=rng.uniform(-1, 1),
        ornament=None if rng.random() < 0.8 else "band" if rng.random() < 0.5 else "flower",
        seed=int(rng.integers(2**31)),
    )


def _wave(y: Array, s: Array | float) -> Array:
    """How far the waves of wavy hair move it at height `y`, away from the head on side `s`."""
    result: Array = s * 0.030 * np.sin(11 * y) * np.clip(y + 0.15, 0, 1)
    return result


def _strands(hair: Hair, tone: Colour, depth: float, side: float) -> Callable[[Array, Array], Array]:
    """Paint of strands that fan out from the parting.

    `depth` 0 is lit hair in front, 1 the shade behind the neck; `side` in -1..1 is where the light comes from.
    """
    rng = np.random.default_rng(hair.seed)
    coarse, fine, edge = ripple(rng, 22), ripple(rng, 128), ripple(rng, 40)
    wavy = hair.style == "wavy"
    base = mix(tone, (0.06, 0.03, 0.05), 0.10 + 0.42 * depth)
    bright = mix(mix(tone, (1.0, 0.86, 0.66), 0.35), WHITE, 0.08)

    def at(x: Array, y: Array) -> Array:
        bend = _wave(y, np.sign(x)) if wavy else 0.012 * np.sin(5 * y)
        angle = np.arctan2(x - bend - hair.part * 0.6, y + 1.0) / np.float32(np.pi)
        grain = 0.6 * coarse(angle) + 0.4 * fine(angle)
        radius = np.hypot(x - hair.part * 0.4, y + 0.18)
        shine = np.exp(-0.5 * ((radius - 0.50 + 0.03 * edge(angle)) / 0.055) ** 2) * np.clip(-0.1 - 4 * y, 0, 1)
        lower = np.exp(-0.5 * ((np.abs(x) - 0.60) / 0.06) ** 2) * np.exp(-0.5 * ((y - 0.55) / 0.22) ** 2)
        glow = np.clip((0.75 * shine + 0.4 * lower) * (0.75 + 0.5 * grain), 0, 1)[..., None] * (0.55 * (1 - depth))
        shade = (1 + 0.20 * grain + 0.25 * side * x - 0.14 * np.clip(y - 0.2, 0, 1))[..., None]
        result: Array = np.clip((array(base) * (1 - glow) + array(bright) * glow) * shade, 0, 1)
        return result

    return at


def behind(canvas: Canvas, hair: Hair, tone: Colour, side: float) -> None:
    """What is seen behind neck and shoulders; nothing for short hair."""
    if hair.length == "short":
        canvas.fill(
            smooth(mirror([(0, -0.72), (0.4, -0.5), (0.5, -0.1), (0.42, 0.24), (0, 0.3)])),
            _strands(hair, tone, 1, side),
        )
        return
    halves = []
    for s in (-1, 1):
        f, r = hair.side(s)
        half = [(0, -0.79), (0.30, -0.72), (0.50, -0.50), (0.59, -0.15), (f - 0.03, 0.3), (f, 0.7),
                (f + 0.02, r - 0.22), (f - 0.08, r - 0.02), (0.3, r + 0.02), (0, hair.reach)]  # fmt: skip
        halves.append(array(half) * array([s, 1]))
    shape = smooth(np.concatenate([halves[1], halves[0][-2:0:-1]]))
    if hair.style == "wavy":
        shape[:, 0] += _wave(shape[:, 1], np.sign(shape[:, 0]))
    canvas.fill(shape, _strands(hair, tone, 0.8, side))


def front(canvas: Canvas, hair: Hair, tone: Colour, skin: Array, side: float) -> None:
    """The cap of hair and the locks that frame the face; its shadow falls on the mask `skin`."""
    paint = _strands(hair, tone, 0.0, side)
    for shape in _locks(hair):
        canvas.fill(shape + array([0, 0.035]), (0.62, 0.46, 0.42), 0.55, 0.022, skin, multiply=True)
    for shape in _locks(hair):
        canvas.fill(shape, mix(tone, (0.05, 0.02, 0.03), 0.6), 0.6, 0.004)  # a thin dark rim
        middle = shape.mean(0)
        canvas.fill(middle + (shape - middle) * array([0.988, 0.990]), paint)
    if hair.ornament:
        _adorn(canvas, hair)


def _adorn(canvas: Canvas, hair: Hair) -> None:
    rng = np.random.default_rng(hair.seed)
    tone = palette.ORNAMENTS[rng.integers(len(palette.ORNAMENTS))]
    if hair.ornament == "band":
        path = [
            (-0.55, -0.22),
            (-0.46, -0.50),
            (-0.24, -0.68),
            (0, -0.735),
            (0.24, -0.68),
            (0.46, -0.50),
            (0.55, -0.22),
        ]
        canvas.line(array(path) + array([0, 0.012]), (0.5, 0.4, 0.4), 0.075, (0.7, 0.7), soft=0.01, opacity=0.35)
        canvas.line(path, tone, 0.068, (0.7, 0.7))
        canvas.line(array(path[1:-1]) - array([0, 0.012]), mix(tone, WHITE, 0.5), 0.014, opacity=0.6)
        return
    s = 1 if hair.part <= 0 else -1
    for turn in range(0, 360, 72):
        x, y = s * 0.41 + 0.062 * np.cos(np.radians(turn)), -0.46 + 0.062 * np.sin(np.radians(turn))
        canvas.fill(ellipse(x, y, 0.06, 0.045, turn), mix(tone, (0.3, 0.1, 0.2), 0.25))
        canvas.fill(ellipse(x, y, 0.053, 0.038, turn), mix(tone, WHITE, 0.25))
    canvas.fill(ellipse(s * 0.41, -0.46, 0.035, 0.035), (0.98, 0.85, 0.45))


def _locks(hair: Hair) -> list[Array]:
    """The closed outlines of the hair in front, painted in this order."""
    return _LONG[hair.style](hair) if hair.length == "long" else _SHORT[hair.style](hair)


def _side_lock(hair: Hair, s: int) -> Array:
    """The lock that falls from the parting down the side `s` of the face."""
    (f, r), q = hair.side(s), s * hair.part
    crown, brow = -0.795 + 0.3 * q * q, 0.43 - q
    half = [(q, crown), (0.30, -0.745), (0.47, -0.60), (0.57, -0.30), (0.61, 0.05), (f, 0.45), (f + 0.02, 0.85),
            (f - 0.02, r - 0.15), (f - 0.12, r), (f - 0.21, r - 0.16), (0.45, 0.88), (0.458, 0.55), (0.49, 0.25),
            (0.475, -0.02), (0.43, -0.20), (q + 0.62 * brow, -0.38), (q + 0.25 * brow, -0.49), (q, -0.57)]  # fmt: skip
    curve = smooth(half, closed=False)
    if hair.style == "wavy":
        curve[:, 0] += _wave(curve[:, 1], 1.0)
    return curve * array([s, 1])


def _centre(hair: Hair) -> list[Array]:
    return [_side_lock(hair, s) for s in (-1, 1)]


def _fringe(hair: Hair) -> list[Array]:
    teeth = [(x, -0.205 - 0.03 * (i % 2) - 0.10 * abs(x) ** 3) for i, x in enumerate(np.linspace(0.43, -0.43, 11))]
    cap = [(-0.47, -0.30), (-0.40, -0.60), (-0.22, -0.75), (0, -0.79), (0.22, -0.75), (0.40, -0.60), (0.47, -0.30)]
    return [*(_side_lock(hair, s) for s in (-1, 1)), smooth([*cap, *teeth])]


_LONG: dict[str, Callable[[Hair], list[Array]]] = {
    "centre": _centre,
    "side": _centre,
    "wavy": _centre,
    "fringe": _fringe,
}

_OUTER = ((-0.50, 0.10), (-0.545, -0.06), (-0.565, -0.28), (-0.50, -0.52), (-0.36, -0.70),
          (-0.16, -0.785), (0.0, -0.80), (0.16, -0.785), (0.36, -0.70), (0.50, -0.52),
          (0.565, -0.28), (0.545, -0.06), (0.50, 0.10))  # fmt: skip
_TEMPLE = ((0.455, 0.06), (0.455, -0.10), (0.425, -0.24))


def _cap(outer: list[tuple[float, float]], line: list[tuple[float, float]]) -> Array:
    """A cap from its `outer` edge, left to right, and its hair`line`, right temple to left temple."""
    left = [(-x, y) for x, y in reversed(_TEMPLE)]
    return smooth([*outer, *_TEMPLE, *line, *left])


def _crop(hair: Hair) -> list[Array]:
    line = [(x, -0.385 - 0.035 * (i % 2)) for i, x in enumerate(np.linspace(0.33, -0.33, 9))]
    return [_cap([*_OUTER], line)]


def _swept(hair: Hair) -> list[Array]:
    s = 1 if hair.part < 0 else -1
    outer = [(x + 0.03 * (y < -0.4), y * (1.06 if y < -0.4 and x > 0 else 1.0)) for x, y in _OUTER]
    line = [
        (0.40, -0.265),
        (0.22, -0.33),
        (0.02, -0.41),
        (-0.14, -0.49),
        (-0.20, -0.54),
        (-0.27, -0.45),
        (-0.36, -0.35),
    ]
    return [_cap(outer, line) * array([s, 1])]


def _quiff(hair: Hair) -> list[Array]:
    s = 1 if hair.part < 0 else -1
    outer = [(x * (0.985 if y > -0.4 else 1.0), y if y > -0.4 else y * 1.10 - 0.02) for x, y in _OUTER]
    line = [(0.32, -0.42), (0.16, -0.47), (0, -0.485), (-0.16, -0.47), (-0.32, -0.42)]
    lift = smooth([(-0.34, -0.45), (-0.40, -0.62), (-0.24, -0.82), (0.02, -0.96), (0.28, -0.93),
                   (0.41, -0.74), (0.37, -0.52), (0.2, -0.60), (0, -0.56), (-0.18, -0.50)])  # fmt: skip
    return [_cap(outer, line), lift * array([s, 1])]


def _curly(hair: Hair) -> list[Array]:
    rng = np.random.default_rng(hair.seed)
    cap = _cap([*_OUTER], [(0.3, -0.42), (0.1, -0.46), (-0.1, -0.46), (-0.3, -0.42)])
    rim = smooth(_OUTER, closed=False, steps=2)[3:-3] * array([0.97, 0.98])
    line = [(x, -0.44 - 0.03 * (1 - abs(x))) for x in np.linspace(-0.36, 0.36, 7)]
    middle = [(x, y) for y in (-0.66, -0.55) for x in np.linspace(-0.32, 0.32, 5)]
    curls = []
    for x, y in (*rim, *middle, *line):
        r = rng.uniform(0.075, 0.105)
        curls.append(
            ellipse(x + rng.uniform(-0.02, 0.02), y + rng.uniform(-0.02, 0.02), r, 0.92 * r, rng.uniform(0, 90))
        )
    return [cap, *curls]


def _pixie(hair: Hair) -> list[Array]:
    s = 1 if hair.part < 0 else -1
    line = [(0.41, -0.215), (0.30, -0.30), (0.25, -0.215), (0.14, -0.335), (0.08, -0.27),
            (-0.04, -0.41), (-0.12, -0.40), (-0.2, -0.51), (-0.29, -0.43), (-0.37, -0.33)]  # fmt: skip
    outer = [(x, y * 1.02) for x, y in _OUTER]
    outer[0], outer[-1] = (-0.47, 0.20), (0.47, 0.20)
    return [_cap(outer, line) * array([s, 1])]


_SHORT: dict[str, Callable[[Hair], list[Array]]] = {
    "crop": _crop, "swept": _swept, "quiff": _quiff, "curly": _curly, "pixie": _pixie,
}  # fmt: skip
