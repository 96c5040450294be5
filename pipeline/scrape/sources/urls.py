"""Lists of image addresses: text, CSV or TSV, JSON lines, Parquet. Rows are streamed; a bad one is a refused row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, licenses
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts

FACTS = Facts(
    terms="own",
    what="a list of addresses of one's own: .txt .csv .tsv .jsonl .parquet",
    example="curate scrape --source urls --input list.csv --domain long",
    keywords=False,
)

# What a column may be called, best first.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "url": ("url", "image_url", "imageurl", "src"),
    "title": ("title", "caption", "text", "alt"),
    "page_url": ("page_url", "page", "source_url"),
    "creator": ("creator", "author", "artist"),
    "license": ("license", "licence"),
    "license_url": ("license_url", "licence_url"),
    "role": ("role",),
    "group_id": ("group_id", "group"),
}

Row = tuple[int, Mapping[str, Any] | None]  # line or row number from 1; None for one that cannot be read


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """Every row of the list at `query.input`. Raises UsageError for a list that cannot be read as one."""
    if query.input is None:
        raise UsageError("the urls source needs a list", "name one with: curate scrape --source urls --input LIST")
    path = Path(query.input)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise UsageError(f"{path}: not a kind of list", f"kinds: {' '.join(_READERS)}")
    if not path.is_file():
        raise UsageError(f"{path}: there is no such list", "name one with: --input LIST")
    for number, row in read(path):
        yield _candidate(number, row)


def _candidate(number: int, row: Mapping[str, Any] | None) -> Candidate:
    facts = {name: _first(row, aliases) for name, aliases in COLUMNS.items()} if row is not None else {}
    url = facts.get("url")
    if not url:
        return Candidate(address=f"row {number}", refused="bad_url", extra={"row": number})
    stated, stated_url = facts["license"], facts["license_url"]
    return Candidate(
        address=url,
        image_url=url,
        page_url=facts["page_url"],
        title=tidy(facts["title"]),
        creator=tidy(facts["creator"]),
        license=licenses.code(stated_url, stated),
        license_url=stated_url,
        role=facts["role"],
        group_id=facts["group_id"],
        extra={"row": number, **({"license_raw": tidy(stated)} if stated else {})},
    )


def _first(row: Mapping[str, Any], aliases: tuple[str, ...]) -> str | None:
    for alias in aliases:
        value = row.get(alias)
        if value is not None and str(value).strip():
            return str(value).strip()
    return None


def _lower(names: list[str], path: Path) -> list[str]:
    """The column names in lower case. Raises UsageError when none of them holds addresses."""
    lower = [name.strip().lower() for name in names]
    if not set(lower) & set(COLUMNS["url"]):
        raise UsageError(
            f"{path}: no column of addresses among: {', '.join(names) or 'none'}",
            f"call one of them {' or '.join(COLUMNS['url'][:2])}",
        )
    return lower


def _read_lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if text and not text.startswith("#"):
                yield number, {"url": text}


def _read_csv(path: Path) -> Iterator[Row]:
    with path.open(encoding=_encoding(path), errors="replace", newline="") as lines:
        reader = csv.reader(
            (line.replace("\0", "") for line in lines), "excel-tab" if path.suffix == ".tsv" else "excel"
        )
        try:
            names = _lower(next(reader, []), path)
            for cells in reader:
                if cells:
                    yield reader.line_num, dict(zip(names, cells))
        except csv.Error as error:
            raise UsageError(f"{path}:{reader.line_num}: {error}", "mend the list and try again") from None


def _encoding(path: Path) -> str:
    """UTF-8, or what a Japanese spreadsheet writes."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            while lines.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return "cp932"
    return "utf-8-sig"


def _read_jsonl(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            yield number, {str(k).lower(): v for k, v in row.items()} if isinstance(row, dict) else None


def _read_parquet(path: Path) -> Iterator[Row]:
    try:
        with pq.ParquetFile(path) as table:
            names = table.schema_arrow.names
            _lower(names, path)
            wanted = {alias for aliases in COLUMNS.values() for alias in aliases}
            columns = [name for name in names if name.strip().lower() in wanted]
            number = 0
            for batch in table.iter_batches(1024, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield number, {name.strip().lower(): value for name, value in row.items()}
    except (OSError, ValueError) as error:  # Arrow's own errors are ValueErrors
        raise UsageError(f"{path}: not a Parquet file: {error}", "mend the list and try again") from None


_READERS = {
    ".txt": _read_lines,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
