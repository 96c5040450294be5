"""A face as the 128 numbers of dlib's face recognition network: near for one person, far for two."""

from __future__ import annotations

import dlib
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces import model_files
from curate.pipeline.imaging.geometry import Points

MODEL = "face-embedding"
WIDTH = 128
_PADDING = 0.25  # of the chip that the network was trained on


class FaceNet:
    """The network, loaded. Raises ModelError without its file."""

    def __init__(self) -> None:
        self.network = dlib.face_recognition_model_v1(str(model_files.path(MODEL)))

    def __call__(self, image: NDArray[np.uint8], landmarks: Points) -> NDArray[np.float32]:
        """The embedding, float32 [128], of the face with `landmarks` [68, 2], px of `image` [H, W, 3]."""
        height, width = image.shape[:2]
        points = [dlib.point(round(x), round(y)) for x, y in landmarks.tolist()]
        shape = dlib.full_object_detection(dlib.rectangle(0, 0, width - 1, height - 1), dlib.points(points))
        return np.array(self.network.compute_face_descriptor(image, shape, 0, _PADDING), np.float32)
