"""Trained networks that come with curate, by the name that stands for their file wherever weights are named.

Each file was written by `curate weights import RUN --generators-only --half`; docs/internals/shipped.md has the
commands that made it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from curate.pipeline.core.errors import UsageError, nearest

SHIPPED = {
    "drawn-hair": "the drawn world's long hair into short, b2a: short into long; CC0",
    "drawn-icon": "the drawn world's characters into an artist's icons, b2a: icons into characters; CC0",
    "drawn-portrait": "portraits of the drawn world out of noise, for curate generate, project and edit; CC0",
}


def located(paths: Iterable[Path]) -> list[Path]:
    """`paths`, with the file in place of a name of SHIPPED; a file or folder of that name goes first.

    Raises UsageError for a bare name that is neither.
    """
    return [_located(path) for path in paths]


def _located(path: Path) -> Path:
    name = str(path)
    if path.exists() or path.suffix or len(path.parts) != 1 or "@" in name:
        return path
    if name not in SHIPPED:
        raise UsageError(
            f"{path}: no such file or folder, and no weights that come with curate{nearest(name, SHIPPED)}",
            f"name a file or a run; with curate come {', '.join(SHIPPED)}",
        )
    return Path(__file__).with_name(f"{name}.safetensors")
