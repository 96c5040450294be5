"""The writer of safetensors: what the library reads, in equal bytes; the reader: one line for whatever is wrong."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save

from curate.pipeline.core.errors import CurateError, UsageError
from curate.train.engine import safetensors_file
from curate.train.engine.safetensors_file import DTYPES

MIXED = {
    "z": torch.arange(6.0).reshape(2, 3).T,  # not contiguous
    "flags": torch.tensor([True, False, True]),
    "half": torch.randn(3, dtype=torch.bfloat16),
    "number": torch.tensor(7, dtype=torch.int64),
    "nothing": torch.empty(0, 4),
    "ü": torch.randn(2, 1, 5, dtype=torch.float64),
}


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new/x.safetensors"
    safetensors_file.write(path, MIXED, {"b": "2", "a": "é"})
    read = load_file(path)
    assert read.keys() == MIXED.keys()
    for name, value in MIXED.items():
        assert read[name].dtype == value.dtype
        assert torch.equal(read[name], value)
    assert safetensors_file.metadata(path) == {"a": "é", "b": "2"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_of_number_comes_back(tmp_path: Path, dtype: torch.dtype) -> None:
    value = torch.tensor([0, 1, 1]).to(dtype)
    safetensors_file.write(tmp_path / "x", {"x": value})
    read = safetensors_file.read(tmp_path / "x")[1]["x"]
    assert read.dtype == dtype
    assert torch.equal(read, value)


def test_the_bytes_are_those_of_the_library(tmp_path: Path) -> None:
    plain = {name: value.contiguous() for name, value in MIXED.items()}
    safetensors_file.write(tmp_path / "x", dict(reversed(plain.items())))
    content = (tmp_path / "x").read_bytes()
    with safe_open(tmp_path / "x", framework="pt") as file:
        notes = file.metadata()
    assert notes.keys() == {safetensors_file.CHECKSUMS}
    assert content == save(plain, notes)


def file_of(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


BROKEN = {
    "empty": b"",
    "no header": b"\x08",
    "a header of 8 EiB": struct.pack("<Q", 2**63) + b"{}",
    "cut": file_of({"x": entry([4], 0, 16)}, b"\0" * 15),
    "too long": file_of({"x": entry([1], 0, 4)}, b"\0" * 9),
    "another shape": file_of({"x": entry([5], 0, 16)}, b"\0" * 16),
    "an overflow": file_of({"x": entry([2**40, 2**40], 0, 4)}, b"\0" * 4),
    "backwards": file_of({"x": entry([1], 4, 0)}, b"\0" * 4),
    "overlapping": file_of({"x": entry([1], 0, 4), "y": entry([1], 0, 4)}, b"\0" * 4),
    "an unknown type": file_of({"x": entry([1], 0, 4, "F31")}, b"\0" * 4),
    "no JSON": file_of(b"{" * 50_000),
    "a list": file_of([1]),
    "latin-1": file_of(b'{"\xfc": 1}'),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_one_line_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.safetensors: broken: .+") as caught:
        safetensors_file.read(path, "make it again")
    assert "\n" not in caught.value.message
    assert caught.value.hint == "make it again"


def test_what_is_no_file_says_so(tmp_path: Path) -> None:
    for path, word in ((tmp_path / "x", "No such file"), (tmp_path, "a folder"), (tmp_path / "x/y", "No such")):
        with pytest.raises(UsageError, match=word):
            safetensors_file.read(path)


def test_a_header_of_very_many_tensors_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors_file, "MOST_TENSORS", 20)
    path = tmp_path / "x"
    safetensors_file.write(path, {str(number): torch.empty(0) for number in range(21)})
    with pytest.raises(UsageError, match="claims to hold 21 tensors"):
        safetensors_file.metadata(path)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=8), st.booleans())
def test_any_damage_is_named_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, place: int, damage: bytes, cut: bool
) -> None:
    whole = save({"a": torch.ones(3, 2), "b": torch.zeros(4, dtype=torch.int8)}, {"note": "x"})
    broken = whole[:place] + (b"" if cut else damage + whole[place + len(damage) :])
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(broken)
    try:
        tensors = safetensors_file.read(path)[1]
    except CurateError:
        return
    assert sum(value.numel() * value.element_size() for value in tensors.values()) <= len(broken)


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path, draws = tmp_path / "x", random.Random(1)
    safetensors_file.write(path, MIXED, {"about": "x" * 40})
    whole = path.read_bytes()
    for place in draws.sample(range(8 * len(whole)), 400):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            notes, tensors = safetensors_file.read(path)
        except UsageError:
            continue
        assert notes["about"] == "x" * 40 and len(notes) == 2  # the name of the checksums itself
        assert all(torch.equal(tensors[name], value) for name, value in MIXED.items())


def test_metadata_alone_does_not_wait_for_the_tensors(tmp_path: Path) -> None:
    path = tmp_path / "x"
    safetensors_file.write(path, MIXED, {"about": "x"})
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")  # the last byte of the last tensor
    assert safetensors_file.metadata(path) == {"about": "x"}
    with pytest.raises(UsageError, match="its bytes have changed since it was written"):
        safetensors_file.read(path)


def test_what_others_wrote_and_older_versions_has_no_checksums_and_is_read(tmp_path: Path) -> None:
    plain = {name: value.contiguous() for name, value in MIXED.items()}
    (tmp_path / "x").write_bytes(save(plain, {"about": "x"}))
    notes, tensors = safetensors_file.read(tmp_path / "x")
    assert notes == {"about": "x"} and tensors.keys() == MIXED.keys()


@pytest.mark.parametrize("checksums", ["", "0", "0" * 15, "0" * 16, "0" * 17, "é" * 16, '"}' * 8])
def test_checksums_that_are_none_are_one_line(tmp_path: Path, checksums: str) -> None:
    (tmp_path / "x").write_bytes(save({"x": torch.ones(1)}, {safetensors_file.CHECKSUMS: checksums}))
    with pytest.raises(UsageError, match="its bytes have changed since it was written"):
        safetensors_file.read(tmp_path / "x")
