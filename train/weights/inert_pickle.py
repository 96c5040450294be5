"""Pickles read without running anything that they name.

A pickle is a program: it names functions and calls them. Here a name leads to one of the few functions below, all of
them our own, that make tensors, arrays, numbers and containers; or, if it is a class of the known projects, to a `Stub`
that keeps what it was called with and does nothing; or the file is refused. Nothing is ever imported by a file's word.
"""

from __future__ import annotations

import io
import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curate.pipeline.core.errors import UsageError

TORCH_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"  # what older files of torch begin with, which are pickles
SUFFIXES = (".pkl", ".pickle")

RECORDED = re.compile(
    r"torch_utils\.persistence\._reconstruct_persistent_obj|dnnlib(\.\w+)*\.(EasyDict|Network)"
    r"|training\.\w+\.[A-Z]\w+|torch\.nn\.modules\.\w+\.[A-Z]\w+|torch\.(device|float16|float32|float64|int64)"
)
"""Names that become stubs: what StyleGAN2's networks are pickled with."""


class RefusedError(Exception):
    """A name that no file of networks needs."""


class Stub:
    """What a file calls an object of a class that is not made: its arguments, state and items, and nothing else."""

    name = ""
    args: tuple[Any, ...]

    def __new__(cls, *args: Any, **kwargs: Any) -> Stub:
        made = super().__new__(cls)
        made.__dict__.update(args=args, state=None, items={})
        return made

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None:
        self.__dict__["state"] = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.__dict__["items"][key] = value


class Values:
    """A tensor; not the thing itself, which a file could give another state."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __setstate__(self, state: Any) -> None:
        raise RefusedError("a tensor with a state of its own")


class Mapped(dict[Any, Any]):
    """An ordered dict; likewise."""

    def __setstate__(self, state: Any) -> None:
        raise RefusedError("a dict with a state of its own")


class Array:
    """An array whose values follow later, as numpy pickles them."""

    value: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, content = state
        self.value = _array(content, kind, shape, "F" if fortran else "C")


class NumberKind:
    """A numpy dtype of numbers, such as f4. Raises RefusedError for one of objects."""

    def __init__(self, code: str, *_: Any) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[fiub][1248]", code):
            raise RefusedError(f"numpy.dtype {code!r}"[:60])
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "="

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


def is_one(path: Path) -> bool:
    """Whether `path` is named like a pickle, and not one of the files that torch itself writes."""
    if path.suffix not in SUFFIXES or not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.read(len(TORCH_MAGIC))
    return first != TORCH_MAGIC and not first.startswith(b"PK")


def read(path: Path) -> Any:
    """What the pickle `path` holds, in tensors, arrays, numbers, strings, containers and stubs.

    Raises UsageError for a file that names anything else, and for a broken one.
    """
    with path.open("rb") as file:
        content = file.read()
    try:
        return _Unpickler(io.BytesIO(content)).load()
    except RefusedError as error:
        raise UsageError(
            f"{path}: refused: loading it would run code of its own ({error}); none of it was run",
            "official StyleGAN2 pickles have no such thing: look where it is from",
        ) from None
    except Exception as error:  # a hostile pickle may make this raise anything, for want of memory, too
        first = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UsageError(f"{path}: broken, or not a file of weights: {first}", "fetch or make it again") from None


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full in MADE:
            return MADE[full]
        if RECORDED.fullmatch(full):
            return type("Stub", (Stub,), {"name": full})
        raise RefusedError(full[:80])

    def persistent_load(self, _: Any) -> Any:
        raise RefusedError("a persistent id")

    def get_extension(self, code: int) -> Any:
        raise RefusedError(f"extension {code}")


def _storage(content: bytes) -> Values:
    """The numbers of a storage that torch saved into bytes: a pickle in a pickle, which torch's own reader takes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            code = re.search(r"GLOBAL ([\w.]+)", str(error))
            raise RefusedError(f"{code[1]}, within a storage" if code else "a storage that is none") from None
        if not isinstance(loaded, torch.storage.TypedStorage):
            raise RefusedError("a storage that is none")
        return Values(torch.tensor([], dtype=loaded.dtype).set_(loaded._untyped_storage))


def _tensor(storage: Values, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Values:
    if not isinstance(storage, Values):
        raise RefusedError("a tensor without a storage")
    return Values(storage.tensor.as_strided(size, stride, offset))  # raises for what lies beyond the storage


def _parameter(value: Values, *_: Any) -> Values:
    if not isinstance(value, Values):
        raise RefusedError("a parameter that is no tensor")
    return value


def _array(content: Any, kind: NumberKind, shape: tuple[int, ...], order: Any = "C") -> NDArray[Any]:
    if not isinstance(content, bytes | bytearray) or not isinstance(kind, NumberKind):
        raise RefusedError("an array of objects")
    array = np.frombuffer(bytes(content), kind.dtype).reshape(shape, order="F" if order == "F" else "C")
    return array.astype(kind.dtype.newbyteorder("="))


def _scalar(kind: NumberKind, content: Any) -> float:
    return float(_array(content, kind, ())[()])


def _encoded(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise RefusedError("_codecs.encode")
    return text.encode("latin1")


def _set(values: Any = ()) -> set[Any]:
    return set(values if isinstance(values, list | tuple) else ())


class _NDArray:
    """numpy's class of arrays, which is only ever handed to what makes one."""


def _made() -> Mapping[str, Callable[..., Any]]:
    known: dict[str, Callable[..., Any]] = {
        "collections.OrderedDict": Mapped,
        "torch.storage._load_from_bytes": _storage,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_parameter": _parameter,
        "_codecs.encode": _encoded,
        "numpy.ndarray": _NDArray,
        "numpy.dtype": NumberKind,
    }
    for module in ("numpy.core", "numpy._core"):
        known |= {
            f"{module}.multiarray._reconstruct": lambda *_: Array(),
            f"{module}.multiarray.scalar": _scalar,
            f"{module}.numeric._frombuffer": _array,
        }
    return known | {f"{module}.set": _set for module in ("builtins", "__builtin__")}


MADE = _made()
"""Names that become something, and what makes it."""
