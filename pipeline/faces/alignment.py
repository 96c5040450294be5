"""From a photo to aligned crops of its faces: detect, find landmarks, frame, cut, measure, accept or refuse.

What is detected (boxes, scores, landmarks), what is measured and what is accepted are kept apart: another framing cuts
what was detected again, and other thresholds need no pixels at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.errors import UsageError
from curate.pipeline.faces import (
    criteria,
    detectors,
    drawn,
    hair_share,
    landmarkers,
    model_files,
    person_mask,
    placed,
    skin,
)
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detected import DetectedFace, with_landmarks
from curate.pipeline.faces.detected import measures as detected_measures
from curate.pipeline.faces.detectors import ensemble
from curate.pipeline.faces.face_search import FaceSearch, View
from curate.pipeline.faces.ffhq import ffhq_quad
from curate.pipeline.imaging import geometry, quality, warp
from curate.pipeline.imaging.geometry import Affine, Box, Points
from curate.pipeline.tables.manifest import OK

WHOLE = 1 << 30  # px: more than any photo's side


class Framing(NamedTuple):
    """How much of a person a crop shows, beside FFHQ's square."""

    zoom: float  # its side, in sides of FFHQ's
    shift_y: float  # how much further down its middle lies, in the same
    upright: bool = False  # bodies stand, however the head leans


FRAMINGS: Mapping[str, Framing] = {
    "face": Framing(0.7, 0.03),
    "ffhq": Framing(1.0, 0.0),
    "head": Framing(1.35, 0.0),
    "bust": Framing(2.2, 0.55, upright=True),
    "person": Framing(6.5, 2.7, upright=True),
}


@dataclass(frozen=True)
class Cut:
    """One face of a photo: what was detected, how its crop is made, what was measured, the crop and its reason.

    `reason` is "ok" or why the face is refused (a reason of manifest.CROPS). `measures` are columns of that table.
    """

    index: int  # by falling score; -1 when the whole photo is cut
    affine: Affine  # [2, 3], raw px -> crop px
    image: NDArray[np.uint8]  # [size, size, 3], RGB
    measures: Mapping[str, float] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)  # of a drawn face, by column: "#rrggbb"
    detected: DetectedFace | None = None
    reason: str = OK

    @property
    def box(self) -> Box | None:
        """The detector's, edge coordinates, raw px."""
        return self.detected.face.box if self.detected else None

    @property
    def landmarks(self) -> Points | None:
        """[68, 2], raw px; human faces only."""
        return self.detected.landmarks if self.detected else None


class Aligner:
    """Cuts the faces out of photos by one set of rules; loads its models once."""

    def __init__(self, rules: CropRules) -> None:
        """Raises UsageError for an unknown detector and ModelError for a model file that can't be had."""
        self.rules = rules
        self.align = alignment(rules)
        landmarker = landmarkers.LANDMARKERS.resolve(rules.landmarks)() if has_landmarks(rules) else None
        self.search = FaceSearch(rules, landmarker) if self.align != "none" else None
        self._person = person_mask.load() if needs_mask(rules) else None

    def __call__(self, image: NDArray[np.uint8]) -> list[Cut]:
        """Every face of `image` (RGB [height, width, 3]) by falling score, those that are refused included.

        Without a face the list is empty. With `align: none` it holds the middle square of the photo.
        """
        return self.cut(image, self.find(image))

    def find(self, image: NDArray[np.uint8]) -> list[DetectedFace]:
        """Every face of `image`, by falling score: none with `align: none`."""
        return self.find_in(lambda side: (image, 1))

    def find_in(self, view: View) -> list[DetectedFace]:
        """Every face of the photo that `view` shows, as `find` does; all of its px are asked for where it has one."""
        seen = self.search(view) if self.search else []
        if all(one.divisor == 1 for one in seen):
            return [one.face for one in seen]
        assert self.search is not None, "it saw something"
        image, _ = view(WHOLE)
        return [with_landmarks(image, one.face.face, self.search.landmarker) for one in seen]

    def placed(self, image: NDArray[np.uint8], numbers: Sequence[float]) -> DetectedFace:
        """The face of `image` that a person has placed at `numbers`, as `placed.face` has them; detects nothing."""
        find = self.search.landmarker if self.search else None
        return placed.detected(numbers, image, find, self.rules)

    def cut(self, image: NDArray[np.uint8], detected: Sequence[DetectedFace]) -> list[Cut]:
        """The faces `detected` in `image` cut and measured, each with its reason; detects nothing."""
        if self.align == "none":
            cuts = [self._cut(image, -1, None)]
        else:
            coloured = any(one.landmarks is not None for one in detected) and skin.has_colour(image)
            cuts = [self._cut(image, index, one, coloured=coloured) for index, one in enumerate(detected)]
        columns = {name: np.array([c.measures.get(name, np.nan) for c in cuts], float) for name in criteria.COLUMNS}
        index = np.array([cut.index for cut in cuts], float)
        by_person = np.array([cut.detected is not None and bool(cut.detected.placed) for cut in cuts], np.bool_)
        reasons = criteria.reasons(columns, np.zeros(len(cuts), int), index, self.rules, by_person)
        return [replace(cut, reason=str(reason)) for cut, reason in zip(cuts, reasons, strict=True)]

    def recut(self, image: NDArray[np.uint8], cut: Cut) -> Cut:
        """The same part of `image`, another picture of the same photo; nothing is detected or measured."""
        return replace(cut, image=self._shown(warp.cut(image, cut.affine, self.rules.size, self._clearance)))

    @property
    def _clearance(self) -> float:
        return warp.FFHQ_CLEARANCE if self.align == "ffhq" else 0

    def _cut(
        self, image: NDArray[np.uint8], index: int, detected: DetectedFace | None, *, coloured: bool = False
    ) -> Cut:
        size, (height, width) = self.rules.size, image.shape[:2]
        quad = self._quad(detected) if detected else _middle(width, height)
        affine = geometry.quad_affine(quad, size)
        crop = warp.cut(image, affine, size, self._clearance)
        measures = quality.measure(crop, geometry.apply(affine, _outline(detected)) if detected else None)
        measures |= {
            "padding": geometry.padding_share(affine, size, width, height),
            "upscale": size / geometry.quad_side(quad),
        }
        colours: dict[str, str] = {}
        if detected:
            measures |= detected_measures(detected, image, coloured=coloured)
            if detected.face.parts:
                colours = drawn.colours(image, detected.face.parts)
            if self.rules.hair_share and self._person and detected.landmarks is not None:
                measures["hair_share"] = hair_share.measure(image, detected.landmarks, self._person)
        measures = {name: float(np.float32(value)) for name, value in measures.items()}
        return Cut(index, affine, self._shown(crop), measures, colours, detected)

    def _shown(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`crop` on the background that the rules ask for; what is measured is the photo's own."""
        if self._person is None or self.rules.background == person_mask.KEEP:
            return crop
        return person_mask.on_background(crop, self._person(crop), self.rules.background)

    def _quad(self, detected: DetectedFace) -> Points:
        """What the crop shows of a face: nw, sw, se, ne, [4, 2]."""
        rules, frame = self.rules, FRAMINGS[self.rules.framing]
        if self.align == "ffhq" and detected.landmarks is not None:
            quad = ffhq_quad(detected.landmarks)
        elif self.align == "anime" and detected.face.parts:
            quad = drawn.quad(detected.face.parts, rules.margin, rules.rotate)
        else:
            quad = geometry.box_quad(detected.face.box, rules.margin, rules.rotate + detected.face.angle)
        zoom = frame.zoom * rules.scale
        return geometry.framed(quad, zoom, frame.shift_y + rules.shift_y * zoom, upright=frame.upright)


def prepare(rules: CropRules) -> None:
    """Sees to it that what an Aligner for `rules` needs is on this machine, without loading it all.

    Raises UsageError for an unknown detector and ModelError for a model file that can't be had.
    """
    if alignment(rules) != "none":
        ensemble.load(rules)
    if has_landmarks(rules):
        model_files.path(landmarkers.FILES[rules.landmarks])
    if needs_mask(rules):
        model_files.path(person_mask.MODEL)


def alignment(rules: CropRules) -> str:
    """How `rules` align a face: ffhq, anime, box or none.

    `auto` is ffhq for photos and, for drawings, anime where a detector sees eyes and chin, box elsewhere. Raises
    UsageError for anime with a detector that does not.
    """
    parts = detectors.sees_parts(rules)
    if rules.align == "anime" and not parts:
        raise UsageError(
            f"align: anime: goes by the eyes and the chin of drawn faces, which detector {rules.detector} does not see",
            "use --detector animeface, or --align box",
        )
    if rules.align == "auto":
        return "anime" if parts else "box" if detectors.drawn(rules) else "ffhq"
    return rules.align


def has_landmarks(rules: CropRules) -> bool:
    """Whether faces get landmarks: those of photos always, as they tell false detections, too."""
    return alignment(rules) == "ffhq" or (alignment(rules) == "box" and not detectors.drawn(rules))


def needs_mask(rules: CropRules) -> bool:
    """Whether `rules` ask for what only the mask of the person tells."""
    return rules.background != person_mask.KEEP or (rules.hair_share and has_landmarks(rules))


def _outline(detected: DetectedFace) -> Points:
    """Points around the face, raw px, index coordinates, [n, 2]: its landmarks, or the corners of its box."""
    if detected.landmarks is not None:
        return detected.landmarks
    return geometry.box_quad(detected.face.box, 0.0, detected.face.angle)


def _middle(width: int, height: int) -> Points:
    """The middle square of a photo."""
    side = min(height, width)
    return geometry.box_quad(Box((width - side) / 2, (height - side) / 2, side, side))
