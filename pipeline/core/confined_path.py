"""Paths and ids that were read from a file: the one gate by which none of them leads out of its folder.

A table may be somebody else's. What it names is a path in plain parts below a root, or an id of a closed alphabet.
"""

from __future__ import annotations

import re

# Both are read by Python's re and by Arrow's RE2, so they hold nothing that only one of them knows.
UNSAFE_PATH = r"^$|^/|/$|//|\\|(^|/)\.\.?(/|$)|^[A-Za-z]:|[\x00-\x1f\x7f]"
ID = r"[0-9A-Za-z][0-9A-Za-z_-]*"
MAX_ID = 128  # characters
MAX_PART = 255  # bytes between two slashes: what file systems take

_UNSAFE_PATH = re.compile(UNSAFE_PATH)


def is_safe_path(path: str) -> bool:
    """Whether `path` is relative and posix, in parts that are no "." or ".." and short enough, without controls."""
    if _UNSAFE_PATH.search(path):
        return False
    return all(len(part) <= MAX_PART for part in path.encode("utf-8", "surrogatepass").split(b"/"))


def shown(text: str) -> str:
    """`text` as a short literal, of which nothing can move a terminal's cursor."""
    literal = repr(text)
    return literal if len(literal) <= 80 else f"{literal[:60]}...{literal[-10:]}"
