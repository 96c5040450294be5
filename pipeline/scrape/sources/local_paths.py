"""The user's own files: how they are found below a folder, and the names that they go by.

Names of files are bytes, which may be text in no encoding or in one of several; a table holds text. So a file's name
in a table is its path as it is, except that bytes which are no UTF-8, control characters and the sign % itself are
written %XX. No two files have one name, and the name leads back to its file.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote_to_bytes

from curate.pipeline.core.errors import UsageError

_Identity = tuple[int, int]  # device and inode of a folder


def spelled(path: Path | str) -> str:
    """The name of `path` in a table: one to one, printable."""
    return "".join(map(_spelled, os.fsencode(path).decode("utf-8", "surrogateescape")))


def _spelled(character: str) -> str:
    if character == "%" or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
        return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
    return character


def located(name: str) -> Path:
    """The path that `spelled` made `name` of."""
    return Path(os.fsdecode(unquote_to_bytes(name)))


def words(name: str) -> str:
    """A file's or folder's name for people, in NFC; what is no UTF-8 is read as Shift_JIS, where it is that."""
    raw = os.fsencode(name)
    for encoding in ("utf-8", "cp932"):
        try:
            return unicodedata.normalize("NFC", raw.decode(encoding))
        except UnicodeDecodeError:
            continue
    return spelled(name)


def files(top: Path, note: Callable[[str], None]) -> Iterator[Path]:
    """Every file below `top` in the order of its NFC path, the same wherever the folder was copied to.

    What is hidden is passed over. Links are followed, wherever they lead; those to nowhere, and those into a folder
    that they stand in, are counted for `note`. Raises UsageError for a folder that cannot be read.
    """
    above: dict[str, frozenset[_Identity]] = {os.fspath(top): frozenset({_identity(top)})}
    nowhere = loops = 0
    for folder, folders, names in os.walk(top, onerror=_refuse, followlinks=True):
        chain = above.pop(folder)
        entered = []
        for name in sorted((one for one in folders if not one.startswith(".")), key=_order):
            below = os.path.join(folder, name)  # noqa: PTH118 - as os.walk will call it
            identity = _identity(below)
            if identity in chain:
                loops += 1
                continue
            above[below] = chain | {identity}
            entered.append(name)
        folders[:] = entered
        for name in sorted((one for one in names if not one.startswith(".")), key=_order):
            path = Path(folder, name)
            if path.is_file():
                yield path
            elif path.is_symlink():
                nowhere += 1
    if nowhere:
        note(f"{spelled(top)}: {nowhere} links lead nowhere")
    if loops:
        note(f"{spelled(top)}: {loops} links lead back into a folder that they stand in, and were not followed")


def _identity(folder: Path | str) -> _Identity:
    try:
        found = os.stat(folder)  # noqa: PTH116 - of text, not of a Path
    except OSError as error:
        _refuse(error)
    return found.st_dev, found.st_ino


def _refuse(error: OSError) -> NoReturn:
    name = spelled(error.filename)
    raise UsageError(f"{name}: cannot be read: {error.strerror}", "mend its rights, or leave it out") from error


def _order(name: str) -> tuple[str, bytes]:
    raw = os.fsencode(name)
    return unicodedata.normalize("NFC", raw.decode("utf-8", "replace")), raw
