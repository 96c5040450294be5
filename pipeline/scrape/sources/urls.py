"""Lists of image addresses of one's own. Rows are streamed; a bad one is a refused row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, licenses, list_files, local_paths
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts
from curate.pipeline.scrape.sources.list_rows import Numbered, Row, is_address, simplified

FACTS = Facts(
    terms="own",
    what="a list of addresses of one's own: .txt .csv .tsv .json .jsonl .parquet, and .gz of them",
    example="curate scrape --source urls --input list.csv --domain long --contact you@example.org",
    keywords=False,
)

# What a column may be called, best first, without case, spaces and underscores.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "url": (
        *"url imageurl src image imagesrc imglink img imgurl imgsrc photourl pictureurl originalurl cocourl".split(),
        *"flickrurl downloadurl contenturl fileurl largefileurl mediaurl imagelink photo picture".split(),
        *"imageurls urls images photos pictures imageaddress address uri link href".split(),
    ),
    "title": ("title", "caption", "text", "alt", "description"),
    "page_url": ("pageurl", "page", "sourceurl", "originallandingurl", "foreignlandingurl", "landingurl"),
    "creator": ("creator", "author", "artist", "photographer"),
    "license": ("license", "licence", "licensename", "rights"),
    "license_url": ("licenseurl", "licenceurl"),
    "role": ("role",),
    "group_id": ("groupid", "group"),
}
_OTHERS = [alias for name, aliases in COLUMNS.items() if name != "url" for alias in aliases]
_AHEAD = 1000  # rows that are looked through for a first address
_DEPTH = 4  # of objects within objects


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """Every address of the list at `query.input`; a row without one is refused, and the first of them is named.

    Raises UsageError for a list that cannot be read as one.
    """
    if query.input is None:
        raise UsageError("the urls source needs a list", "name one with: curate scrape --source urls --input LIST")
    path = Path(query.input)
    numbered = list_files.rows(path, COLUMNS["url"], _OTHERS)
    first = list(islice(numbered, _AHEAD))
    if first and not any(is_address(url) for _, row in first for url in _addresses(row)):
        raise _no_address(path, first)
    empty: list[int] = []
    for number, row in chain(first, numbered):
        for candidate in _candidates(number, row):
            if candidate.image_url is None:
                empty.append(number)
            yield candidate
    if empty:
        more = f", and {len(empty) - 1} more like it" if len(empty) > 1 else ""
        pages.note(f"{local_paths.spelled(path)}:{empty[0]}: no address can be read in this row{more}")


def _no_address(path: Path, rows: list[Numbered]) -> UsageError:
    shown = local_paths.spelled(path)
    found = [url for _, row in rows for url in _addresses(row)]
    if found:
        example = tidy(found[0]) or ""
        message = f"{shown}: none of its first {len(rows)} rows holds a web address; the first has: {example[:80]}"
        return UsageError(message, "files of your own are read from their folder: --source folder --input DIR")
    names = ", ".join(dict.fromkeys(name for _, row in rows for name in row or ()))
    if not names:
        return UsageError(f"{shown}: none of its first {len(rows)} lines can be read", "mend the list and try again")
    return UsageError(f"{shown}: no addresses under: {names[:300]}", "call one of them url or image_url")


def _candidates(number: int, row: Row | None) -> Iterator[Candidate]:
    """A candidate for each address of a row; a refused one for a row without."""
    urls = list(dict.fromkeys(_addresses(row)))
    if row is None or not urls:
        yield Candidate(address=f"row {number}", refused="bad_url", extra={"row": number})
        return
    facts = {name: _first(row, aliases) for name, aliases in COLUMNS.items() if name != "url"}
    stated = [text for text in (facts["license_url"], facts["license"]) if text]
    for url in urls:
        yield Candidate(
            address=url,
            image_url=url,
            page_url=facts["page_url"],
            title=tidy(facts["title"]),
            creator=tidy(facts["creator"]),
            license=licenses.code(*stated, flickr=licenses.of_flickr(facts["page_url"], url)),
            license_url=facts["license_url"],
            role=facts["role"],
            group_id=facts["group_id"],
            extra={"row": number, **({"license_raw": tidy(facts["license"])} if facts["license"] else {})},
        )


def _addresses(row: Row | None) -> list[str]:
    """The addresses under the best name that has any; what else stands under one where none does."""
    found: list[str] = []
    for alias in COLUMNS["url"]:
        texts = [text for value in (row or {}).get(alias, ()) for text in _texts(value)]
        if good := [text for text in texts if is_address(text)]:
            return [text.replace(" ", "%20") for text in good]
        found = found or texts[:1]
    nested = [value for values in (row or {}).values() for value in values if isinstance(value, dict)]
    return [text for value in nested for text in _texts(value) if is_address(text)] or found


def _texts(value: Any, depth: int = _DEPTH) -> Iterator[str]:
    """The texts of a cell: of bytes, of every item of a list, of the addresses in an object."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace") if len(value) < 1 << 16 else None
    if isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
        yield str(value).strip()
    elif isinstance(value, list) and depth:
        for one in value:
            yield from _texts(one, depth - 1)
    elif isinstance(value, dict) and depth:
        named = {simplified(name): one for name, one in value.items()}
        under = next((named[name] for name in COLUMNS["url"] if named.get(name)), None)
        for one in named.values() if under is None else [under]:
            yield from (text for text in _texts(one, depth - 1) if under is not None or is_address(text))


def _first(row: Row, aliases: tuple[str, ...]) -> str | None:
    return next((text for alias in aliases for value in row.get(alias, ()) for text in _named(value)), None)


def _named(value: Any) -> Iterator[str]:
    """The text of a cell, or the name in an object."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("name", "username", "title", "url") if value.get(key)), None)
    if not isinstance(value, dict):
        yield from _texts(value, 1)
