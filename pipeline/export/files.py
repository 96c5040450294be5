"""Pictures as files of their own, for the layouts that have them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pipeline import manifest
from pipeline.export.goods import Goods


def put(goods: Goods, path: str, target: Path, *, link: bool) -> None:
    """The picture at `path` as `target`, unless it stands there: a hard link with `link` where that can be, or a copy.

    Raises CurateError for a picture that is missing and for a disk that refuses.
    """
    if target.exists():
        return
    source = goods.root / path
    if link and goods.size is None and source.is_file():
        with suppress(OSError):  # another file system, or one without links
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, target)
            return
    data = goods.png(path)
    with manifest.replacing(target, durable=False) as temporary:
        temporary.write_bytes(data)
