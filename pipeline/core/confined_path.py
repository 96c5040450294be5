"""Paths and ids that were read from a file: the one gate by which none of them leads out of its folder.

A table and a run may be somebody else's. What they name is a path in plain parts below a root, or an id of a closed
alphabet; a link below the root may not lead out of it, but for into the folders that CURATE_LINKS names.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from pathlib import Path

from curate.pipeline.core.errors import CurateError
from curate.pipeline.core.files import NOT_THERE, reading, refuse_unlisted
from curate.pipeline.core.terminal_text import visible_line

PROJECT = ("raw", "processed", "manifests")
LINKS = "CURATE_LINKS"  # folders, separated as in PATH, into which links below a root may lead

# Both are read by Python's re and by Arrow's RE2, so they hold nothing that only one of them knows.
UNSAFE_PATH = r"^$|^/|/$|//|\\|(^|/)\.\.?(/|$)|^[A-Za-z]:|[\x00-\x1f\x7f]"
ID = r"[0-9A-Za-z][0-9A-Za-z_-]*"
MAX_ID = 128  # characters
MAX_PART = 255  # bytes between two slashes: what file systems take

_UNSAFE_PATH = re.compile(UNSAFE_PATH)


class ConfinementError(CurateError):
    """A path or a link that leads out of the folder that it should stay in."""


def is_safe_path(path: str) -> bool:
    """Whether `path` is relative and posix, in parts that are no "." or ".." and short enough, without controls."""
    if _UNSAFE_PATH.search(path):
        return False
    return all(len(part) <= MAX_PART for part in path.encode("utf-8", "surrogatepass").split(b"/"))


def is_file_name(text: str) -> bool:
    """Whether `text` may name a file in a folder, and leads to none elsewhere."""
    short = len(text.encode("utf-8", "surrogatepass")) <= MAX_PART
    return short and text not in ("", ".", "..") and not {"/", "\0"} & {*text}


def shown(text: str) -> str:
    """`text`, short and in quotes, of which nothing steers a terminal."""
    line = visible_line(text)
    return f"'{line}'" if len(line) <= 80 else f"'{line[:60]}...{line[-10:]}'"


def inside(root: Path, path: str) -> Path:
    """`root / path`, for a `path` that was read from a file; it need not be there.

    Raises ConfinementError for a path that is not plain, and for one that a link takes out of `root`.
    """
    if not is_safe_path(path):
        raise ConfinementError(
            f"{root}: {shown(path)} is no relative path below it", "the file that names it is broken, or a trap"
        )
    found = root / path
    refuse_link_out(found, root)
    return found


def refuse_link_out(path: Path, root: Path) -> None:
    """Raises ConfinementError where links on the way to `path`, which is below `root`, lead out of it."""
    target = Path(os.path.realpath(path))
    allowed = [root, *(Path(folder) for folder in os.environ.get(LINKS, "").split(os.pathsep) if folder)]
    if not any(target.is_relative_to(os.path.realpath(folder)) for folder in allowed):
        raise ConfinementError(
            f"{visible_line(str(path))}: a link leads out of {visible_line(str(root))}, to {shown(str(target))}",
            f"delete it, or, if it is yours, allow where it leads: export {LINKS}={shlex.quote(str(target.parent))}",
        )


def refuse_links_out(folder: Path, root: Path | None = None) -> None:
    """Raises ConfinementError for a link below `folder` that leads out of `root`, or, without one, of `folder` itself.

    Walks through everything in it: for folders of some thousand files. Raises CurateError for one that can't be read,
    in which a link may hide.
    """
    for place, folders, files in os.walk(folder, onerror=refuse_unlisted):
        for path in (Path(place, name) for name in (*folders, *files)):
            if path.is_symlink():
                refuse_link_out(path, root or folder)


def refuse_project_links_out(root: Path) -> None:
    """Raises ConfinementError where a folder of the project, or what lies directly in one, is a link out of `root`.

    Every command asks this first: what it reads, writes and deletes by its well-known name is then the project's own.
    """
    for folder in (root / name for name in PROJECT):
        if folder.is_symlink():
            refuse_link_out(folder, root)
        with contextlib.suppress(*NOT_THERE), reading(folder), os.scandir(folder) as entries:
            links = [Path(entry.path) for entry in entries if entry.is_symlink()]
            for link in sorted(links):
                refuse_link_out(link, root)


def closed_folder(root: Path, path: str) -> Path:
    """`root / path`, a folder out of which nothing is read or written: neither it nor a link in it leads out of `root`.

    Raises ConfinementError.
    """
    folder = inside(root, path)
    refuse_links_out(folder, root)
    return folder
