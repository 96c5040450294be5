"""Networks as shapes alone: to count their parameters, and to hold a file's names and shapes against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_SAME_SHAPE = {nn.init.normal_, Tensor.normal_, F.normalize}  # as their first argument


@contextmanager
def shapes_only() -> Iterator[None]:
    """Networks that are built in here have shapes and no values, so that they take neither memory nor time.

    They are on torch's device "meta". It would draw first weights there, too, and load its compiler to do so, for two
    seconds: in here nothing is drawn.
    """
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func in _SAME_SHAPE:
            return args[0] if args else given["tensor"]
        return func(*args, **given) if func is not torch.randn else torch.empty(*args, **given)
