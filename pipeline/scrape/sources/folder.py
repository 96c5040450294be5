"""A folder of the user's own pictures. It is read, never changed."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging import formats, unread
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, licenses
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts

FACTS = Facts(
    terms="own",
    what="a folder of one's own pictures, with sidecars; asks nobody",
    example="curate scrape --source folder --input DIR",
    keywords=False,
)


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """Every picture below `query.input`, in the order of their paths; hidden ones are passed over.

    A file is a picture by its name or by its bytes, in a format that is read or not: what only looks like one, or
    cannot be read, is refused later, with a reason. Its domain is the query's, or the first folder that it lies in.
    """
    if query.input is None:
        raise UsageError("the folder source needs a folder", "name one with: --source folder --input DIR")
    top = Path(query.input)
    if not top.is_dir():
        raise UsageError(f"{top}: there is no such folder", "name one with: --input DIR")
    for path in _files(top):
        relative = path.relative_to(top)
        if path.suffix.lower() in formats.SUFFIXES | unread.SUFFIXES or _is_picture(path):
            yield _candidate(path, relative, query.domain)


def _files(top: Path) -> Iterator[Path]:
    """Files by their NFC paths, so that the order is the same wherever the folder was copied to."""
    real = top.resolve()
    for folder, folders, names in os.walk(top, onerror=_refuse):
        folders[:] = sorted((f for f in folders if not f.startswith(".")), key=_nfc)
        for name in sorted((n for n in names if not n.startswith(".")), key=_nfc):
            path = Path(folder, name)
            if path.is_symlink() and not path.resolve().is_relative_to(real):
                continue
            if path.is_file():
                yield path


def _refuse(error: OSError) -> None:
    raise UsageError(f"{error.filename}: cannot be read: {error.strerror}", "mend its rights, or leave it out")


def _nfc(text: str) -> str:
    """As other systems would spell the name; bytes that are no text become U+FFFD."""
    return unicodedata.normalize("NFC", os.fsencode(text).decode("utf-8", "replace"))


def _is_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return formats.sniff(head) is not None or unread.identify(head) is not None


def _candidate(path: Path, relative: Path, domain: str | None) -> Candidate:
    facts = _sidecar(path)
    stated, stated_url = facts.get("license"), facts.get("license_url")
    return Candidate(
        address=_nfc(relative.as_posix()),
        file=str(path.absolute()),
        page_url=_text(facts, "page_url", "url", "source"),
        title=tidy(_text(facts, "title", "caption", "description")) or _nfc(path.stem),
        creator=tidy(_text(facts, "creator", "author", "artist", "username")),
        license=licenses.code(*(text for text in (stated_url, stated) if isinstance(text, str))),
        license_url=stated_url if isinstance(stated_url, str) else None,
        domain=domain or (_nfc(relative.parts[0]) if len(relative.parts) > 1 else None),
    )


def _sidecar(path: Path) -> Mapping[str, Any]:
    """What NAME.ext.json or NAME.json beside the picture says."""
    for beside in (path.with_name(path.name + ".json"), path.with_suffix(".json")):
        try:
            facts = json.loads(beside.read_text("utf-8-sig"))
        except (OSError, ValueError):
            continue
        if isinstance(facts, dict):
            return facts
    return {}


def _text(facts: Mapping[str, Any], *keys: str) -> str | None:
    return next((facts[key] for key in keys if isinstance(facts.get(key), str) and facts[key].strip()), None)
