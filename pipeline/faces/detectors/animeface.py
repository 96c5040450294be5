"""Drawn faces with their eyes, mouth, nose and chin: AnimeFace 2009, whose library the package animeface brings."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.errors import DetectorLostError, ModelError
from curate.pipeline.core.helper_process import HelperLostError, HelperProcess
from curate.pipeline.faces import model_files
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import Detector, Face, Parts, nvxs
from curate.pipeline.faces.detectors.scaling import bounded
from curate.pipeline.imaging.geometry import Box, overlap

LONGEST = 120.0  # s for one look at one picture; a busy machine needs one
_NARROWEST = 42.592  # px of the scaled picture: the authors' narrowest window
_LENIENT = 0.8  # faces somewhat below min_face are looked for too, so that they are refused with their size
_CLOSE_SIDE = 80  # px of the face in the second look
_CLOSE_NARROWEST = 36.0
_AROUND = 0.4  # what the second look sees beside the face, in its sides
_SURE = 0.8  # likelihood of the second look: faces have 0.96 and more, what else was seen 0.76 and less
_SAME = 0.2  # overlap from which a face is the one that was looked for


def load(rules: CropRules) -> Detector:
    """The library, run in a process of its own; its score is the likelihood of a second look, 0.8..1.

    Raises ModelError where there is no build of the library for this machine. What it returns raises DetectorLostError
    for a picture that kills the library, or that it takes more than LONGEST for.
    """
    helper = _helper(str(_library()))
    return lambda image: _detect(helper, image, rules)


def _library() -> object:
    if model_files.ANIMEFACE is None:
        raise ModelError(
            f"detector animeface: its library is built for Linux on x86-64 and Mac on arm64 alone, and this is "
            f"{sys.platform} on {platform.machine()}",
            "--detector anime finds drawn faces, too, without their eyes and chin",
        )
    return model_files.verified("animeface")


@lru_cache(maxsize=1)
def _helper(path: str) -> HelperProcess:
    """One process for all looks. Raises ModelError for a library that does not run here."""
    helper = HelperProcess(nvxs.__name__, path.encode())
    for _ in range(2):  # an accident is no verdict
        with suppress(HelperLostError):
            helper.ask(nvxs.question(np.zeros((8, 8, 3), np.uint8), _NARROWEST), LONGEST)
            return helper
    raise ModelError(f"{path}: does not run on this machine", "it wants glibc; --detector anime is content with any")


def _ask(helper: HelperProcess, image: NDArray[np.uint8], narrowest: float) -> list[Face]:
    try:
        answer = nvxs.answered(helper.ask(nvxs.question(image, narrowest), LONGEST))
    except HelperLostError as error:
        raise DetectorLostError(f"detector animeface: its library was lost on this picture: {error}") from error
    return [_face(row) for row in answer.tolist()]


def _face(row: list[float]) -> Face:
    """The library's left is the character's, ours is the picture's; its nose and chin are small boxes."""
    face, right, left, nose, mouth, chin = (Box(*row[start : start + 4]) for start in range(1, nvxs.NUMBERS, 4))
    return Face(face, row[0], parts=Parts(left, right, mouth, _middle(nose), _middle(chin)))


def _middle(box: Box) -> tuple[float, float]:
    x, y = box.centre.tolist()
    return x, y


def _detect(helper: HelperProcess, image: NDArray[np.uint8], rules: CropRules) -> list[Face]:
    small, scale = bounded(image, rules.detect_side)
    side = max(small.shape[:2])
    window = max(_NARROWEST, rules.min_face * scale * _LENIENT, rules.min_share * side)
    if min(small.shape[:2]) < window:
        return []
    seen = (face.scaled(1 / scale) for face in _ask(helper, small, window))
    found = [again for face in seen if (again := _looked_at_again(helper, image, face)) is not None]
    return sorted(found, key=lambda face: (-face.score, face.box))


def _looked_at_again(helper: HelperProcess, image: NDArray[np.uint8], face: Face) -> Face | None:
    """`face` as the mean of what two closer looks see, at the picture as it is and mirrored; None if they doubt it.

    The library's answer moves by a tenth of the eye distance with the place of its windows; this takes a third of it.
    """
    looks = [look for mirrored in (False, True) for look in _close_looks(helper, image, face, mirrored)]
    likelihood = sum(look.score for look in looks) / 2
    if likelihood < _SURE:
        return None
    box = Box(*np.mean([look.box for look in looks], axis=0).tolist())
    return Face(box, likelihood, parts=Parts.mean([look.parts for look in looks if look.parts]))


def _close_looks(helper: HelperProcess, image: NDArray[np.uint8], face: Face, mirrored: bool) -> Iterator[Face]:
    """The face at `face`, if it is seen when the picture around it is brought to one size; at most one."""
    reach = face.box.side * _AROUND
    left, top = int(max(face.box.x - reach, 0)), int(max(face.box.y - reach, 0))
    right = int(min(np.ceil(face.box.x + face.box.width + reach), image.shape[1]))
    bottom = int(min(np.ceil(face.box.y + face.box.height + reach), image.shape[0]))
    scale = _CLOSE_SIDE / face.box.side
    shape = max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    patch = np.asarray(cv2.resize(image[top:bottom, left:right], shape, interpolation=how), np.uint8)
    found = _ask(helper, patch[:, ::-1] if mirrored else patch, _CLOSE_NARROWEST)
    placed = [
        (one.mirrored(shape[0]) if mirrored else one)
        .scaled((right - left) / shape[0])
        .moved(lambda x, y: (x + left, y + top))
        for one in found
    ]
    same = [one for one in placed if overlap(one.box, face.box) >= _SAME]
    yield from sorted(same, key=lambda one: -overlap(one.box, face.box))[:1]
