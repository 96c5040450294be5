"""Tables as a stranger may hand them over: each column damaged in each way, and what a command may do about it.

Whatever a table holds, a command ends well or says one clear line and what to do. It touches nothing outside of its
root, steers no terminal, writes no cell that a spreadsheet would run, and is never a bug of ours.
"""

from __future__ import annotations

import csv
import math
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.command import run

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202e]")
_LINE = re.compile(r"^curate: \S.*\n  \S.+$", re.MULTILINE)  # what, then what to do
_BUG = re.compile(r"bug of ours|Traceback|Warning: ")
_LONGEST = 1200  # characters of a line: a message may hold two paths and a list

TEXTS: Sequence[Any] = (
    *("../outside/secret.png", "{outside}/secret.png", "params.yaml", "manifests/images.parquet"),
    *("raw/images/journal.jsonl", "a\0b", "x" * 4000, "\x1b]0;pwned\x07\x1b[31m\x9b1m", "a\u202eb", "a\u200bb"),
    *("=cmd()", "+1\n=2", "", " ", "長い", b"\xff\xfe", "{{1}}", '"a","b"', "7"),
)
NUMBERS = (math.nan, math.inf, -math.inf, -1, 0, 2**40, 1e300, -(2**63), 2**63 - 1, 2**64 - 1, 0.5)
NESTED = pa.struct([("a", pa.list_(pa.struct([("b", pa.string())])))])

Damage = Callable[[pa.Table], pa.Table]


def damages(schema: pa.Schema, guarded: set[str]) -> Iterator[tuple[str, Damage]]:
    """Every damage to a table of `schema`, with its name; each text of the columns `guarded` is one of its own."""
    for field in schema:
        name = field.name
        if pa.types.is_string(field.type) and name in guarded:
            yield from ((f"{name}: {str(text)[:24]!r}", _planted(name, [text])) for text in TEXTS)
        elif values := _values(field.type):
            yield f"{name}: all sorts", _planted(name, values)
        yield f"{name}: null", _replaced(name, lambda kind, n: pa.nulls(n, kind))
        yield f"{name}: null type", _replaced(name, lambda kind, n: pa.nulls(n))
        yield f"{name}: another type", _replaced(name, _other)
        yield f"{name}: nested", _replaced(name, lambda kind, n: pa.array([{"a": [{"b": "x"}]}] * n, NESTED))
        yield f"{name}: missing", lambda table, name=name: table.drop_columns([name])
    yield "an extra column", lambda table: table.append_column("\x1b[31m", pa.array(["=1"] * len(table)))
    yield "no rows", lambda table: table.slice(0, 0)
    yield "each row twice", lambda table: pa.concat_tables([table, table])
    yield "upside down", lambda table: table.take(pa.array(range(len(table) - 1, -1, -1)))
    yield "one column twice", lambda table: table.append_column(table.schema.names[0], table.column(0))
    yield "no columns", lambda table: pa.table({})


def _values(kind: pa.DataType) -> list[Any]:
    """Whatever of the values of attack an Arrow array of `kind` holds."""
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        ones = _values(kind.value_type)
        if pa.types.is_fixed_size_list(kind):
            return [[one] * kind.list_size for one in ones]
        return [[one] * count for one in ones for count in (0, 1, 136)] + [[None]]
    if pa.types.is_fixed_size_binary(kind):
        return [bytes(kind.byte_width), b"\xff" * kind.byte_width]
    if pa.types.is_binary(kind):
        return [b"", b"\0", b"\xff" * 192, b"x" * 100_000]
    if pa.types.is_string(kind):
        return list(TEXTS)
    if pa.types.is_boolean(kind):
        return [True, False, None]
    if pa.types.is_timestamp(kind):
        return [-(2**63) + 1, 2**63 - 1, 0]
    return [value for value in NUMBERS if _fits(value, kind)]


def _fits(value: float, kind: pa.DataType) -> bool:
    try:
        pa.array([value], kind)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return False
    return True


def _planted(name: str, values: list[Any]) -> Damage:
    """The values in turn; of one alone, in every row that is accepted, so that it is read."""

    def damage(table: pa.Table) -> pa.Table:
        kind, old = table.schema.field(name).type, table[name].to_pylist()
        if len(values) == 1:
            status = table["status"].to_pylist() if "status" in table.schema.names else ["accepted"] * len(old)
            first = next((at for at, one in enumerate(status) if one == "accepted"), 0)
            new = [values[0] if at == first else one for at, one in enumerate(old)]
        else:
            new = [values[at % len(values)] for at in range(len(old))]
        return table.set_column(table.schema.get_field_index(name), name, _array(new, kind))

    return damage


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        raw = [None if one is None else one if isinstance(one, bytes) else one.encode() for one in values]
        return pa.array(raw, pa.binary()).view(pa.string())
    return pa.array(values, kind)


def _replaced(name: str, made: Callable[[pa.DataType, int], pa.Array]) -> Damage:
    def damage(table: pa.Table) -> pa.Table:
        index = table.schema.get_field_index(name)
        return table.set_column(index, name, made(table.schema.field(name).type, len(table)))

    return damage


def _other(kind: pa.DataType, count: int) -> pa.Array:
    return pa.array([1.5] * count) if pa.types.is_string(kind) else pa.array(["=x\x1b"] * count)


def plant(path: Path, damage: Damage, outside: Path) -> None:
    """Damages the table at `path`, its notes left but for their digest."""
    table = pq.read_table(path)
    notes = {key: value for key, value in (table.schema.metadata or {}).items() if key != b"curate.digest"}
    found = damage(table)
    columns = [_with_place(column, outside) for column in found.columns]
    found = pa.table(columns, schema=pa.schema([pa.field(f.name, f.type) for f in found.schema]))
    pq.write_table(found.replace_schema_metadata(notes), path)


def _with_place(column: pa.ChunkedArray, outside: Path) -> pa.ChunkedArray:
    """`{outside}` in its texts is where that is."""
    if not pa.types.is_string(column.type):
        return column
    raw = [one and one.replace(b"{outside}", str(outside).encode()) for one in column.cast(pa.binary()).to_pylist()]
    return pa.chunked_array([pa.array(raw, pa.binary()).view(pa.string())])


class Ground:
    """Where tries take place: a fresh copy of `world` for each, beside a folder that nobody may touch."""

    def __init__(self, world: Path, folder: Path) -> None:
        self.world, self.root, self.outside = world, folder / "root", folder / "outside"
        self.outside.mkdir(parents=True)
        (self.outside / "secret.png").write_bytes(next((world / "raw/images").rglob("*.png")).read_bytes())
        self._before = _tree(folder, self.root)
        self._folder = folder
        self._opened: list[str] = []
        sys.addaudithook(self._hear)
        self._heard = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._heard and event in {"open", "os.remove", "os.rename", "os.link", "os.mkdir", "os.listdir", "os.chmod"}:
            self._opened += [str(one) for one in arguments if str(one).startswith(str(self.outside))]

    def fresh(self) -> Path:
        """The root, as the world is."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.world, self.root)
        return self.root

    def wrong(self, command: str, words: Mapping[str, str], codes: frozenset[int] = frozenset({0, 2})) -> list[str]:
        """What is wrong with how `command` ends in the root as it stands."""
        argv = [word.format(root=self.root, **words) for word in command.split()]
        self._opened, self._heard = [], True
        try:
            done = run(*argv, "--root", self.root, folder=self.root)
        finally:
            self._heard = False
        found = list(_wrongly_said(done.returncode, done.stdout + done.stderr, done.stderr, codes))
        found += [f"touched: {path}" for path in self._opened]
        now = _tree(self._folder, self.root)
        found += [
            f"changed: {name}" for name in now.keys() | self._before.keys() if now.get(name) != self._before.get(name)
        ]
        found += _cells_that_run(self.root)
        return found


def _wrongly_said(code: int, said: str, errors: str, codes: frozenset[int]) -> Iterator[str]:
    if code not in codes:
        yield f"exit {code}: {said[-700:]}"
    if _BUG.search(said):
        yield said[-700:]
    if code == 2 and errors and not _LINE.search(errors):  # doctor tells of all tables instead
        yield f"not the line: {errors[-500:]}"
    if steers := STEERING.search(said):
        yield f"steers: {said[max(steers.start() - 80, 0) : steers.start() + 20]!r}"
    if longest := next((line for line in errors.splitlines() if len(line) > _LONGEST), ""):
        yield f"a line of {len(longest)} characters: {longest[:200]}"


def _cells_that_run(root: Path) -> Iterator[str]:
    for path in (*root.rglob("*.csv"), *root.rglob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
        texts = [cell for row in rows for cell in row if cell and not re.fullmatch(r"-?([\d.]+(e[-+]?\d+)?|inf)", cell)]
        if runs := [cell for cell in texts if unicodedata.normalize("NFKC", cell.lstrip()[:1]) in "=+-@"]:
            yield f"{path.name}: runs: {runs[0]!r}"


def _tree(folder: Path, spared: Path) -> dict[str, tuple[int, bytes]]:
    """The files below `folder` and not below `spared`: when they changed, and what they hold."""
    found = {}
    for place, folders, names in os.walk(folder):
        if Path(place) == spared.parent:
            folders[:] = [name for name in folders if name != spared.name]
        for name in names:
            path = Path(place, name)
            found[str(path)] = path.stat().st_mtime_ns, path.read_bytes()
    return found
