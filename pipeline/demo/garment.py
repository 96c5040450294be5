"""A garment alone on near-white, and the same garment worn. Units: half the shoulder width, origin at the throat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.demo import backdrop, face, hair, palette
from curate.pipeline.demo.drawing import (
    Array,
    Canvas,
    Colour,
    Paint,
    apply,
    array,
    mirror,
    mix,
    ripple,
    similarity,
    smooth,
)
from curate.pipeline.demo.portrait import FeaturePoints, Point, Portrait, PortraitScene, Pose

Sleeve = Literal["short", "long"]
Neck = Literal["round", "vee"]
PATTERNS = ("plain", "stripes", "dots", "block", "pocket", "check")
_HEAD = 0.74  # width of a face in garment units
# A sleeve's upper edge, neck to cuff, and lower edge, cuff to trunk, by its kind and whether it is spread.
_SLEEVES: Mapping[tuple[Sleeve, bool], tuple[tuple[Point, ...], tuple[Point, ...]]] = {
    ("short", True): (
        ((0.58, 0.09), (0.86, 0.17), (1.08, 0.32), (1.33, 0.53)),
        ((1.08, 0.86), (0.90, 0.78), (0.76, 0.72), (0.60, 0.60)),
    ),
    ("long", True): (
        ((0.58, 0.09), (0.86, 0.17), (1.10, 0.42), (1.42, 0.88), (1.74, 1.36)),
        ((1.52, 1.52), (1.15, 1.08), (0.90, 0.80), (0.76, 0.70), (0.60, 0.60)),
    ),
    ("short", False): (
        ((0.58, 0.09), (0.86, 0.17), (1.01, 0.32), (1.10, 0.58), (1.17, 0.84)),
        ((0.84, 0.91), (0.80, 0.74), (0.76, 0.64), (0.60, 0.50)),
    ),
    ("long", False): (
        ((0.58, 0.09), (0.86, 0.17), (1.01, 0.32), (1.12, 0.62), (1.21, 1.10), (1.27, 1.60), (1.29, 1.80)),
        ((1.03, 1.83), (0.96, 1.40), (0.88, 0.95), (0.78, 0.66), (0.60, 0.50)),
    ),
}


@dataclass(frozen=True)
class Garment:
    """One product's cut, colours and pattern."""

    sleeve: Sleeve
    neck: Neck
    pattern: str
    colour_name: str
    colour: Colour
    accent: Colour
    length: float  # y of the hem
    width: float  # half the width of the hem
    pitch: float  # distance between stripes or dots
    seed: int


@dataclass(frozen=True)
class Article:
    """The garment alone, spread out on near-white."""

    garment: Garment
    width: int
    height: int
    scale: float  # px for each unit
    tilt: float  # degrees
    x: float
    y: float
    seed: int

    def draw(self) -> NDArray[np.uint8]:
        """The picture, uint8 RGB [height, width, 3]."""
        rng = np.random.default_rng(self.seed)
        canvas = Canvas(self.height, self.width, similarity(self.scale, self.tilt, self.x, self.y))
        canvas.pixels[:] = np.linspace(0.985, 0.955, self.height, dtype=np.float32)[:, None, None]
        _wear(canvas, self.garment, spread=True)
        return canvas.finish(rng, 0.3, 0.8)


@dataclass(frozen=True)
class Worn(PortraitScene):
    """A person wearing the garment; `look` gives the person, the haircut and the backdrop."""

    garment: Garment
    trousers: Colour

    def draw(self) -> NDArray[np.uint8]:
        """The picture, uint8 RGB [height, width, 3]."""
        look = self.look
        rng = np.random.default_rng(look.seed)
        throat = apply(look.pose.frame, [(0, 0.98)])[0]
        body = similarity(look.pose.unit / _HEAD, 0, float(throat[0]), float(throat[1]))
        canvas = Canvas(look.height, look.width, look.pose.frame)
        backdrop.paint(canvas, look.setting, look.tones, rng)
        hair.behind(canvas, look.hair, look.person.hair, look.side)
        canvas.frame = body
        _limbs(canvas, self)
        _wear(canvas, self.garment, spread=False)
        canvas.frame = look.pose.frame
        face.draw(canvas, look.person, look.smile, look.side)
        hair.front(canvas, look.hair, look.person.hair, canvas.mask(look.person.outline()), look.side)
        return canvas.finish(rng, look.blur, look.noise)

    def places(self) -> FeaturePoints:
        """The truth about the face in the picture."""
        return self.look.places()


def sample(rng: np.random.Generator) -> Garment:
    """A random product."""
    name, tone = palette.GARMENT[rng.integers(len(palette.GARMENT))]
    others = [other for label, other in palette.GARMENT if label != name]
    accent = (
        others[rng.integers(len(others))]
        if rng.random() < 0.6
        else palette.GARMENT[0][1]
        if name != "cream"
        else others[0]
    )
    return Garment(
        sleeve="long" if rng.random() < 0.45 else "short",
        neck="vee" if rng.random() < 0.4 else "round",
        pattern=PATTERNS[rng.integers(len(PATTERNS))],
        colour_name=name,
        colour=tone,
        accent=accent,
        length=rng.uniform(1.75, 2.25),
        width=rng.uniform(0.74, 0.92),
        pitch=rng.uniform(0.17, 0.34),
        seed=int(rng.integers(2**31)),
    )


def sample_article(rng: np.random.Generator, garment: Garment, width: int, height: int) -> Article:
    """A random product picture of `garment`."""
    reach = _SLEEVES[garment.sleeve, True][0][-1][0]
    scale = min(0.82 * height / garment.length, 0.84 * width / (2 * reach)) * rng.uniform(0.88, 1.0)
    return Article(
        garment=garment,
        width=width,
        height=height,
        scale=scale,
        tilt=rng.uniform(-6, 6),
        x=width * rng.uniform(0.47, 0.53),
        y=height / 2 - garment.length * scale * rng.uniform(0.47, 0.54),
        seed=int(rng.integers(2**31)),
    )


def sample_worn(rng: np.random.Generator, garment: Garment, width: int, height: int) -> Worn:
    """A random picture of a person wearing `garment`."""
    person = face.sample(rng)
    unit = rng.uniform(0.215, 0.25) * width
    look = Portrait(
        person=person,
        hair=hair.sample(rng, "short" if rng.random() < 0.6 else "long"),
        smile=1 - rng.random(),
        clothes=garment.colour,
        collar="crew",
        setting=str(rng.choice(["plain", "studio", "arcs", "room"])),
        tones=backdrop.sample_tones(rng),
        width=width,
        height=height,
        pose=Pose(
            unit, float(np.clip(rng.normal(0, 3), -7, 7)), width * rng.uniform(0.47, 0.53), unit * rng.uniform(1.1, 1.3)
        ),
        side=rng.uniform(-1, 1),
        exposure=1.0,
        blur=rng.uniform(0, 0.5),
        noise=rng.uniform(0.5, 2.5),
        seed=int(rng.integers(2**31)),
    )
    trousers = palette.CLOTHES[int(rng.choice([1, 6, 5, 0]))]
    return Worn(look, garment, trousers)


def _wear(canvas: Canvas, garment: Garment, spread: bool) -> None:
    """Draws the garment: flat with sleeves out when `spread`, else hanging from the shoulders."""
    cloth = _cloth(garment)
    edge = mix(garment.colour, (0.05, 0.03, 0.08), 0.42)
    body, back = _body(garment)
    sleeves = [_sleeve(garment, s, spread) for s in (-1, 1)]
    for shape in (*sleeves, body) if spread else ():
        canvas.fill(shape + array([0.015, 0.045]), (0.62, 0.62, 0.66), 0.35, 0.035, multiply=True)
    if spread:
        canvas.fill(back, mix(garment.colour, (0.08, 0.05, 0.1), 0.38))
    for shape in sleeves:
        canvas.fill(shape, edge, 0.8, 0.008)
        canvas.fill(shape.mean(0) + (shape - shape.mean(0)) * array(0.985), cloth)
    canvas.fill(body, edge, 0.55, 0.008)
    canvas.fill(body * array([0.992, 1.0]), cloth)
    inside = canvas.mask(body)
    canvas.light([(-0.62, 0.9, 0.10, 0.7, -0.10), (0.62, 0.9, 0.10, 0.7, -0.10), (-0.15, 0.8, 0.3, 0.6, 0.05)], inside)
    for s in (-1, 1):
        canvas.line([(s * 0.845, 0.19), (s * 0.825, 0.42), (s * 0.76, 0.70)], edge, 0.016, (0.4, 0.6), opacity=0.55)
        canvas.line([(s * 0.70, 0.86), (s * 0.52, 1.0), (s * 0.40, 1.05)], edge, 0.035, opacity=0.16, soft=0.02)
    hem = garment.length - 0.07
    canvas.line([(-garment.width, hem), (0, hem + 0.05), (garment.width, hem)], edge, 0.012, (1, 1), opacity=0.5)
    line = _neckline(garment)
    rim = np.concatenate([line[::-1] * array([-1, 1]), line[1:]])
    trim = garment.accent if garment.pattern in ("stripes", "pocket") else mix(garment.colour, (0, 0, 0), 0.2)
    canvas.fill(np.concatenate([rim, (rim * array([1.16, 1]) + array([0, 0.055]))[::-1]]), trim, 0.95)


def _neckline(garment: Garment) -> Array:
    """From the middle of the neck to the right shoulder."""
    if garment.neck == "vee":
        return smooth([(0.0, 0.52), (0.14, 0.30), (0.30, 0.02)], closed=False, steps=4)
    return smooth([(0.0, 0.26), (0.16, 0.21), (0.27, 0.11), (0.31, 0.02)], closed=False, steps=4)


def _body(garment: Garment) -> tuple[Array, Array]:
    """The outline of the trunk, and of the back that shows inside the neck."""
    line = _neckline(garment)
    side = smooth([(0.58, 0.09), (0.86, 0.17), (0.83, 0.42), (0.755, 0.74), (0.735, 1.2),
                   (garment.width - 0.02, garment.length - 0.2),
                   (garment.width, garment.length)], closed=False)  # fmt: skip
    trunk = mirror([*line, *side, (0.4, garment.length + 0.045), (0.0, garment.length + 0.05)])
    back = mirror([(0.0, 0.09), (0.2, 0.07), (0.31, 0.02), *line[::-1][1:-1], (0.0, line[0][1] + 0.02)])
    return trunk, back


def _sleeve(garment: Garment, s: int, spread: bool) -> Array:
    """The outline of the sleeve on side `s`: held out when `spread`, else hanging."""
    outer, inner = _SLEEVES[garment.sleeve, spread]
    shape = np.concatenate([smooth(outer, closed=False), smooth(inner, closed=False)])
    result: Array = shape * array([s, 1])
    return result


def _limbs(canvas: Canvas, worn: Worn) -> None:
    """Neck, arms, hands and trousers: what is under the garment."""
    skin = worn.look.person.skin
    shade = mix(skin, (0.42, 0.16, 0.1), 0.25)
    wide = worn.garment.width - 0.04
    low = worn.garment.length - 0.15
    canvas.fill(mirror([(0, low), (wide, low), (wide + 0.06, 8), (0, 8)]), worn.trousers)
    canvas.line([(0, low), (0, low + 1), (0, 8)], mix(worn.trousers, (0, 0, 0), 0.4), 0.02, (1, 1), opacity=0.5)
    for s in (-1, 1):
        arm = array([(0.80, 0.24), (1.02, 0.36), (1.14, 0.9), (1.24, 1.45), (1.26, 1.85),
                     (1.27, 2.02), (1.19, 2.12), (1.07, 2.02), (1.05, 1.80), (0.96, 1.35),
                     (0.88, 0.9), (0.74, 0.6)]) * array([s, 1])  # fmt: skip
        canvas.fill(smooth(arm), shade, 1, 0.006)
        canvas.fill(smooth(arm.mean(0) + (arm - arm.mean(0)) * array([0.9, 0.985])), skin, 1, 0.012)
    neck = smooth(mirror([(0, -0.4), (0.19, -0.32), (0.18, -0.06), (0.34, 0.06), (0.30, 0.40), (0, 0.56)]))
    canvas.fill(neck, mix(skin, shade, 0.5))
    under = worn.look.person.outline() * _HEAD * array([0.85, 1]) + array([0, -_HEAD * 0.98 + 0.07])
    canvas.fill(under, (0.66, 0.5, 0.46), 0.6, 0.02, canvas.mask(neck), multiply=True)


def _cloth(garment: Garment) -> Paint:
    """Paint of the pattern with its folds."""
    wave = ripple(np.random.default_rng(garment.seed), 20)
    base, accent, p = array(garment.colour), array(garment.accent), garment.pitch

    def soft_step(v: Array, width: float = 0.012) -> Array:
        return np.clip(v / width + 0.5, 0, 1)

    def at(x: Array, y: Array) -> Array:
        if garment.pattern == "stripes":
            where = soft_step(np.abs((y / p) % 1 - 0.5) * p - 0.25 * p)
        elif garment.pattern == "dots":
            row = np.floor(y / p)
            u, v = ((x / p + 0.5 * (row % 2)) % 1 - 0.5) * p, ((y / p) % 1 - 0.5) * p
            where = soft_step(0.26 * p - np.hypot(u, v))
        elif garment.pattern == "block":
            where = soft_step(y - 0.95) * np.ones_like(x)
        elif garment.pattern == "pocket":
            where = soft_step(0.17 - np.maximum(np.abs(x - 0.36), np.abs(y - 0.75)))
        elif garment.pattern == "check":
            bars = [soft_step(np.abs((t / p) % 1 - 0.5) * p - 0.34 * p) for t in (x, y)]
            where = 0.55 * bars[0] + 0.45 * bars[1]
        else:
            where = np.zeros(np.broadcast(x, y).shape, np.float32)
        tone = base + (accent - base) * where[..., None]
        fold = 0.045 * wave(0.28 * x + 0.06 * np.sin(2.2 * y) + 0.5) - 0.05 * np.clip(np.abs(x) - 0.7, 0, 1)
        return np.clip(tone * (1 + fold)[..., None], 0, 1)

    return at
