"""A portrait: a person with a haircut before a backdrop, and where everything in it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.demo import backdrop, face, hair, palette
from curate.pipeline.demo.backdrop import Tones
from curate.pipeline.demo.drawing import Array, Canvas, Colour, apply, array, mirror, mix, ripple, similarity, smooth
from curate.pipeline.demo.face import Person
from curate.pipeline.demo.hair import Hair

Point = tuple[float, float]


@dataclass(frozen=True)
class Pose:
    """Where a head stands: px for each face width, roll in degrees clockwise, px of the point between the eyes."""

    unit: float
    roll: float
    x: float
    y: float

    @property
    def frame(self) -> NDArray[np.float64]:
        """2x3 matrix from face units to picture px."""
        return similarity(self.unit, self.roll, self.x, self.y)


@dataclass(frozen=True)
class FeaturePoints:
    """Where the parts of one face are, px in the picture. `eyes` are the left one in the picture first."""

    face: tuple[float, float, float, float]  # x, y, width, height of the box from hairline to chin and ear to ear
    eyes: tuple[Point, Point]
    mouth: Point
    chin: Point


@dataclass(frozen=True)
class Portrait:
    """Everything that a portrait shows; drawing it twice gives the same pixels."""

    person: Person
    hair: Hair
    smile: float  # 0 grave .. 1 a full smile
    clothes: Colour
    collar: str  # crew, vee, shirt or roll
    setting: str  # a kind of backdrop
    tones: Tones
    width: int
    height: int
    pose: Pose
    side: float  # where the light comes from, -1..1
    exposure: float
    blur: float  # px
    noise: float  # of 255
    seed: int

    def draw(self) -> NDArray[np.uint8]:
        """The picture, uint8 RGB [height, width, 3]."""
        rng = np.random.default_rng(self.seed)
        canvas = Canvas(self.height, self.width, self.pose.frame)
        backdrop.paint(canvas, self.setting, self.tones, rng)
        figure(canvas, self)
        canvas.pixels *= self.exposure
        return canvas.finish(rng, self.blur, self.noise)

    def places(self) -> FeaturePoints:
        """The truth about the face in the picture."""
        return places(self.person.eye_x, self.person.mouth_y, self.person.chin, -0.45, self.pose)


@dataclass(frozen=True)
class PortraitScene:
    """A picture that is built around a portrait and as large as it; subclasses draw it."""

    look: Portrait

    @property
    def width(self) -> int:
        """Of the picture, px."""
        return self.look.width

    @property
    def height(self) -> int:
        """Of the picture, px."""
        return self.look.height


def places(eye_x: float, mouth_y: float, chin: float, hairline: float, pose: Pose) -> FeaturePoints:
    """Where the parts of a face of those proportions (face widths) are in the picture."""
    points = apply(pose.frame, [(-eye_x, 0), (eye_x, 0), (0, mouth_y), (0, chin)])
    corners = apply(pose.frame, [(-0.5, hairline), (0.5, hairline), (0.5, chin), (-0.5, chin)])
    low, high = corners.min(0), corners.max(0)
    left, right, mouth, bottom = ((float(x), float(y)) for x, y in points)
    box = (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
    return FeaturePoints(box, (left, right), mouth, bottom)


def sample_pose(rng: np.random.Generator, width: int, height: int) -> Pose:
    """A random pose in a picture of that size: face 29-44 % of the shorter side wide, roll mostly small."""
    unit = rng.uniform(0.29, 0.44) * min(width, height)
    return Pose(
        unit=unit,
        roll=float(np.clip(rng.normal(0, 5), -12, 12)),
        x=width * rng.uniform(0.45, 0.55),
        y=max(height * rng.uniform(0.37, 0.45), 0.95 * unit),
    )


def sample(rng: np.random.Generator, person: Person, length: hair.Length, width: int, height: int) -> Portrait:
    """A random portrait of `person` with hair of that length."""
    return Portrait(
        person=person,
        hair=hair.sample(rng, length),
        smile=1 - rng.random(),
        clothes=palette.CLOTHES[rng.integers(len(palette.CLOTHES))],
        collar=str(rng.choice(["crew", "vee", "shirt", "roll"])),
        setting=str(rng.choice(list(backdrop.KINDS))),
        tones=backdrop.sample_tones(rng),
        width=width,
        height=height,
        pose=sample_pose(rng, width, height),
        side=rng.uniform(-1, 1),
        exposure=rng.uniform(0.92, 1.06),
        blur=rng.uniform(0.0, 0.9) * min(width, height) / 512,
        noise=rng.uniform(0.5, 3.5),
        seed=int(rng.integers(2**31)),
    )


def figure(canvas: Canvas, look: Portrait) -> None:
    """Draws the person of `look` in the frame of `canvas`."""
    head = canvas.frame
    body = similarity(look.pose.unit, 0.3 * look.pose.roll, *(float(v) for v in apply(head, [(0, 0.8)])[0]))
    hair.behind(canvas, look.hair, look.person.hair, look.side)
    _neck(canvas, look)
    canvas.frame = body
    _clothes(canvas, look)
    canvas.frame = head
    face.draw(canvas, look.person, look.smile, look.side)
    skin = canvas.mask(look.person.outline())
    hair.front(canvas, look.hair, look.person.hair, skin, look.side)


def _neck(canvas: Canvas, look: Portrait) -> None:
    tone = mix(look.person.skin, (0.42, 0.16, 0.1), 0.34)
    shape = smooth(mirror([(0.0, 0.4), (0.27, 0.45), (0.255, 0.85), (0.30, 1.05), (0.52, 1.2), (0.3, 1.7), (0.0, 1.8)]))
    canvas.fill(shape, tone)
    under = look.person.outline() * array([0.86, 1.0]) + array([0, 0.10])
    canvas.fill(under, (0.58, 0.42, 0.38), 0.8, 0.05, canvas.mask(shape), multiply=True)


def _clothes(canvas: Canvas, look: Portrait) -> None:
    """Shoulders and collar; origin at the throat."""
    necklines = {
        "crew": [(0.0, 0.40), (0.20, 0.36), (0.33, 0.24)],
        "vee": [(0.0, 0.66), (0.17, 0.42), (0.34, 0.22)],
        "shirt": [(0.0, 0.56), (0.12, 0.42), (0.30, 0.22)],
        "roll": [(0.0, 0.17), (0.20, 0.13), (0.31, 0.07)],
    }
    line = necklines[look.collar]
    shape = mirror([*smooth(line, closed=False), *smooth([(0.34, 0.22), (0.66, 0.36), (0.98, 0.50),
                                                          (1.16, 0.86), (1.3, 3.0)], closed=False),
                                                          (0.0, 3.0)])  # fmt: skip
    wave = ripple(np.random.default_rng(look.seed), 24)

    def cloth(x: Array, y: Array) -> Array:
        fold = (
            0.05 * wave(0.35 * x + 0.12 * np.sin(2 * y) + 0.5)
            - 0.16 * np.clip(np.abs(x) - 0.5, 0, 1)
            + 0.05 * look.side * x
        )
        result: Array = np.clip(array(look.clothes) * (1.02 + fold)[..., None], 0, 1)
        return result

    if look.collar == "roll":
        tube = smooth(mirror([(0.0, 0.10), (0.24, 0.06), (0.315, -0.02), (0.345, 0.2), (0.42, 0.42), (0.0, 0.5)]))
        canvas.fill(shape, cloth)
        canvas.fill(tube, cloth)
        canvas.line([(-0.33, 0.22), (0, 0.31), (0.33, 0.22)], mix(look.clothes, (0, 0, 0), 0.35), 0.016, opacity=0.6)
        return
    canvas.fill(shape + array([0, -0.02]), (0.6, 0.5, 0.48), 0.5, 0.02, multiply=True)
    canvas.fill(shape, cloth)
    edge = mix(look.clothes, (0, 0, 0), 0.22)
    for s in (-1, 1):
        rim = array([(0.0, line[0][1] + 0.012), *line[1:]]) * array([s, 1])
        if look.collar == "shirt":
            flap = array([(0.0, 0.56), (0.30, 0.16), (0.40, 0.26), (0.24, 0.62)]) * array([s, 1])
            canvas.fill(flap + array([0, 0.025]), (0.6, 0.6, 0.6), 0.5, 0.012, multiply=True)
            canvas.fill(flap, mix(look.clothes, (1, 1, 1), 0.18))
        else:
            canvas.fill(smooth([*rim, *(rim[::-1] + array([s * 0.012, 0.05]))]), edge, 0.55)
    if look.collar == "shirt":
        canvas.line([(0, 0.6), (0, 1.4), (0, 2.2)], edge, 0.012, (1, 1), opacity=0.8)
        for y in (0.78, 1.12):
            canvas.fill(
                smooth([(0.03, y), (0.05, y + 0.02), (0.03, y + 0.04), (0.01, y + 0.02)]), mix(edge, (1, 1, 1), 0.6)
            )
