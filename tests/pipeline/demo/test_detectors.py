"""That real detectors see the drawn faces. Rates belong to the drawing: seeds are pinned and margins asked for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.items import DemoPicture
from curate.pipeline.demo.world import DrawnWorld
from curate.pipeline.faces import model_files

COUNT = 8  # portraits of each hair length, and anime faces
HAAR = ("haarcascade_frontalface_default.xml", "haarcascade_frontalface_alt2.xml")


@lru_cache(maxsize=1)
def world() -> DrawnWorld:
    return DrawnWorld(Demo(seed=7, portraits=COUNT, anime=COUNT, icons=0, garments=6))


@lru_cache(maxsize=256)
def drawn(key: str) -> NDArray[np.uint8]:
    return world().pixels(world().pictures[key])


def subjects(kind: str) -> list[DemoPicture]:
    return [p for p in world().pictures.values() if p.truth.kind == kind and not p.truth.copy and not p.truth.fault]


def boxes(cascade: cv2.CascadeClassifier, picture: NDArray[np.uint8]) -> list[list[int]]:
    grey = cv2.equalizeHist(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    smallest = max(24, min(grey.shape) // 10)
    found = cascade.detectMultiScale(grey, 1.1, 5, minSize=(smallest, smallest))
    return [[int(v) for v in box] for box in found]


def hits(picture: DemoPicture, cascade: cv2.CascadeClassifier) -> list[list[int]]:
    """The boxes that hold both eyes and the mouth and are about as large as the face."""
    truth = picture.truth
    assert truth.eyes and truth.mouth and truth.face
    parts, face = (*truth.eyes, truth.mouth), truth.face
    return [
        [x, y, width, height]
        for x, y, width, height in boxes(cascade, drawn(picture.key))
        if all(x <= px <= x + width and y <= py <= y + height for px, py in parts) and 0.6 <= width / face[2] <= 2.2
    ]


def haar(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / name))


def test_haar_cascades_find_the_portraits() -> None:
    cascades = [haar(name) for name in HAAR]
    people = subjects("portrait")
    assert sum(any(hits(p, c) for c in cascades) for p in people) >= 0.9 * len(people)


def test_haar_cascades_find_who_wears_a_garment_and_hardly_a_face_in_an_article() -> None:
    cascade = haar(HAAR[1])
    people, articles = subjects("human"), subjects("article")
    assert sum(bool(hits(p, cascade)) for p in people) >= 0.85 * len(people)
    assert sum(bool(boxes(cascade, drawn(p.key))) for p in articles) <= 0.2 * len(articles)


def test_landmarks_lie_on_the_drawn_eyes_and_tell_a_smile() -> None:
    cascade = haar(HAAR[1])
    predictor = dlib.shape_predictor(str(model_files.path("landmarks-68")))
    errors, widths = [], {True: [], False: []}
    for picture in subjects("portrait"):
        truth = picture.truth
        assert truth.face and truth.eyes and truth.smile is not None
        for x, y, width, height in hits(picture, cascade)[:1]:
            shape = predictor(drawn(picture.key), dlib.rectangle(x, y, x + width, y + height))
            points = np.array([(p.x, p.y) for p in shape.parts()])
            eyes = points[36:42].mean(0), points[42:48].mean(0)
            face = np.hypot(*(np.subtract(*truth.eyes))) / 0.455  # the eyes are so far apart, in face widths
            errors.append(max(np.hypot(*(a - b)) for a, b in zip(eyes, truth.eyes)) / face)
            if not 0.3 < truth.smile < 0.7:
                widths[truth.smile > 0.5].append(np.hypot(*(points[48] - points[54])) / face)
    assert len(errors) >= 0.8 * len(subjects("portrait"))
    assert np.median(errors) < 0.05
    assert np.percentile(errors, 95) < 0.08
    assert np.median(widths[True]) > np.median(widths[False]) + 0.03


def test_the_anime_cascade_finds_the_drawings_and_haar_does_not(cascade: Path) -> None:
    anime = cv2.CascadeClassifier(str(cascade))
    drawings = subjects("anime")
    assert sum(bool(hits(p, anime)) for p in drawings) >= 0.8 * len(drawings)
    photo = haar(HAAR[1])
    assert sum(bool(hits(p, photo)) for p in drawings) <= 0.2 * len(drawings)


@pytest.mark.parametrize("length", ["long", "short"])
def test_hair_length_shows_beside_the_chin(length: str) -> None:
    """In the crop that trains, long hair covers what lies left and right of the chin; short hair leaves it free."""
    shares = []
    for picture in [p for p in subjects("portrait") if p.truth.hair == length]:
        truth = picture.truth
        assert truth.eyes and truth.chin
        left, right = (np.array(eye) for eye in truth.eyes)
        across, down = (right - left) / 0.455, np.array(truth.chin) - (left + right) / 2
        tone = 255 * np.array(picture.look.person.hair)  # type: ignore[attr-defined]
        for side in (-0.56, 0.56):
            x, y = np.rint((left + right) / 2 + 0.85 * down + side * across).astype(int)
            patch = drawn(picture.key)[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3).mean(0)
            shade = patch @ tone / (tone @ tone)
            shares.append(np.abs(patch - shade * tone).max() < 30 and shade < 1.25)
    assert np.mean(shares) > 0.8 if length == "long" else np.mean(shares) < 0.35
