"""Which px of a picture show a person, and other backgrounds behind them: MediaPipe's selfie segmentation by OpenCV."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces import tflite

RGB = NDArray[np.uint8]  # [height, width, 3]
Mask = NDArray[np.float32]  # [height, width]: 1 the person, 0 the background
PersonMask = Callable[[RGB], Mask]

MODEL = "selfie-segmentation"
KEEP, WHITE, BLUR = "keep", "white", "blur"
SIDE = 256  # px that the network sees
_LEAST, _MOST = 0.25, 0.8  # its answers up to and from which a px is background or person: shadows of doubt are neither
_BLUR = 0.05  # sigma of a blurred background, in sides of the picture
_SHRINK = 4  # the blur is made on a smaller picture


def load() -> PersonMask:
    """The network: a picture of any size in, a mask of its size out. Raises ModelError for a file that can't be had."""
    network = tflite.load(MODEL)
    return lambda image: _mask(network, image)


def _mask(network: tflite.Network, image: RGB) -> Mask:
    how = cv2.INTER_AREA if max(image.shape[:2]) > SIDE else cv2.INTER_LINEAR
    small = image if image.shape[:2] == (SIDE, SIDE) else cv2.resize(image, (SIDE, SIDE), interpolation=how)
    (output,) = network(np.asarray(cv2.dnn.blobFromImage(small, 1 / 255), np.float32))
    answer = output.reshape(SIDE, SIDE)
    if small is not image:
        answer = np.asarray(cv2.resize(answer, image.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    return np.clip((answer - _LEAST) / (_MOST - _LEAST), 0, 1)


def on_background(image: RGB, mask: Mask, background: str) -> RGB:
    """The person of `image` on another `background`: white, blur (of what is there), or a colour, "#rrggbb".

    Where the mask is in two minds, at hair mostly, what the old background gives to a px is taken out of it first, so
    that the person brings no rim of it.
    """
    share = mask[..., None]
    before = _blurred(image, (1 - mask) ** 3)  # hardly any of what is half person
    person = np.clip(image - (1 - share) * before, 0, 255 * share)
    colour = "#ffffff" if background == WHITE else background
    behind = before if background == BLUR else np.array([*bytes.fromhex(colour[1:])], np.float32)
    return np.asarray(np.clip(np.rint(person + (1 - share) * behind), 0, 255), np.uint8)


def _blurred(image: RGB, weight: Mask) -> NDArray[np.float32]:
    """`image` blurred, each px with its `weight`: nothing of the person runs into the background."""
    height, width = weight.shape
    shape = max(width // _SHRINK, 1), max(height // _SHRINK, 1)
    parts = np.dstack([image * weight[..., None], weight]).astype(np.float32)
    small = cv2.resize(parts, shape, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(_BLUR * max(shape), 0.5), borderType=cv2.BORDER_REFLECT_101)
    colours = small[..., :3] / np.maximum(small[..., 3:], 1e-3)
    return np.asarray(cv2.resize(colours, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
