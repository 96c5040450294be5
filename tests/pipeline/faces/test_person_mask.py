"""Other backgrounds behind people, and how much hair they have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curate.pipeline.core.config import parse
from curate.pipeline.core.errors import ModelError, UsageError
from curate.pipeline.faces import hair_share, model_files, person_mask
from curate.pipeline.faces.alignment import Aligner, needs_mask, prepare
from curate.pipeline.faces.config import CropRules, framing
from curate.pipeline.faces.landmarkers import dlib68
from curate.pipeline.imaging.geometry import Box
from tests.support import drawn_people

MASK = np.zeros((64, 64), np.float32)
MASK[:, 24:40], MASK[:, 23], MASK[:, 40] = 1, 0.5, 0.5


def picture() -> np.ndarray:
    image = np.full((64, 64, 3), (0, 0, 200), np.uint8)
    image[:, 24:40] = (200, 100, 50)
    image[:, [23, 40]] = (100, 50, 125)  # half of each
    return image


@pytest.mark.parametrize("background, colour", [("white", (255, 255, 255)), ("#102030", (16, 32, 48))])
def test_the_background_is_another_and_its_old_colour_leaves_no_rim(
    background: str, colour: tuple[int, int, int]
) -> None:
    made = person_mask.on_background(picture(), MASK, background)
    assert (made[:, :23] == colour).all() and (made[:, 41:] == colour).all()
    assert np.array_equal(made[:, 24:40], picture()[:, 24:40])
    half = (np.array((200, 100, 50)) + colour) / 2
    assert np.abs(made[:, [23, 40]] - half).max() <= 2


def test_a_blurred_background_has_nothing_of_the_person() -> None:
    image = picture()
    image[:10, :20] = 255
    made = person_mask.on_background(image, MASK, "blur")
    assert np.array_equal(made[:, 24:40], image[:, 24:40])
    assert made[20:, 41:, 0].max() <= 8  # no red runs into the blue
    assert 0 < made[5, 10, 0] < 255


def test_what_is_asked_for_is_checked_and_cuts_anew() -> None:
    for wrong in ("black", "#12345", "keep "):
        with pytest.raises(UsageError, match="background"):
            parse(CropRules, {"background": wrong}, "crop")
    plain, white = CropRules(), parse(CropRules, {"background": "white"}, "crop")
    assert not needs_mask(plain) and needs_mask(white) and needs_mask(CropRules(hair_share=True))
    assert not needs_mask(CropRules(hair_share=True, detector="anime"))
    assert len({str(framing(rules)) for rules in (plain, white, CropRules(hair_share=True))}) == 3


def test_without_the_file_it_is_one_clear_error_for_who_asks_and_none_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = model_files.path

    def path(name: str) -> Path:
        if name == person_mask.MODEL:
            raise ModelError("selfie_segmentation.tflite: cannot fetch it", "with a network, run it again")
        return real(name)

    monkeypatch.setattr(model_files, "path", path)
    prepare(CropRules(detector="hog"))
    for asking in (CropRules(background="white", align="none"), CropRules(hair_share=True, detector="hog")):
        with pytest.raises(ModelError, match="selfie_segmentation"):
            prepare(asking)


@pytest.fixture(scope="module")
def network() -> person_mask.PersonMask:
    if model_files.find(person_mask.MODEL) is None:
        pytest.skip("the person mask's file is not on this machine")
    return person_mask.load()


def test_long_hair_is_more_than_short_hair(network: person_mask.PersonMask) -> None:
    find = dlib68.load()
    shares: dict[str, list[float]] = {"long": [], "short": []}
    for seed in range(12):
        box = Box(*drawn_people.person(seed).places().face)
        share = hair_share.measure(drawn_people.photo(seed), find(drawn_people.photo(seed), box, 0).points, network)
        shares["long" if seed % 2 else "short"].append(share)
    assert np.median(shares["long"]) > 1.3 * np.median(shares["short"]) > 0


def test_nobody_has_no_hair(network: person_mask.PersonMask) -> None:
    points = dlib68.load()(drawn_people.photo(1), Box(*drawn_people.person(1).places().face), 0).points
    assert hair_share.measure(drawn_people.photo(1), points, lambda image: np.zeros(image.shape[:2], np.float32)) == 0


def test_crops_come_on_white_and_what_is_measured_is_the_photo(network: person_mask.PersonMask) -> None:
    photo = drawn_people.photo(3)
    (plain,), (white,) = (Aligner(CropRules(detector="hog", background=how))(photo) for how in ("keep", "white"))
    assert (white.image[:8, :8] == 255).all() and not (plain.image[:8, :8] == 255).all()
    assert np.array_equal(white.image[120:136, 120:136], plain.image[120:136, 120:136])
    assert white.measures == plain.measures and "hair_share" not in plain.measures
    (asked,) = Aligner(CropRules(detector="hog", hair_share=True))(photo)
    assert 0 < asked.measures["hair_share"] < 1
