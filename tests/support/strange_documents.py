"""JSON, lines of it, tables of text and other files as a stranger may hand them over: each value, each cell, each way
to be broken.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.strangers import TEXTS, Damage

HOSTILE = "\x1b]0;pwned\x07\x1b[31m=\u202e"
VALUES: tuple[Any, ...] = (
    *(None, -1, 0.5, 2**70, 1e308, HOSTILE, "=cmd()", "x" * 4000, "../outside/secret.png", "{outside}/secret.png"),
    *([], {}, [[1]], {HOSTILE: {"a": HOSTILE}}, math.inf, math.nan),
)
_DEEP = "[" * 2000 + "]" * 2000
_CONTENTS: tuple[str | bytes, ...] = (
    *("", "\n\n", b"\xff\xfe\0", b"\0" * 500, _DEEP, "7", "null", "[1]", '[{"a": 1}]', '"\\ud800"', "x" * 1_000_000),
    *('{"step": NaN}', HOSTILE, "{outside}/secret.png", "a\tb\n=1\t+2\n", '{"a": ' + "9" * 5000 + "}"),
)
_NAMES = (HOSTILE, "../outside/secret.png", "{outside}/secret.png", "x" * 4000)
_KEYS = 6  # levels of objects that are gone into


def damaged_json(path: Path) -> Iterator[tuple[str, Damage]]:
    """Each value of a document in turn, missing and made each of VALUES; and no document at all."""
    whole = json.loads(path.read_text("utf-8"))
    for keys in _places(whole):
        yield f"{'.'.join(map(str, keys))}: missing", partial(_write_json, _changed(whole, keys))
        for value in VALUES:
            name = f"{'.'.join(map(str, keys))}: {json.dumps(value)[:24]}"
            yield name, partial(_write_json, _changed(whole, keys, value))
        for text in _NAMES if isinstance(keys[-1], str) else ():
            made = _changed(whole, keys)
            _at(made, keys[:-1])[text] = _at(whole, keys)
            yield f"{'.'.join(map(str, keys))}: called {text[:24]!r}", partial(_write_json, made)
    yield from damaged_text(path)


def damaged_lines(path: Path) -> Iterator[tuple[str, Damage]]:
    """For each key of a line, lines in which it is missing and each of VALUES; and no lines at all."""
    lines = [{**json.loads(line)} for line in path.read_text("utf-8").splitlines()]
    for line in lines:
        line.pop("crc", None)
    kinds = {json.dumps([*one.keys(), one.get("event")]): one for one in lines}
    for whole in kinds.values():
        for key in whole:
            made = [_changed(whole, (key,)), *(_changed(whole, (key,), value) for value in VALUES)]
            yield f"{key}: all sorts", partial(written, "".join(f"{json.dumps(one)}\n" for one in (*lines, *made)))
            for one in made:
                name = f"{key}: {json.dumps(one.get(key, 'missing'))[:24]}"
                yield name, partial(written, "".join(f"{json.dumps(one)}\n" for one in (*lines, one)))
    more = "".join(f"{json.dumps({**one, HOSTILE: HOSTILE})}\n" for one in lines)
    yield "more keys", partial(written, more)
    yield "each line twice", partial(written, "".join(f"{json.dumps(one)}\n{json.dumps(one)}\n" for one in lines))
    yield from damaged_text(path)


def damaged_cells(path: Path) -> Iterator[tuple[str, Damage]]:
    """Each column of a table of text with each of TEXTS for a name and for a value; and no table at all."""
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    for column, name in enumerate(rows[0]):
        for text in [*(one for one in TEXTS if isinstance(one, str)), "nan", "inf", "1e308", "-1", "9" * 5000]:
            for row in (0, len(rows) - 1):
                made = copy.deepcopy(rows)
                made[row][column] = text
                said = "\n".join("\t".join(cells) for cells in made)
                yield f"{name}, row {row}: {text[:24]!r}", partial(written, f"{said}\n")
    yield from damaged_text(path)


def damaged_text(path: Path) -> Iterator[tuple[str, Damage]]:
    """Something else, or half of it."""
    for content in _CONTENTS:
        yield f"holds {content[:24]!r}", partial(written, content)
    yield from damaged_bytes(path)


def damaged_bytes(path: Path) -> Iterator[tuple[str, Damage]]:
    """Cut, without an end, with other bits, another sort of file, and no file at all."""
    whole = path.read_bytes()
    half = len(whole) // 2
    for name, data in {
        "empty": b"",
        "its first half": whole[:half],
        "its first half and zeros": whole[:half] + bytes(len(whole) - half),
        "twice": whole * 2,
        "a page": b"<script>alert(1)</script>",
    }.items():
        yield name, partial(written, data)
    for at in sorted({0, 4, 9, half, len(whole) - 1} & {*range(len(whole))}):
        flipped = bytearray(whole)
        flipped[at] ^= 0xFF
        yield f"byte {at} of {len(whole)} flipped", partial(written, bytes(flipped))
    yield "a link out", _linked_out
    yield "a folder", _emptied


def _linked_out(path: Path, outside: Path) -> None:
    path.unlink()
    path.symlink_to(outside / "secret.png")


def _emptied(path: Path, outside: Path) -> None:
    path.unlink()
    path.mkdir()


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the values of a document stand; of a list, and of objects side by side with the same keys, in the first."""
    if len(at) == _KEYS:
        return
    shapes = set()
    for key, one in value.items() if isinstance(value, dict) else [*enumerate(value)][:1]:
        yield (*at, key)
        shape = tuple(one) if isinstance(one, dict) else key
        if isinstance(one, dict | list) and shape not in shapes:
            shapes.add(shape)
            yield from _places(one, (*at, key))


def _at(whole: Any, keys: tuple[Any, ...]) -> Any:
    for key in keys:
        whole = whole[key]
    return whole


def _changed(whole: Any, keys: tuple[Any, ...], *value: Any) -> Any:
    """`whole` with `value` at `keys`, or without what stands there."""
    made = copy.deepcopy(whole)
    part = _at(made, keys[:-1])
    if value:
        part[keys[-1]] = value[0]
    else:
        del part[keys[-1]]
    return made


def _write_json(document: Any, path: Path, outside: Path) -> None:
    written(json.dumps(document), path, outside)


def written(content: str | bytes, path: Path, outside: Path) -> None:
    """Writes `content` to `path`; `{outside}` in it is where that is."""
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(data.replace(b"{outside}", str(outside).encode()))
