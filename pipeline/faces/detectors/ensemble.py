"""The detectors that rules ask for, put together: one, or several that must agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import DETECTORS, Detector, Face, names
from curate.pipeline.imaging.geometry import overlap


def load(rules: CropRules) -> Detector:
    """What looks at one picture as `rules` ask, ready to run: `detect_side`, `min_share` and `min_face` as they are.

    Raises UsageError for an unknown name and ModelError for a model file that can't be had.
    """
    loaded: list[Detector] = [DETECTORS.resolve(name)(rules) for name in names(rules)]
    return loaded[0] if len(loaded) == 1 else Agreement(loaded)


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
        return sorted((_merged(group) for group in groups), key=order)


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
    parts = next((face.parts for face in group if face and face.parts), None)
    scores = tuple(face.score if face else None for face in group)
    return first._replace(scores=scores, agreement=agreement, parts=parts)


def order(face: Face) -> tuple[object, ...]:
    """What sorts faces: those that more detectors see first, then by falling score."""
    return sum(score is None for score in face.scores), -face.score, face.box
