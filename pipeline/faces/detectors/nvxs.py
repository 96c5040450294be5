"""libnvxs, the library of AnimeFace 2009, by its C interface; and the process that runs it, as a bug there may kill.

The library wants the grey picture and its edges as integral images, slides five small neural networks over them, which
are compiled in, and answers with boxes of the face, both eyes and the mouth and points of the nose and the chin. Its
own measure of colours reads beyond the picture's edge and draws lots, so that is not called.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from ctypes import POINTER, Structure, c_char, c_float, c_int, c_uint, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core import helper_process

NUMBERS = 25  # of a face: likelihood; x, y, width, height of face, left eye, right eye, nose, mouth, chin
_MOST = 256  # faces
_STEP, _SCALE_STEP, _EDGES = 4.0, 1.095, 4.0  # as its authors run it: 32nds of a window; between windows; gain of edges
_HEADER = struct.Struct("<IIf")  # height, width, narrowest window


class _Matrix(Structure):
    """nv_matrix_t: `step` floats for each px of `rows` x `cols`."""

    _fields_ = (
        ("list", c_int),
        ("list_step", c_uint),
        *((name, c_int) for name in ("n", "m", "rows", "cols", "step", "alias")),
        ("v", POINTER(c_float)),
    )


class _Rectangle(Structure):
    _fields_ = (("x", c_int), ("y", c_int), ("width", c_int), ("height", c_int))


class _Position(Structure):
    _fields_ = (("likelihood", c_float), ("boxes", _Rectangle * 6))


def question(image: NDArray[np.uint8], narrowest: float) -> bytes:
    """What a HelperProcess is asked: the faces of `image`, RGB [height, width, 3], in windows from `narrowest` px."""
    return _HEADER.pack(*image.shape[:2], narrowest) + np.ascontiguousarray(image).tobytes()


def answered(data: bytes) -> NDArray[np.float32]:
    """The answer: [faces, NUMBERS], px of the image that was asked about."""
    return np.frombuffer(data, np.float32).reshape(-1, NUMBERS)


class Library:
    """The library at `path`, loaded. Raises OSError for a file that is none for this machine or lacks a function."""

    def __init__(self, path: Path) -> None:
        self._lib = ctypes.CDLL(str(path))
        matrix = POINTER(_Matrix)
        try:
            self._function("nv_matrix3d_alloc", matrix, c_int, c_int, c_int)
            self._function("nv_matrix_zero", None, matrix)
            self._function("nv_matrix_free", None, POINTER(matrix))
            self._function("nv_gray", None, matrix, matrix)
            self._function("nv_gaussian5x5", None, matrix, c_int, matrix, c_int)
            self._function("nv_laplacian1", None, matrix, matrix, c_float)
            self._function("nv_integral", None, matrix, matrix, c_int)
            networks = c_void_p, c_void_p, c_void_p, c_int, c_void_p  # direction, first look, the others, parts
            steps = c_float, c_float, c_float
            given = POINTER(_Position), c_int, matrix, matrix, POINTER(_Rectangle)
            self._function("nv_face_detect", c_int, *given, *networks, *steps)
            self._networks = {name: self._network(name) for name in ("dir", "face_00", "face_01", "face_02", "parts")}
        except (AttributeError, ValueError) as error:
            raise OSError(f"{path}: not libnvxs: {error}") from error
        self._others = (c_void_p * 3)(self._networks["face_01"], self._networks["face_02"], None)

    def _function(self, name: str, result: Any, *arguments: Any) -> None:
        found = getattr(self._lib, name)
        found.restype, found.argtypes = result, arguments

    def _network(self, name: str) -> int:
        return ctypes.addressof(c_char.in_dll(self._lib, f"nv_face_mlp_{name}"))

    def __call__(self, image: NDArray[np.uint8], narrowest: float) -> NDArray[np.float32]:
        """The faces of `image`, RGB [height, width, 3], [faces, NUMBERS]."""
        height, width = image.shape[:2]
        lib, kept = self._lib, []

        def made(depth: int, rows: int, columns: int) -> Any:
            kept.append(lib.nv_matrix3d_alloc(depth, rows, columns))
            lib.nv_matrix_zero(kept[-1])
            return kept[-1]

        try:
            colours, grey, smooth, edges = (made(depth, height, width) for depth in (3, 1, 1, 1))
            sums, edge_sums = (made(1, height + 1, width + 1) for _ in range(2))
            shape = (height, width, colours.contents.step)
            np.ctypeslib.as_array(colours.contents.v, shape)[..., :3] = image[..., ::-1]
            lib.nv_gray(grey, colours)
            lib.nv_gaussian5x5(smooth, 0, grey, 0)
            lib.nv_laplacian1(edges, smooth, _EDGES)
            lib.nv_integral(sums, grey, 0)
            lib.nv_integral(edge_sums, edges, 0)
            found, whole = (_Position * _MOST)(), _Rectangle(0, 0, width, height)
            first = self._networks["dir"], self._networks["face_00"], self._others, 2, self._networks["parts"]
            steps = _STEP, _SCALE_STEP, narrowest
            count = lib.nv_face_detect(found, _MOST, sums, edge_sums, ctypes.byref(whole), *first, *steps)
        finally:
            for matrix in kept:
                lib.nv_matrix_free(ctypes.byref(matrix))
        return np.array([_numbers(one) for one in found[:count]], np.float32).reshape(-1, NUMBERS)


def _numbers(position: _Position) -> list[float]:
    boxes = [(box.x, box.y, box.width, box.height) for box in position.boxes]
    return [position.likelihood, *(float(value) for box in boxes for value in box)]


def _begin(greeting: bytes) -> Callable[[bytes], bytes]:
    """The other process: the library's path first, then pictures."""
    library = Library(Path(greeting.decode()))

    def answer(data: bytes) -> bytes:
        height, width, narrowest = _HEADER.unpack_from(data)
        pixels = np.frombuffer(data, np.uint8, offset=_HEADER.size).reshape(height, width, 3)
        return library(pixels, narrowest).tobytes()

    return answer


if __name__ == "__main__":
    helper_process.serve(_begin)
