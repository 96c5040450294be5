"""Networks in TensorFlow Lite's files, run by OpenCV on the CPU."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.errors import ModelError
from curate.pipeline.faces import model_files


class Network:
    """One network; several threads may call it."""

    def __init__(self, path: Path) -> None:
        """Raises ModelError for a file that is no network."""
        try:
            self._net = cv2.dnn.readNetFromTFLite(str(path))
        except cv2.error as error:
            raise ModelError(
                f"{path}: not a network: {error.msg}", "curate models verify says which file it is"
            ) from error
        self._outputs = self._net.getUnconnectedOutLayersNames()
        self._lock = threading.Lock()

    def __call__(self, blob: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs for `blob`, [1, channels, height, width], in the order of the file."""
        with self._lock:
            self._net.setInput(blob)
            return [np.asarray(output, np.float32) for output in self._net.forward(self._outputs)]


@lru_cache(maxsize=4)
def load(name: str) -> Network:
    """The network of the model `name`, loaded once. Raises ModelError for a file that can't be had or is none."""
    return Network(model_files.path(name))
