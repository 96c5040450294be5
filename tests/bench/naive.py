"""The crop stage as a blog author writes it: what `curate crop` is measured against.

cv2.imread; Haar frontalface_default, step 1.1, 5 neighbours, on the full-size grey image; dlib's 68 landmarks; FFHQ
alignment of the largest face from a second reading of the file, by the official function (256 px, transform 1024) where
it is to be had, else by Pillow alone without FFHQ's costly padding; PNG by Pillow; imagehash of the saved file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import dlib
import imagehash
import numpy as np
from PIL import Image

from curate.pipeline.faces import model_files
from curate.pipeline.faces.ffhq import ffhq_quad
from curate.pipeline.imaging import codec, geometry
from tests.bench import official


def boxes(image: codec.RGB) -> list[geometry.Box]:
    """All faces that the script's detector sees in `image`, edge coordinates; the script takes the largest."""
    found = _cascade().detectMultiScale(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 1.1, 5)
    return [geometry.Box(*(float(value) for value in box)) for box in found]


def load(module: Any = None) -> Callable[[Path, Path], bool]:
    """The script: (photo, where to save its crop) -> whether there was a face. Models are loaded here.

    `module`: the official alignment's, if there is one.
    """
    cascade = _cascade()
    predictor = dlib.shape_predictor(str(model_files.path("landmarks-68")))

    def cut(photo: Path, target: Path) -> bool:
        image = cv2.imread(str(photo))
        boxes = cascade.detectMultiScale(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 1.1, 5)
        if not len(boxes):
            return False
        x, y, width, height = (int(v) for v in max(boxes, key=lambda box: box[2] * box[3]))
        found = predictor(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dlib.rectangle(x, y, x + width, y + height))
        points = np.array([(p.x, p.y) for p in found.parts()], np.float64)
        if module is None:
            _aligned(photo, points).save(target)
        else:
            official.align(module, photo, points, target.parent, 256, 1024).replace(target)
        with Image.open(target) as saved:
            imagehash.phash(saved)
        return True

    return cut


def _cascade() -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")


def _aligned(photo: Path, points: geometry.Points) -> Image.Image:
    corners = tuple((ffhq_quad(points) + 0.5).ravel())
    with Image.open(photo) as opened:
        warped = opened.convert("RGB").transform((1024, 1024), Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    return warped.resize((256, 256), Image.Resampling.LANCZOS)
