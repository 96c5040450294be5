"""What is measured of a face: who it is stays with the person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from curate.train.latent.face_measures import MEASURES, FaceMeasures
from tests.support.drawn_people import landscape, person


def test_a_person_stays_near_themselves_and_a_smile_is_seen() -> None:
    faces = FaceMeasures()
    smiling, plain = (replace(person(3), smile=smile).draw() for smile in (True, False))
    first, second, other = map(faces.identity, (smiling, plain, person(4).draw()))
    assert first is not None and second is not None and other is not None
    assert float(first @ second) > float(first @ other)
    assert np.linalg.norm(first) > 0.999
    assert faces(smiling)["smile"] > faces(plain)["smile"] + 0.1
    assert set(faces(plain)) <= set(MEASURES)
    small = faces(smiling[::4, ::4])  # of the size that small networks make
    assert abs(small["yaw"] - faces(smiling)["yaw"]) < 12


def test_nobody_has_only_what_any_picture_has() -> None:
    faces = FaceMeasures()
    assert set(faces(landscape(0))) == {"brightness", "colourfulness"}
    assert faces.identity(landscape(0)) is None
