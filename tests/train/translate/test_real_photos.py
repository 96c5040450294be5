"""A hundred real photos, some turned by EXIF: outside of what the networks saw, every pixel is the input's."""

from __future__ import annotations

import io
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from curate.pipeline.imaging import geometry
from curate.pipeline.imaging.photo import Photo
from curate.train.translate import metadata, picture_files
from curate.train.translate.photos import read_photo
from curate.train.translate.translator import Translator
from tests.support.painter import Paints, painter

COUNT = 100
TURNED = 3  # of every so many photos one


def photos(data: Path, folder: Path) -> list[Path]:
    """COUNT photos with people on them; each third is written anew as a JPEG that lies as a camera was held."""
    found = [*sorted(data.glob("dlib_faces/*.jpg")), *sorted(data.glob("portraits_gray/*/*.jpg"))]
    found += sorted(data.glob("face_recognition_tests/**/*.jpg")) + sorted(data.glob("ffhq_reference/*.png"))
    chosen = [path for path in found if path.stat().st_size < 400_000][:COUNT]
    for number in range(0, len(chosen), TURNED):
        with Image.open(chosen[number]) as image:
            exif = Image.Exif()
            exif[0x0112] = orientation = number // TURNED % 8 + 1
            undo = {5: 5, 6: 4, 7: 6, 8: 2, 2: 0, 3: 3, 4: 1}  # Image.Transpose that the viewer's turn undoes
            lying = image.convert("RGB").transpose(Image.Transpose(undo[orientation])) if orientation > 1 else image
            chosen[number] = folder / f"{number:03}.jpg"
            lying.convert("RGB").save(chosen[number], quality=92, exif=exif)
    return chosen


def read_by_pillow(file: object) -> np.ndarray:
    with Image.open(file) as image:  # type: ignore[arg-type]
        assert image.getexif().get(0x0112, 1) == 1 or not isinstance(file, io.BytesIO)
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def test_outside_of_the_networks_square_every_pixel_is_the_inputs(data: Path, tmp_path: Path) -> None:
    paths = photos(data, tmp_path)
    if len(paths) < COUNT:
        pytest.skip(f"only {len(paths)} photos are below {data}")
    ways: list[Paints] = ["oval", "all", "plain"]
    translators = cycle([Translator(painter(way), "a2b", all_faces=way == "all") for way in ways])
    changed = 0
    for path, translator in zip(paths, translators, strict=False):
        photo = read_photo(path)
        assert isinstance(photo, Photo)
        made = translator.on_photo(photo)
        file = picture_files.encode(made.photo, ".png", metadata.xmp(metadata.MadeBy("Painter", "x", 1, ())))
        before, after = read_by_pillow(path), read_by_pillow(io.BytesIO(file))
        assert before.shape == after.shape, path.name
        y, x = np.mgrid[: len(before), : before.shape[1]]
        outside = np.ones(x.shape, bool)
        for layer in made.layers:
            places = geometry.apply(layer.affine, np.stack([x.ravel(), y.ravel()], 1)).reshape(*x.shape, 2)
            outside &= ~((places > -0.5) & (places < 63.5)).all(-1)
        assert np.array_equal(before[outside], after[outside]), path.name
        differs = (before != after).any(-1)
        changed += bool(made.layers) and differs.sum() > 0.2 * (~outside).sum()
    assert changed > 0.8 * COUNT
