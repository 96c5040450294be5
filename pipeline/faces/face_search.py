"""How a photo is searched for faces: from afar, from near, turned, and closer where that shows nobody.

A face that fills the picture is missed from near, and a small one from afar; either look may see what is none. So the
looks add up, and none ends the search but one that shows a plausible face. Who wants the largest alone looks from afar
first, at a quarter of the price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from curate.pipeline.faces import detected, skin
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detected import DetectedFace
from curate.pipeline.faces.detectors import Detector, Face, ensemble
from curate.pipeline.faces.landmarkers import Landmarker
from curate.pipeline.imaging.geometry import Affine, apply, invert, overlap

RGB = NDArray[np.uint8]  # [height, width, 3]
# The photo at 1/n of its size, and n: its longer side has at least as many px as asked for, or is whole.
View = Callable[[int], tuple[RGB, int]]

_SAME = 0.3  # overlap from which two boxes are one face, seen twice


class SearchPass(NamedTuple):
    """One way to look at a photo."""

    side: int  # px, the longer side that detectors see
    angle: float = 0.0  # degrees by which heads are taken to lean to the right
    closer: bool = False  # for faces below min_face and min_share, too


class Sighting(NamedTuple):
    """A face in raw px, whether it counts as one, and by what divisor the photo was reduced to see it."""

    face: DetectedFace
    plausible: bool
    divisor: int


class FaceSearch:
    """Looks for faces by one set of rules."""

    def __init__(self, rules: CropRules, landmarker: Landmarker | None) -> None:
        """`landmarker` is None for drawn faces. Raises UsageError for an unknown detector and ModelError for a model
        file that can't be had."""
        self.rules, self.landmarker = rules, landmarker
        self._detectors: dict[tuple[SearchPass, int], Detector] = {}
        self._first = tuple(looks(rules))
        for look in self._first:
            self._detector(look, 1)

    def __call__(self, view: View) -> list[Sighting]:
        """The faces of a photo, those of more detectors first, then by falling score."""
        found: list[Sighting] = []
        picture = view(self.rules.detect_side)
        for look in self._first:
            self._add(found, *picture, look)
            if self.rules.faces == "largest" and any(self._ends(one) for one in found):
                break
        if self.rules.closer_look and not any(one.plausible for one in found):
            seen: list[Sighting] = []
            closer = SearchPass(2 * self.rules.detect_side, closer=True)
            self._add(seen, *view(closer.side), closer)
            found = [*(one for one in found), *(one for one in seen if one.plausible)]
        return sorted(found, key=lambda one: ensemble.order(one.face.face))

    def _ends(self, one: Sighting) -> bool:
        return one.plausible and one.face.face.box.side >= self.rules.min_face

    def _add(self, found: list[Sighting], image: RGB, divisor: int, look: SearchPass) -> None:
        """Joins what `look` shows of `image` to `found`; of a face seen before, the plausible sighting stays."""
        coloured: bool | None = None
        for face in _faces(self._detector(look, divisor), image, look.angle):
            same = [at for at, old in enumerate(found) if overlap(old.face.face.box, face.box.scaled(divisor)) >= _SAME]
            if any(found[at].plausible for at in same):
                continue
            if coloured is None:
                coloured = self.landmarker is not None and skin.has_colour(image)
            one = detected.with_landmarks(image, face, self.landmarker)
            plausible = detected.is_plausible(detected.measures(one, image, coloured=coloured))
            if same and not plausible:
                continue
            for at in reversed(same):
                del found[at]
            one = one if divisor == 1 else DetectedFace(detected.rounded(face.scaled(divisor)))
            found.append(Sighting(one, plausible, divisor))

    def _detector(self, look: SearchPass, divisor: int) -> Detector:
        """What takes the look at a photo of which 1/`divisor` is shown; the angle is none of its business."""
        key = look._replace(angle=0.0), divisor
        if key not in self._detectors:
            rules = replace(self.rules, detect_side=look.side, min_face=max(self.rules.min_face // divisor, 1))
            if look.closer:
                rules = replace(rules, min_face=1, min_share=rules.min_share / 2)
            self._detectors[key] = ensemble.load(rules)
        return self._detectors[key]


def looks(rules: CropRules) -> Iterator[SearchPass]:
    """The looks that every photo gets, in order, until one ends the search."""
    far, near = max(rules.detect_side // 2, 1), rules.detect_side
    for angle in (0.0, *rules.rotations):
        yield from (SearchPass(side, angle) for side in ((far, near) if rules.faces == "largest" else (near, far)))


def _faces(detect: Detector, image: RGB, angle: float) -> list[Face]:
    """What `detect` sees in `image` turned by `angle`; a face gets an upright box about the same middle."""
    if not angle:
        return detect(image)
    turned, affine = _turn(image, angle)
    back = invert(affine)
    return [_returned(face, back, angle) for face in detect(turned)]


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
    def place(x: float, y: float) -> tuple[float, float]:
        (there,) = apply(back, [(x, y)]).tolist()
        return there[0], there[1]

    return face.moved(place)._replace(angle=angle)
