"""What is on the site besides its subjects: pictures that nobody wanted, and names for things."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.demo import backdrop, face, palette, portrait
from curate.pipeline.demo.backdrop import Tones
from curate.pipeline.demo.drawing import Canvas, similarity
from curate.pipeline.demo.portrait import Portrait, PortraitScene, Pose

_NAMES = (
    "Mika Noor Sam Ada Kai Rin Luca Yuki Ines Omar Freya Jun Amara Theo Sora Lea Ravi Nia Emil Hana Zoe Tomo Iris "
    "Malik Aya Nils Suki Pau Edda Kofi Mei Juno"
).split()
CREATORS = ("Studio Kawara", "Atelier Brume", "Linden & Co.", "Haru Takagi", "Nell Okafor", "The Paper Room")
SETTINGS: Mapping[str, str] = {
    "plain": "in soft light",
    "studio": "in the studio",
    "arcs": "with paper moons",
    "hills": "in the hills",
    "room": "at home",
    "lights": "by evening lights",
    "sunlit": "by the window",
}
PATTERNS: Mapping[str, str] = {
    "plain": "plain",
    "stripes": "striped",
    "dots": "dotted",
    "block": "two-tone",
    "pocket": "pocket",
    "check": "checked",
}


def name(number: int) -> str:
    """A first name; the same for the same number."""
    return _NAMES[number % len(_NAMES)]


@dataclass(frozen=True)
class Landscape:
    """A view with nobody in it."""

    tones: Tones
    width: int
    height: int
    seed: int

    def draw(self) -> NDArray[np.uint8]:
        """The picture, uint8 RGB [height, width, 3]."""
        rng = np.random.default_rng(self.seed)
        canvas = Canvas(self.height, self.width, similarity(1, 0, 0, 0))
        backdrop.paint(canvas, "hills", self.tones, rng, 0.002)
        return canvas.finish(rng, 0, 1.5)


@dataclass(frozen=True)
class Couple(PortraitScene):
    """Two people in one picture: `look` on the left, whose backdrop it is, and `right`."""

    right: Portrait

    def draw(self) -> NDArray[np.uint8]:
        """The picture, uint8 RGB [height, width, 3]."""
        rng = np.random.default_rng(self.look.seed)
        canvas = Canvas(self.height, self.width, self.right.pose.frame)
        backdrop.paint(canvas, self.look.setting, self.look.tones, rng)
        for one in (self.right, self.look):
            canvas.frame = one.pose.frame
            portrait.figure(canvas, one)
        return canvas.finish(rng, 0, 1.5)


@dataclass(frozen=True)
class Blink(PortraitScene):
    """An animated picture: a face that smiles and stops smiling."""

    def draw(self) -> NDArray[np.uint8]:
        """The first frame, uint8 RGB [height, width, 3]."""
        return next(self.frames())

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """The frames, uint8 RGB [height, width, 3]."""
        for smile in (0.0, 1.0):
            yield replace(self.look, smile=smile, noise=0.0).draw()


def sample_landscape(rng: np.random.Generator) -> Landscape:
    """A random view."""
    return Landscape(palette.BACKDROPS[rng.integers(len(palette.BACKDROPS))], 640, 440, int(rng.integers(2**31)))


def sample_couple(rng: np.random.Generator) -> Couple:
    """Two random people side by side."""
    sides = []
    for x in (0.30, 0.70):
        one = portrait.sample(rng, face.sample(rng), "short", 640, 480)
        sides.append(replace(one, pose=Pose(rng.uniform(125, 140), rng.uniform(-6, 6), 640 * x, rng.uniform(185, 215))))
    return Couple(sides[0], sides[1])
