"""Files of safetensors: the one writer and the one reader of them.

8 bytes that say how long the header is, the header as JSON, then the tensors' bytes, little-endian, one after the
other: https://github.com/huggingface/safetensors#format. The library's own writer makes files that nobody else may
read, whatever umask says, leaves a scrap when it is killed, and has errors of its own for a full disk; hence this one.

Its files carry two checksums, which notice what a disk, a memory or a copy has changed: CRC-32 of all before the
tensors, with zeros in place of the checksums, and of the tensors. What others wrote has none, and is read as it is.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.files import NOT_THERE, atomic_write, read_error, reading

MOST_TENSORS = 100_000  # in one file: a header of more is no network's

CHECKSUMS = "curate.crc32"  # the metadata's key of them: hexadecimal, of the header, then of the tensors
_UNKNOWN = "0" * 16
_CHUNK = 1 << 20  # bytes
_CHANGED = "its bytes have changed since it was written"

DTYPES = {
    torch.float64: "F64",
    torch.int64: "I64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Writes `tensors`, on whatever device they are, with `metadata` in the header; whole or not at all.

    One tensor at a time is copied to the CPU. Equal content gives equal bytes. Raises CurateError when the disk is full
    or not writable.
    """
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))  # so that all of them are aligned
    notes = dict(sorted({**(metadata or {}), CHECKSUMS: _UNKNOWN}.items()))
    header: dict[str, object] = {"__metadata__": notes}
    end = 0
    for name in names:
        tensor = tensors[name]
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    begin, checksum = struct.pack("<Q", len(text)) + text, 0
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        file.write(begin)
        for name in names:
            data = tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
            checksum = zlib.crc32(data, checksum)
            file.write(data)
        file.seek(_place(begin, _UNKNOWN))
        file.write(f"{zlib.crc32(begin):08x}{checksum:08x}".encode())


def metadata(path: Path, hint: str = "fetch or make it again") -> dict[str, str]:
    """The metadata of the file `path`. Raises like `read`, but does not look at the tensors."""
    return _open(path, hint, tensors=False)[0]


def read(path: Path, hint: str = "fetch or make it again") -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of the file `path`; the tensors are mapped, and read when they are used.

    Raises UsageError where there is no such file, or one that is broken or has changed since it was written, with
    `hint`; CurateError for one that this user may not read.
    """
    return _open(path, hint, tensors=True)


def _open(path: Path, hint: str, *, tensors: bool) -> tuple[dict[str, str], dict[str, Tensor]]:
    check_readable(path)
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            if len(names) > MOST_TENSORS:
                raise UsageError(f"{path}: broken: it claims to hold {len(names):,} tensors", hint)
            notes = dict(file.metadata() or {})
            if (checksums := notes.pop(CHECKSUMS, None)) is not None:
                _verify(path, checksums, tensors=tensors)
            return notes, {name: file.get_tensor(name) for name in names} if tensors else {}
    except (OSError, SafetensorError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        check_readable(path)  # safe_open calls it missing otherwise
        if isinstance(error, OSError) and error.errno:
            raise read_error(path, error) from None
        detail = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UsageError(f"{path}: broken: {detail}", hint) from None


def _verify(path: Path, checksums: str, *, tensors: bool) -> None:
    """Raises ValueError where the header, or with `tensors` they, are not what `checksums` were taken of."""
    with path.open("rb", buffering=0) as file:
        length = file.read(8)
        begin = length + file.read(struct.unpack("<Q", length)[0])
        place = _place(begin, checksums)
        begin = begin[:place] + _UNKNOWN.encode() + begin[place + len(_UNKNOWN) :]
        found = f"{zlib.crc32(begin):08x}"
        if tensors:
            buffer, checksum = bytearray(_CHUNK), 0
            while count := file.readinto(buffer):
                checksum = zlib.crc32(memoryview(buffer)[:count], checksum)
            found += f"{checksum:08x}"
    if found != checksums[: len(found)]:
        raise ValueError(_CHANGED)


def _place(begin: bytes, checksums: str) -> int:
    """Where in a file that begins with `begin` the checksums stand: no text within the JSON has bare quotes."""
    key = f'"{CHECKSUMS}":"'.encode()
    place = begin.find(key + checksums.encode() + b'"')
    if place < 0 or len(checksums) != len(_UNKNOWN):
        raise ValueError(_CHANGED)
    return place + len(key)


def is_one(path: Path) -> bool:
    """Whether the file `path` begins as one. Raises like `check_readable`."""
    check_readable(path)
    with reading(path), path.open("rb") as file:
        return file.read(9)[8:] == b"{"  # after the length of its header


def check_readable(path: Path) -> None:
    """Raises UsageError where `path` is no file, and CurateError where it is one that this user may not read."""
    if path.is_dir():
        raise UsageError(f"{path}: a folder, not a file", "name a file in it")
    try:
        with reading(path), path.open("rb"):
            pass
    except NOT_THERE as error:
        raise UsageError(f"{path}: {error.strerror}", "name the file, or the folder that holds it") from None
