"""Lists as other programs write them, as rows of named values: what kind a list is, is seen from its content.

Text in UTF-8, UTF-16 or Shift_JIS, with or without a mark; separated by commas, tabs or semicolons, with a line of
names or without; JSON lines or one JSON document; Parquet. All but Parquet also compressed by gzip.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape.sources import list_json, local_paths
from curate.pipeline.scrape.sources.list_rows import Numbered, Row, is_address, named, simplified

KINDS = (".txt", ".csv", ".tsv", ".json", ".jsonl", ".parquet")
_ALIKE = {".ndjson": ".jsonl", ".lst": ".txt", ".list": ".txt", ".tab": ".tsv", ".pq": ".parquet"}
_SEPARATORS = {".tsv": "\t,;|", ".csv": ",;\t|", ".txt": "\t,;|"}
_MENDED = "mend the list and try again"
_LONGEST = 200  # lines of one quoted cell
_WIDEST = 1 << 22  # characters of a line, or of a record; of a longer line the rest is passed over
csv.field_size_limit(_WIDEST + 1)  # a long cell is cut where it is used; it does not end its list


def rows(path: Path, names: Collection[str], others: Collection[str] = ()) -> Iterator[Numbered]:
    """Every row of the list at `path`; `names` and `others`: what columns of addresses, and others, may be called.

    Raises UsageError for a file that is missing, of no known kind, or cannot be read as its kind.
    """
    shown = local_paths.spelled(path)
    suffix = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    kind = _ALIKE.get(suffix.lower(), suffix.lower())
    if kind not in KINDS:
        raise UsageError(f"{shown}: not a kind of list", f"kinds: {' '.join(KINDS)}, each also as .gz")
    if not path.is_file():
        raise UsageError(f"{shown}: there is no such list", "name one with: --input LIST")
    try:
        with path.open("rb") as file:
            head = file.read(8)
        if head.startswith(b"PK\3\4"):
            raise UsageError(f"{shown}: a spreadsheet or an archive, not a list", "save it as CSV")
        if kind == ".parquet" or head.startswith(b"PAR1"):
            yield from _parquet(path, names, others)
        elif kind in {".json", ".jsonl"}:
            yield from list_json.rows(_lines(path, whole=kind == ".json"))
        else:
            yield from _table(_lines(path), _SEPARATORS[kind], kind == ".txt", names, shown)
    except (OSError, EOFError, ValueError, zlib.error) as error:  # Arrow's own errors are ValueErrors
        raise UsageError(f"{shown}: cannot be read as a list: {error}", _MENDED) from None


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path)) if packed else path.open("rb")


def _lines(path: Path, whole: bool = False) -> Iterator[str]:
    """The lines of a text. `whole`: those that are very long come in parts, instead of being cut."""
    with _opened(path) as file, io.TextIOWrapper(file, _encoding(path), errors="replace", newline="") as text:
        while line := text.readline(_WIDEST):
            yield line.replace("\0", "")
            while not line.endswith(("\n", "\r")) and (line := text.readline(_WIDEST)):
                if whole:
                    yield line.replace("\0", "")


def _encoding(path: Path) -> str:
    """By its mark, by the zeros of UTF-16, or the first of UTF-8 and Shift_JIS that the whole list is in."""
    with _opened(path) as file:
        head = file.read(4096)
        for mark, name in (
            (codecs.BOM_UTF8, "utf-8-sig"),
            (codecs.BOM_UTF32_LE, "utf-32"),
            (codecs.BOM_UTF16_LE, "utf-16"),
        ):
            if head.startswith(mark):
                return name
        if head.startswith(codecs.BOM_UTF16_BE):
            return "utf-16"
        for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
            if zeros.count(0) > 0.6 * len(zeros) > 0:
                return name
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while head:
                decoder.decode(head)
                head = file.read(1 << 20)
        except UnicodeDecodeError:
            return "cp932"
    return "utf-8"


def _table(
    lines: Iterator[str], separators: str, plain: bool, names: Collection[str], shown: str
) -> Iterator[Numbered]:
    """Rows of lines with separators. `plain`: a line may be an address alone, and # begins a remark."""
    numbered = ((n, line) for n, line in enumerate(lines, 1) if line.strip() and not (plain and line.startswith("#")))
    first = next(numbered, None)
    if first is not None and re.match(r"sep=.\s*$", first[1]):  # what Excel writes for itself
        separators = first[1][4] + separators
        first = next(numbered, None)
    if first is None:
        return
    for separator in separators:
        header = _cells(first[1], separator)
        if any(simplified(name) in names for name in header) and not any(map(is_address, header)):
            yield from _records(numbered, separator, header, names)
            return
    if plain:
        yield from ((n, _plain(line)) for n, line in chain([first], numbered))
        return
    for separator in separators:  # a list without a line of names
        cells = _cells(first[1], separator)
        if any(map(is_address, cells)):
            texts = iter(["title"])
            header = ["url" if is_address(cell) else next(texts, "") for cell in cells]
            yield from _records(chain([first], numbered), separator, header, {"url"})
            return
    found = ", ".join(_cells(first[1], max(separators, key=first[1].count)))
    raise UsageError(f"{shown}: no column of addresses among: {found[:300]}", "call one of them url or image_url")


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]


def _records(
    lines: Iterator[tuple[int, str]], separator: str, header: list[str], names: Collection[str]
) -> Iterator[Numbered]:
    """The rows below a line of names. A quote that is never closed, or not before the next row, is a mere character."""
    place = next(n for n, name in enumerate(header) if simplified(name) in names)
    waiting: deque[tuple[int, str]] = deque()  # lines to be read before the next of `lines`

    def following() -> tuple[int, str] | None:
        return waiting.popleft() if waiting else next(lines, None)

    def begins_row(line: str) -> bool:
        alone = line.split(separator, place + 1)
        return len(alone) > place and is_address(alone[place].strip(' "'))

    while (one := following()) is not None:
        cells, further = _record(one[1], following, begins_row, separator)
        if cells is None:
            waiting.extendleft(reversed(further))
            cells = one[1].split(separator)
        if any(cells):
            yield one[0], named(zip(header, _fitted(cells, header, place, separator), strict=False))


def _record(
    first: str,
    following: Callable[[], tuple[int, str] | None],
    begins_row: Callable[[str], bool],
    separator: str,
) -> tuple[list[str] | None, list[tuple[int, str]]]:
    """The cells of the record that begins with the line `first`, None if a quote in it stays open; further lines read.

    Each line is read once, whatever its quotes.
    """
    further: list[tuple[int, str]] = []
    is_open = False

    def fed() -> Iterator[str]:
        nonlocal is_open
        yield first
        size = len(first)
        while (more := following()) is not None:
            further.append(more)
            size += len(more[1])
            if len(further) >= _LONGEST or size > _WIDEST or begins_row(more[1]):
                break
            yield more[1]
        is_open = True
        yield "\n"

    cells = next(csv.reader(fed(), delimiter=separator))
    return (None if is_open else cells), further


def _fitted(cells: list[str], header: list[str], place: int, separator: str) -> list[str]:
    """`cells`, as many as there are names: a title, or an address, whose separators are not quoted is put together."""
    extra = len(cells) - len(header)
    if extra <= 0:
        return cells
    title = next((n for n, name in enumerate(header) if simplified(name) in {"title", "caption", "text", "alt"}), None)
    long = place if title is None else title
    if (long < place and not is_address(cells[place + extra])) or (long > place and not is_address(cells[place])):
        return cells
    return [*cells[:long], separator.join(cells[long : long + extra + 1]), *cells[long + extra + 1 :]]


def _plain(line: str) -> Row:
    """A line of text: an address, or one beside a text, parted by a tab or, where that is clear, by a space."""
    cells = [cell.strip().strip("\"'<>,;").strip() for cell in line.split("\t")]
    cells = [cell for cell in cells if cell]
    if len(cells) == 1:
        picture = r"(?P<url>\S+\.(?:jpe?g|png|webp|gif|avif|bmp|tiff?)(?:\?\S*)?)"
        if match := re.fullmatch(rf"{picture}\s+(?P<text>(?!.*\.(?:jpe?g|png|webp|gif)).+)", cells[0], re.I):
            cells = [match["url"], match["text"]]
        elif match := re.fullmatch(r"(?P<text>[^\s:/]+)\s+(?P<url>https?://\S+)", cells[0], re.I):
            cells = [match["text"], match["url"]]
    url = next(filter(is_address, cells), cells[0] if cells else "")
    return {"url": [url], "title": [cell for cell in cells if cell != url][:1]}


def _cells_of(column: Any) -> list[Any]:
    """The values of a column of Arrow's; None for those that Python has none for: times out of range, broken text."""
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        return [_cell(one) for one in column]
    return values


def _cell(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return None


def _parquet(path: Path, names: Collection[str], others: Collection[str]) -> Iterator[Numbered]:
    from curate.pipeline.tables import parquet_file

    with parquet_file.opened(path) as table:
        columns = table.schema_arrow.names
        if not {simplified(name) for name in columns} & set(names):
            found = ", ".join(columns)
            shown = local_paths.spelled(path)
            raise UsageError(
                f"{shown}: no column of addresses among: {found[:300]}", "call one of them url or image_url"
            )
        number = 0
        wanted = [name for name in columns if simplified(name) in {*names, *others}]
        for batch in table.iter_batches(1024, columns=wanted):
            values = [_cells_of(column) for column in batch.columns]
            for cells in zip(*values, strict=True):
                number += 1
                yield number, named(zip(batch.schema.names, cells, strict=True))
