"""Files of safetensors: the one writer and the one reader of them.

8 bytes that say how long the header is, the header as JSON, then the tensors' bytes, little-endian, one after the
other: https://github.com/huggingface/safetensors#format. The library's own writer makes files that nobody else may
read, whatever umask says, leaves a scrap when it is killed, and has errors of its own for a full disk; hence this one.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.files import atomic_write

MOST_TENSORS = 100_000  # in one file: a header of more is no network's

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
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    end = 0
    for name in names:
        tensor = tensors[name]
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            file.write(tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)


def metadata(path: Path, hint: str = "fetch or make it again") -> dict[str, str]:
    """The metadata of the file `path`. Raises like `read`."""
    return _open(path, hint, tensors=False)[0]


def read(path: Path, hint: str = "fetch or make it again") -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of the file `path`; the tensors are mapped, and read when they are used.

    Raises UsageError where there is no such file, or a broken one, with `hint`; CurateError for one that this user
    may not read.
    """
    return _open(path, hint, tensors=True)


def _open(path: Path, hint: str, *, tensors: bool) -> tuple[dict[str, str], dict[str, Tensor]]:
    check_readable(path)
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            if len(names) > MOST_TENSORS:
                raise UsageError(f"{path}: broken: it claims to hold {len(names):,} tensors", hint)
            return file.metadata() or {}, {name: file.get_tensor(name) for name in names} if tensors else {}
    except (OSError, SafetensorError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        detail = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UsageError(f"{path}: broken: {detail}", hint) from None


def is_one(path: Path) -> bool:
    """Whether the file `path` begins as one. Raises like `check_readable`."""
    check_readable(path)
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"  # after the length of its header


def check_readable(path: Path) -> None:
    """Raises UsageError where `path` is no file, and CurateError where it is one that this user may not read."""
    try:
        with path.open("rb"):
            pass
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{path}: {error.strerror}", "name the file, or the folder that holds it") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: a folder, not a file", "name a file in it") from None
    except PermissionError as error:
        raise CurateError(
            f"{path}: cannot read: {error.strerror or error}", "ask its owner, or mend its rights: chmod a+r"
        ) from None
    except OSError as error:
        raise CurateError(f"{path}: cannot read: {error.strerror or error}", "look at the disk") from None
