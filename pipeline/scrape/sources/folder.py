"""A folder of the user's own pictures. It is read, never changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging import formats, unread
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, local_paths, sidecar
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts

FACTS = Facts(
    terms="own",
    what="a folder of one's own pictures, with sidecars; asks nobody",
    example="curate scrape --source folder --input DIR",
    keywords=False,
)


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """Every picture below `query.input`, in the order of their paths, links included; hidden ones are passed over.

    A file is a picture by its name or by its bytes, in a format that is read or not: what only looks like one, or
    cannot be read, is refused later, with a reason. Its domain is the query's, or the first folder that it lies in.
    """
    if query.input is None:
        raise UsageError("the folder source needs a folder", "name one with: --source folder --input DIR")
    top = Path(query.input)
    if not top.is_dir():
        raise UsageError(f"{local_paths.spelled(top)}: there is no such folder", "name one with: --input DIR")
    for path in local_paths.files(top, pages.note):
        if path.suffix.lower() in formats.SUFFIXES | unread.SUFFIXES or _is_picture(path):
            yield _candidate(path, path.relative_to(top), query.domain)


def _is_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return formats.sniff(head) is not None or unread.identify(head) is not None


def _candidate(path: Path, relative: Path, domain: str | None) -> Candidate:
    name = local_paths.spelled(relative.as_posix())
    said = sidecar.facts(sidecar.read(path))
    return Candidate(
        address=name,
        file=str(path.absolute()),
        file_name=name,
        domain=domain or (local_paths.words(relative.parts[0]) if len(relative.parts) > 1 else None),
        **{**said, "title": said["title"] or tidy(local_paths.words(path.stem))},
    )
