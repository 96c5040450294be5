"""The detectors that rules ask for, put together: one or several that must agree, with their extra passes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import DETECTORS, Detector, Face, names
from curate.pipeline.imaging.geometry import Affine, Box, apply, invert, overlap


def load(rules: CropRules) -> Detector:
    """What `rules` ask for, ready to run.

    Raises UsageError for an unknown name and ModelError for a model file that can't be had.
    """
    loaded = [_one(name, rules) for name in names(rules)]
    return loaded[0] if len(loaded) == 1 else Agreement(loaded)


def _one(name: str, rules: CropRules) -> Detector:
    make = DETECTORS.resolve(name)
    detector: Detector = make(rules)
    if rules.faces == "largest":
        detector = Closer(make(replace(rules, detect_side=max(rules.detect_side // 2, 1))), detector)
    return Turned(detector, rules) if rules.rotations else detector


class Agreement:
    """Runs all `detectors`; called with an RGB image, it returns what any of them sees.

    Each face keeps the box of the first detector that sees it, every detector's score, and the least overlap of the
    others' boxes with that one: 0 when one sees nothing there.
    """

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self.detectors = detectors

    def __call__(self, image: NDArray[np.uint8]) -> list[Face]:
        """Faces that more detectors see go first, then by falling score."""
        groups: list[list[Face | None]] = []
        for rank, detect in enumerate(self.detectors):
            _join(groups, detect(image), rank)
        return sorted((_merged(group) for group in groups), key=_order)


_SAME = 0.1  # overlap from which two boxes are taken for the same face; whether that is enough, a threshold says


def _join(groups: list[list[Face | None]], found: list[Face], rank: int) -> None:
    """Adds what the detector `rank` found to `groups`, best matches first, each face to one group at most."""
    firsts = [next(face for face in group if face) for group in groups]
    pairs = [(overlap(a.box, b.box), i, j) for i, a in enumerate(firsts) for j, b in enumerate(found)]
    mine: dict[int, int] = {}
    for value, i, j in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        if value >= _SAME and i not in mine and j not in mine.values():
            mine[i] = j
    for i, group in enumerate(groups):
        group.append(found[mine[i]] if i in mine else None)
    groups += [[None] * rank + [face] for j, face in enumerate(found) if j not in mine.values()]


def _merged(group: list[Face | None]) -> Face:
    first = next(face for face in group if face)
    agreement = min(overlap(first.box, face.box) if face else 0.0 for face in group)
    return first._replace(scores=tuple(face.score if face else None for face in group), agreement=agreement)


def _order(face: Face) -> tuple[object, ...]:
    return sum(score is None for score in face.scores), -face.score, face.box


class Closer:
    """Runs `afar` and, only on a photo in which that sees nobody, `near`."""

    def __init__(self, afar: Detector, near: Detector) -> None:
        self.afar = afar
        self.near = near

    def __call__(self, image: NDArray[np.uint8]) -> list[Face]:
        """The faces of the first look that sees any, by falling score."""
        return self.afar(image) or self.near(image)


_SEEN_BEFORE = 0.3  # overlap from which a box found on the turned photo is one that was found before


class Turned:
    """Runs `detector` on the photo as it is and then turned by each of `rules.rotations`.

    A face that only a turned photo shows gets an upright box about the same middle, and the angle.
    """

    def __init__(self, detector: Detector, rules: CropRules) -> None:
        self.detector = detector
        self.rotations = rules.rotations
        self.one = rules.faces == "largest"

    def __call__(self, image: NDArray[np.uint8]) -> list[Face]:
        """All faces by falling score. When only the largest is wanted, a photo that shows one is not turned."""
        found = self.detector(image)
        for angle in self.rotations:
            if found and self.one:
                break
            turned, affine = _turn(image, angle)
            back = invert(affine)
            faces = [_returned(face, back, angle) for face in self.detector(turned)]
            found += [new for new in faces if all(overlap(new.box, old.box) < _SEEN_BEFORE for old in found)]
        return sorted(found, key=lambda face: (-face.score, face.box))


def _turn(image: NDArray[np.uint8], angle: float) -> tuple[NDArray[np.uint8], Affine]:
    """`image` turned counter-clockwise by `angle` degrees with nothing cut off, and the map from its px."""
    height, width = image.shape[:2]
    centre = (width - 1) / 2, (height - 1) / 2
    affine: Affine = np.asarray(cv2.getRotationMatrix2D(centre, angle, 1.0), np.float64)
    corners = apply(affine, [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)])
    affine[:, 2] -= corners.min(axis=0)
    shape = tuple(int(extent) + 1 for extent in np.ceil(np.ptp(corners, axis=0)))
    return np.asarray(cv2.warpAffine(image, affine, shape, borderMode=cv2.BORDER_REPLICATE), np.uint8), affine


def _returned(face: Face, back: Affine, angle: float) -> Face:
    x, y = apply(back, face.box.centre[None])[0] + 0.5
    width, height = face.box.width, face.box.height
    return face._replace(box=Box(float(x - width / 2), float(y - height / 2), width, height), angle=angle)
