"""A project is a root of its own: what belongs to it, whose data it holds, and how it is set aside and brought back.

Data of two projects in one root would train together, since every stage works on all that stands there.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from importlib import resources
from pathlib import Path

import curate
from curate.pipeline.core.at_work import PLACES
from curate.pipeline.core.documents import from_yaml
from curate.pipeline.core.errors import CurateError, TableError, UsageError
from curate.pipeline.core.files import NOT_THERE, disk_error, entries, reading, refuse_unlisted, write_text
from curate.pipeline.core.locks import exclusive_lock
from curate.pipeline.tables import decisions, manifest, placements

FOLDERS = ("raw", "processed", "manifests")
# By a stage that comes after others, which may be none.
READ_WHOLE = ("processed/runs", "processed/translated", "processed/evaluated")
PARAMS, STAGES = "params.yaml", "dvc.yaml"
ASIDE = "aside"  # the folder below which older projects of a root stand
CODE = ".code"  # a link to the installed package: DVC ignores byte code below the root alone
_FILES = (PARAMS, "dvc.lock")
_IGNORED = f"# what running code leaves beside it: no dependency\n__pycache__\n\n# projects of their own\n/{ASIDE}\n"
_KEPT = (".gitkeep", ".gitignore")  # of the repository, not of the data


def holds_data(root: Path) -> str:
    """The first thing below `root` that a stage has written, relative to it; "" where there is none."""
    for folder in ("manifests", "raw/images", "processed"):
        for place, folders, files in os.walk(root / folder, onerror=refuse_unlisted):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                path = Path(place, name)
                if not name.startswith(".") and (path.is_symlink() or path.stat().st_size):
                    return path.relative_to(root).as_posix()
    return ""


def is_drawn(root: Path) -> bool:
    """Whether the images below `root` are the demo's, or some of them may be."""
    try:
        section = manifest.meta(manifest.IMAGES, root).get("section") or {}
    except TableError:
        return False
    return bool(section.get("demo"))


def set_aside(root: Path, name: str) -> Path:
    """Moves what belongs to the project at `root` into root/aside/NAME, a whole root itself, and returns that folder.

    Folders and files are renamed, so nothing is copied, however much there is. Raises UsageError while a scrape or a
    training is at work there and CurateError for a disk that refuses, with everything where it was.
    """
    folder = _free(root / ASIDE / name)
    with ExitStack() as stack:
        for lock in _locks(root):
            stack.enter_context(exclusive_lock(lock, partial(_at_work, lock)))
        sites = list(_sites(root))
        _move(root, folder)
    for kept in (path for name in _KEPT for path in (*folder.glob(f"*/{name}"), *folder.glob(f"*/*/{name}"))):
        (root / kept.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(kept, root / kept.relative_to(folder))
    for site in sites:  # they stay for others, and go with the params that name them
        (folder / site).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / site, folder / site)
    if (root / STAGES).is_file() and not is_repository(root):
        shutil.copy2(root / STAGES, folder / STAGES)
    write_stages(folder)
    return folder


def bring_back(root: Path, folder: Path, name: str) -> Path | None:
    """Makes the project in `folder` the one of `root` again; the one that stood there, if any, is set aside as `name`.

    Returns where that went.

    Raises UsageError for a folder that holds no project, and what `set_aside` raises.
    """
    if folder.resolve() == root.resolve() or not ((folder / PARAMS).is_file() or holds_data(folder)):
        there = sorted(str(path) for path in (root / ASIDE).glob("*") if path.is_dir())
        raise UsageError(f"{folder}: no project that was set aside", f"there are: {', '.join(there) or 'none'}")
    gone = set_aside(root, name) if holds_data(root) else None
    for name in FOLDERS:
        _clear(root / name)
    _move(folder, root)
    for name in (STAGES, ".dvcignore", CODE):
        (folder / name).unlink(missing_ok=True)
    for site in _sites(root):
        (folder / site).unlink(missing_ok=True)
    for left in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        _rmdir(left)
    _rmdir(folder)
    _rmdir(folder.parent)
    return gone


def write_stages(root: Path, *, force: bool = False) -> list[Path]:
    """Writes root/dvc.yaml, for `dvc repro`, with what it needs beside it; one that is there stays, unless `force`.

    In the repository itself nothing is to do: its own dvc.yaml is what others are made from.
    """
    if is_repository(root):
        return []
    text = resources.files("curate").joinpath("stages.yaml").read_text("utf-8")
    files = {
        root / STAGES: re.sub(r"^( +- )(pipeline|train)/", rf"\1{CODE}/\2/", text, flags=re.MULTILINE),
        root / ".dvcignore": _IGNORED,
    }
    wanted = [path for path in files if force or not path.exists()]
    written = [write_text(path, files[path]) for path in wanted if not _holds(path, files[path])]
    _link(root / CODE, Path(curate.__file__).parent)
    return written


def option(root: Path) -> str:
    """What makes a command that is typed here work at `root`: "" or an option."""
    return "" if root == Path() else f" --root {shlex.quote(str(root))}"


def is_repository(root: Path) -> bool:
    """Whether `root` is the clone that curate runs from."""
    own = Path(curate.__file__).parent / "stages.yaml"
    return (root / STAGES).is_file() and own.is_file() and own.samefile(root / STAGES)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8", "replace") == text


def _link(link: Path, target: Path) -> None:
    try:
        if link.is_symlink():
            link.unlink()
        link.symlink_to(target.resolve(), target_is_directory=True)
    except OSError as error:
        raise disk_error(link, error) from error


def _free(folder: Path) -> Path:
    """`folder`, or the first of folder-2, folder-3, ... that is not there."""
    number, free = 1, folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name}-{number}")
    return free


def _locks(root: Path) -> Iterator[Path]:
    """The lock files of what may be at work below `root`."""
    yield from (path for path in (root / "raw" / ".lock",) if path.exists())
    yield from (path for place in PLACES.values() if (path := root / place).exists())
    yield from (path for path in entries(root / "processed" / "runs") if path.match(".*.lock"))


def _at_work(lock: Path, _owner: str) -> CurateError:
    name = lock.name[1:].removesuffix("lock").rstrip(".")
    kind = {"manifests": "what makes", "runs": "the training of"}.get(lock.parent.name)
    what = f"{kind} {name}" if kind else "a scrape"
    return UsageError(f"{lock.parent}: {what} is at work there", "wait until it has ended, or end it, then try again")


def _sites(root: Path) -> Iterator[Path]:
    """The site files below `root` that its params name, relative to it."""
    try:
        with reading(root / PARAMS):
            queries = from_yaml((root / PARAMS).read_text("utf-8"))["scrape"]["queries"]
        named = [Path(query["site"]) for query in queries if query.get("site")]
    except (*NOT_THERE, ValueError, TypeError, KeyError, AttributeError):
        return
    yield from (path for path in dict.fromkeys(named) if not path.is_absolute() and (root / path).is_file())


def _move(root: Path, target: Path) -> None:
    """Renames what belongs to a project from `root` into `target`; all of it, or nothing."""
    moved: list[tuple[Path, Path]] = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in (*FOLDERS, *_FILES):
            old, new = root / name, target / name
            if old.exists() or old.is_symlink():
                old.rename(new)
                moved.append((old, new))
    except OSError as error:
        for old, new in reversed(moved):
            new.rename(old)
        raise disk_error(target, error, "everything is where it was; mend the rights, then run it again") from error


def _clear(path: Path) -> None:
    """Removes a folder of a root that holds no data: the repository's own files in it, and empty folders."""
    written = [path / Path(file).name for file in (decisions.FILE, placements.FILE)]
    try:
        for kept in [*(found for name in _KEPT for found in path.rglob(name)), *written]:
            if kept.is_file() and (kept.name in _KEPT or not kept.stat().st_size):
                kept.unlink()
        for folder in sorted((found for found in path.rglob("*") if found.is_dir()), reverse=True):
            folder.rmdir()
        if path.is_dir():
            path.rmdir()
    except OSError as error:
        raise disk_error(path, error, "look what is in it and move that away") from error


def _rmdir(folder: Path) -> None:
    """Removes `folder` if nothing is left in it."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
