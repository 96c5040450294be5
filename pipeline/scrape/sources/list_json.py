"""Lists in JSON: lines of objects or of addresses, or one document that holds them somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from curate.pipeline.scrape.sources.list_rows import Numbered, Row, is_address, named
from curate.pipeline.scrape.web.json_reader import read_json

_MOST = 1 << 29  # characters of a document


def rows(lines: Iterator[str]) -> Iterator[Numbered]:
    """The objects of JSON lines, or of one document."""
    read: list[str] = []
    for line in lines:
        read.append(line)
        if line.strip():
            break
    try:
        whole = not isinstance(read_json(read[-1]), dict) if read else False
    except ValueError:
        whole = True
    if whole:
        size = 0
        for line in lines:
            read.append(line)
            size += len(line)
            if size > _MOST:
                raise ValueError(f"a document of more than {_MOST >> 20} million characters: write it as JSON lines")
        try:
            document = read_json("".join(read))
        except ValueError:
            if sum(bool(line.strip()) for line in read) == 1:
                raise
            document = None  # lines, of which the first is broken
        if document is not None:
            yield from enumerate(map(_object, _items(document)), 1)
            return
    for number, line in enumerate(chain(read, lines), 1):
        if line.strip():
            try:
                items = list(_items(read_json(line))) or [None]
            except ValueError:
                items = [None]
            yield from ((number, _object(item)) for item in items)


def _object(item: object) -> Row | None:
    if isinstance(item, str):
        return {"url": [item]}
    return named(iter(item.items())) if isinstance(item, dict) else None


_HOLDERS = ("images", "photos", "pictures", "items", "results", "data", "rows", "records", "posts", "hits", "urls")


def _items(document: Any) -> Iterator[Any]:
    """The objects of a document: those of its lists, with the licences that COCO's lists have numbers for."""
    if isinstance(document, list):
        for one in document:
            yield from _items(one) if isinstance(one, list) else (one,)
        return
    if not isinstance(document, dict):
        yield document
        return
    lists = [key for key in _HOLDERS if isinstance(document.get(key), list | dict)]
    if not lists or any(is_address(value) for value in document.values()):
        yield document
        return
    licenses = document.get("licenses")
    named = [one for one in licenses if isinstance(one, dict)] if isinstance(licenses, list) else []
    known = {number: one for one in named if isinstance(number := one.get("id"), int | str)}
    for item in _items(document[lists[0]]):
        if isinstance(item, dict) and isinstance(number := item.get("license"), int | str) and number in known:
            item = {**item, "license": known[number].get("name"), "license_url": known[number].get("url")}
        yield item
