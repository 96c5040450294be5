"""From a photo to aligned crops of its faces: detect, find landmarks, frame, judge, cut."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import detectors, geometry, models, warp
from pipeline.detectors import Face, landmarks
from pipeline.geometry import Affine, Box, Points
from pipeline.manifest import OK
from pipeline.params import CropRules

_SHARPNESS_SIDE = 128  # px: sharpness is measured at this side, so that crops of other sizes compare
_MAX_ROLL = 45.0  # degrees; cascades find upright faces
_EYE_DISTANCE = (0.25, 0.65)  # in sides of the detector's box
_EYES_TO_MOUTH = (0.5, 1.8)  # in eye distances
_OFF_CENTRE = 0.35  # between eyes and mouth from the middle of the box, in its sides


@dataclass(frozen=True)
class Cut:
    """One face of a photo: where it is, how its crop is made, what was measured, and the crop.

    `reason` is "ok" or why the face is refused (a reason of manifest.CROPS); a face refused before it was cut has no
    image. Raw coordinates are index coordinates (see geometry), except the box.
    """

    index: int  # by falling score; -1 when the whole photo is cut
    affine: Affine  # [2, 3], raw px -> crop px
    upscale: float  # crop px per raw px
    padding: float  # share of the crop outside the photo
    box: Box | None = None  # the detector's, edge coordinates, raw px
    score: float | None = None
    landmarks: Points | None = None  # [68, 2], raw px; human faces only
    roll: float | None = None  # degrees by which the eye line falls to the right, raw photo
    image: NDArray[np.uint8] | None = None  # [size, size, 3], RGB
    sharpness: float | None = None
    brightness: float | None = None
    reason: str = OK


class Aligner:
    """Cuts the faces out of photos by one set of rules; loads its models once."""

    def __init__(self, rules: CropRules) -> None:
        """Raises UsageError for an unknown detector and ModelError for a model file that can't be had."""
        self.rules = rules
        self.align = framing(rules)
        self.detect = detectors.load(rules) if self.align != "none" else None
        self.find_landmarks = landmarks.load() if self.align == "ffhq" else None

    def __call__(self, image: NDArray[np.uint8]) -> list[Cut]:
        """Every face of `image` (RGB [height, width, 3]) by falling score, those that are refused included.

        Without a face the list is empty. With `align: none` it holds the middle square of the photo.
        """
        if self.detect is None:
            return [self._finish(image, self._whole(image))]
        cuts = [self._frame(image, index, face) for index, face in enumerate(self.detect(image))]
        return [self._finish(image, cut) for cut in _chosen(cuts, self.rules.faces)]

    def _whole(self, image: NDArray[np.uint8]) -> Cut:
        height, width = image.shape[:2]
        side = min(height, width)
        return self._measured(image, -1, geometry.box_quad(Box((width - side) / 2, (height - side) / 2, side, side)))

    def _frame(self, image: NDArray[np.uint8], index: int, face: Face) -> Cut:
        rules, points = self.rules, None
        if self.find_landmarks is not None:
            points = self.find_landmarks(image, face.box)
            quad = geometry.ffhq_quad(points)
        else:
            quad = geometry.box_quad(face.box, rules.margin, rules.rotate)
        cut = self._measured(image, index, quad)
        reason = OK
        if face.box.side < rules.min_face:
            reason = "too_small"
        elif points is not None and not plausible(points, face.box):
            reason = "implausible"
        return replace(
            cut,
            box=face.box,
            score=face.score,
            landmarks=points,
            roll=None if points is None else geometry.roll(points),
            reason=reason,
        )

    def _measured(self, image: NDArray[np.uint8], index: int, quad: Points) -> Cut:
        size = self.rules.size
        affine = geometry.quad_affine(quad, size)
        height, width = image.shape[:2]
        padding = geometry.padding_share(affine, size, width, height)
        return Cut(index, affine, size / geometry.quad_side(quad), padding)

    def _finish(self, image: NDArray[np.uint8], cut: Cut) -> Cut:
        if cut.reason != OK:
            return cut
        if cut.padding > self.rules.max_padding:
            return replace(cut, reason="padding")
        if cut.upscale > self.rules.max_upscale:
            return replace(cut, reason="upscaled")
        clearance = warp.FFHQ_CLEARANCE if self.align == "ffhq" else 0
        crop = warp.cut(image, cut.affine, self.rules.size, clearance)
        sharpness, brightness = measure(crop)
        darkest, brightest = self.rules.brightness
        reason = OK
        if sharpness < self.rules.min_sharpness:
            reason = "blurry"
        elif brightness < darkest:
            reason = "too_dark"
        elif brightness > brightest:
            reason = "too_bright"
        return replace(cut, image=crop, sharpness=sharpness, brightness=brightness, reason=reason)


def prepare(rules: CropRules) -> None:
    """Sees to it that what an Aligner for `rules` needs is on this machine, without loading it all.

    Raises UsageError for an unknown detector and ModelError for a model file that can't be had.
    """
    if framing(rules) != "none":
        detectors.load(rules)
    if framing(rules) == "ffhq":
        models.path("landmarks-68")


def framing(rules: CropRules) -> str:
    """How `rules` frame a face: ffhq, box or none; `auto` is ffhq for photos and box for drawings."""
    if rules.align == "auto":
        return "box" if rules.detector in detectors.DRAWN else "ffhq"
    return rules.align


def plausible(points: Points, box: Box) -> bool:
    """Whether 68 landmarks look like those of the upright face in `box`: a cheap test against false detections."""
    left, right = geometry.eyes(points)
    across, middle = right - left, (left + right) / 2
    down = geometry.mouth(points) - middle
    distance, side = float(np.hypot(*across)), box.side
    below = float(across[0] * down[1] - across[1] * down[0]) / max(distance, 1e-6)  # from the eye line, px
    offset = float(np.hypot(*(middle + down / 2 - box.centre)))
    return (
        abs(geometry.roll(points)) <= _MAX_ROLL
        and _EYE_DISTANCE[0] <= distance / side <= _EYE_DISTANCE[1]
        and _EYES_TO_MOUTH[0] <= below / distance <= _EYES_TO_MOUTH[1]
        and offset / side <= _OFF_CENTRE
    )


def measure(crop: NDArray[np.uint8]) -> tuple[float, float]:
    """Sharpness and brightness of a crop [size, size, 3].

    Sharpness is the variance of the Laplacian of its luma at 128 px; brightness its mean luma, 0..255.
    """
    luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    side = (_SHARPNESS_SIDE, _SHARPNESS_SIDE)
    small = luma if luma.shape == side else cv2.resize(luma, side, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(small, cv2.CV_32F).var(dtype=np.float64)), float(luma.mean())


def _chosen(cuts: list[Cut], faces: str) -> list[Cut]:
    """`cuts` with those refused that the rule on several faces in one photo leaves out."""
    standing = [cut for cut in cuts if cut.reason == OK]
    if faces == "all" or len(standing) < 2:
        return cuts
    reason = "many_faces" if faces == "single" else "not_largest"
    largest = max(standing, key=lambda cut: (_side(cut), -cut.index))
    kept = None if faces == "single" else largest.index
    return [replace(c, reason=reason) if c.reason == OK and c.index != kept else c for c in cuts]


def _side(cut: Cut) -> float:
    return cut.box.side if cut.box else 0.0
