"""Pose from landmarks: exact on turned mean faces, and on photos what a mirror makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.faces import plausibility, pose
from curate.pipeline.faces.alignment import Aligner
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging import codec


def turned(yaw: float, pitch: float, roll: float = 0.0, scale: float = 80.0) -> NDArray[np.float64]:
    """The mean face as a distant camera sees it, [1, 68, 2] px: chin up by `pitch`, then to the right by `yaw`."""
    y, p, r = np.radians([yaw, pitch, roll])
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    shake = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    seen = pose.MEAN @ (lean @ shake @ nod).T * scale + 300.0
    return np.asarray(seen[None, :, :2])


@pytest.mark.parametrize("roll", [0, 30, -80, 170])
@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (25, 0), (-25, 0), (0, 20), (0, -20), (40, -15), (-60, 30)])
def test_a_turned_mean_face_is_told_exactly(yaw: float, pitch: float, roll: float) -> None:
    assert pose.yaw_pitch(turned(yaw, pitch, roll))[0] == pytest.approx([yaw, pitch], abs=1e-6)


def test_size_and_place_do_not_matter() -> None:
    one, other = turned(20, 10, scale=30), turned(20, 10, scale=300) * 2 + 999
    assert pose.yaw_pitch(one)[0] == pytest.approx(pose.yaw_pitch(other)[0], abs=1e-6)


def test_no_landmarks_no_pose() -> None:
    points = np.concatenate([turned(5, 5), np.full((1, 68, 2), np.nan), np.zeros((1, 68, 2))])
    found = pose.yaw_pitch(points)
    assert np.isnan(found).tolist() == [[False] * 2, [True] * 2, [True] * 2]
    assert pose.yaw_pitch(np.zeros((0, 68, 2))).shape == (0, 2)


def test_the_mean_face_is_symmetrical_and_its_nose_comes_first() -> None:
    depth = pose.MEAN[:, 2]
    assert (depth == depth[plausibility.MIRRORED]).all()
    assert depth.argmax() == 30  # the tip of the nose
    assert depth[36:48].mean() == pytest.approx(0, abs=0.02)


def test_a_mirrored_photo_looks_the_other_way(data: Path) -> None:
    aligner = Aligner(CropRules(detector="hog"))
    found = []
    for path in sorted((data / "dlib_faces").glob("2008_00*.jpg"))[:2]:
        photo = codec.decode(path.read_bytes())
        for face in aligner.find(photo):
            flipped = face.landmarks[plausibility.MIRRORED] * [-1, 1] + [photo.shape[1] - 1, 0]  # type: ignore[index]
            found.append([pose.yaw_pitch(points[None])[0] for points in (face.landmarks, flipped)])
    both = np.array(found)
    assert len(both) >= 3
    assert both[:, 0, 0] == pytest.approx(-both[:, 1, 0], abs=1e-6)
    assert both[:, 0, 1] == pytest.approx(both[:, 1, 1], abs=1e-6)
    assert np.ptp(both[:, 0, 0]) > 10
    assert np.abs(both).max() < 45
