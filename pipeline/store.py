"""The files below processed/crops: where a domain's crops stand, which are there, and tidying up."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

FOLDER = "processed/crops"


def folder_of(domain: str) -> str:
    """The folder of the crops of `domain`: named like it, or, where file systems object, made safe and told apart."""
    safe = re.sub(r"[^\w.-]|^\.", "_", domain)[:60]
    if safe != domain:
        safe += "-" + hashlib.sha256(domain.encode()).hexdigest()[:8]
    return f"{FOLDER}/{safe}"


def files(root: Path) -> Iterator[tuple[str, int]]:
    """Every crop below `root`: its path relative to it, and its bytes."""
    for folder, _, names in os.walk(root / FOLDER):
        relative = Path(folder).relative_to(root).as_posix()
        for name in names:
            if name.endswith(".png"):
                with suppress(FileNotFoundError):
                    yield f"{relative}/{name}", os.stat(Path(folder) / name).st_size  # noqa: PTH116


def sweep(root: Path, wanted: set[str | None]) -> None:
    """Deletes crops that no row names any more, what killed writers left, and folders left empty."""
    for folder, _, names in os.walk(root / FOLDER, topdown=False):
        here = Path(folder)
        relative = here.relative_to(root).as_posix()
        for name in names:
            if name.endswith(".tmp") or (name.endswith(".png") and f"{relative}/{name}" not in wanted):
                (here / name).unlink(missing_ok=True)
        if relative != FOLDER:
            with suppress(OSError):
                here.rmdir()  # only when it is empty
