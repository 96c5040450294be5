"""Decoded pictures: kept once for all that train, whole or not at all."""

from __future__ import annotations

import io
import math
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.format import write_array_header_1_0

from curate.pipeline.core.errors import CurateError
from curate.pipeline.imaging import codec
from curate.train.data.cache import CACHE, load_decoded
from tests.support.training import RecordedProgress
from tests.support.unreadable import unreadable

COUNT, SIDE = 5, 24


@pytest.fixture
def pictures(tmp_path: Path) -> list[tuple[str, str]]:
    rng = np.random.default_rng(3)
    for number in range(COUNT):
        pixels = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        (tmp_path / f"{number}.png").write_bytes(codec.encode_png(pixels))
    return [(f"name {number}", f"{number}.png") for number in range(COUNT)]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Within the block every larger file is refused, as by a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_several_that_begin_at_once_decode_once_and_all_have_the_pictures(
    tmp_path: Path, pictures: list[tuple[str, str]]
) -> None:
    progress, found, start = RecordedProgress(), [], threading.Barrier(4)

    def load() -> None:
        start.wait()
        found.append(load_decoded(tmp_path, "x\ntrain", pictures, "curate crop", progress))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len({digest for _, digest in found}) == 1
    assert all(array.shape == (COUNT, SIDE, SIDE, 3) for array, _ in found)
    assert len(progress.shown) == COUNT, "each picture is decoded once"


def test_a_disk_that_is_full_is_one_line_and_leaves_nothing(tmp_path: Path, pictures: list[tuple[str, str]]) -> None:
    with files_of_at_most(2 * SIDE * SIDE * 3), pytest.raises(CurateError, match="cannot write"):
        load_decoded(tmp_path, "x\ntrain", pictures, "curate crop", RecordedProgress())
    assert [path.name for path in (tmp_path / CACHE).iterdir() if path.suffix != ".lock"] == []
    assert len(load_decoded(tmp_path, "x\ntrain", pictures, "curate crop", RecordedProgress())[0]) == COUNT


def npy(shape: tuple[int, ...], kind: str = "|u1", content: bytes | None = None) -> bytes:
    """A .npy file that says to hold an array of `shape`; so many bytes that it is one, unless `content` is given."""
    file = io.BytesIO()
    write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue() + (bytes(math.prod(shape) * np.dtype(kind).itemsize) if content is None else content)


DAMAGES = {
    "empty": b"",
    "cut in its header": b"\x93NUMPY\x01\x00",
    "cut": npy((COUNT, SIDE, SIDE, 3))[:-1],
    "longer": npy((COUNT, SIDE, SIDE, 3)) + b"x",
    "of terabytes": npy((COUNT, 2**20, 2**20, 3), content=bytes(99)),
    "of more than there is": npy((2**62, 2**62, 2**62, 3), content=bytes(99)),
    "below nothing": npy((COUNT, -1, -1, 3), content=bytes(9)),
    "of other pictures": npy((COUNT + 1, SIDE, SIDE, 3)),
    "flat": npy((COUNT,)),
    "of fractions": npy((COUNT, SIDE, SIDE, 3), "<f4"),
    "of objects": npy((COUNT, SIDE, SIDE, 3), "|O"),
    "no header": b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16,
    "text": b"hello",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_not_whole_is_made_again(tmp_path: Path, pictures: list[tuple[str, str]], damage: bytes) -> None:
    first, digest = load_decoded(tmp_path, "x\ntrain", pictures, "curate crop", RecordedProgress())
    array = next((tmp_path / CACHE).glob("*.npy"))
    array.unlink()
    array.write_bytes(damage)
    progress = RecordedProgress()
    again, same = load_decoded(tmp_path, "x\ntrain", pictures, "curate crop", progress)
    assert first.equal(again)
    assert digest == same
    assert progress.notes == [f"{array}: broken; its pictures are decoded anew"]


def test_what_is_whole_is_not_made_again(tmp_path: Path, pictures: list[tuple[str, str]]) -> None:
    first, _ = load_decoded(tmp_path, "x\ntrain", pictures, "curate crop", RecordedProgress())
    progress = RecordedProgress()
    assert load_decoded(tmp_path, "x\ntrain", pictures, "curate crop", progress)[0].equal(first)
    assert progress.notes == [] and progress.shown == []


@pytest.mark.parametrize("ending", [".json", ".npy"])
def test_what_can_not_be_read_is_told(ending: str, tmp_path: Path, pictures: list[tuple[str, str]]) -> None:
    load_decoded(tmp_path, "key", pictures, "curate crop", RecordedProgress())
    (kept,) = (tmp_path / CACHE).glob(f"*{ending}")
    with unreadable(kept), pytest.raises(CurateError, match=rf"\{ending}: cannot read: Permission denied"):
        load_decoded(tmp_path, "key", pictures, "curate crop", RecordedProgress())
