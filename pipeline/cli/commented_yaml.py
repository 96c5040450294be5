"""YAML text as a tree of keys that keeps its comments, so that one file can be laid over another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml


@dataclass(frozen=True)
class Tree:
    """A mapping, as it is written."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    head: tuple[str, ...] = ()  # comments that an empty line parts from the first key; of a whole file alone
    tail: tuple[str, ...] = ()  # comments after the last key, at the keys' own depth

    def without(self, key: str) -> Tree:
        """The same, less `key`."""
        return replace(self, entries={name: entry for name, entry in self.entries.items() if name != key})


@dataclass(frozen=True)
class Entry:
    """A key and its value: a mapping of further keys, or text. Comments have their "#"."""

    above: tuple[str, ...] = ()  # comments on the lines above the key
    beside: str = ""  # the comment on the key's own line
    text: tuple[str, ...] = ()  # the value from its first character on; further lines begin at the key's column
    children: Tree | None = None  # instead of `text`, for a mapping in block style


def read(text: str) -> Tree:
    """The tree of a YAML file that holds a mapping in block style.

    Raises yaml.YAMLError for what does not parse, TypeError for what is no such mapping.
    """
    lines = text.splitlines()
    start = next((index for index, line in enumerate(lines) if not line.startswith("#")), len(lines))
    head = lines[:start] if start < len(lines) and not lines[start].strip() else []
    node = yaml.compose(text)
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        raise TypeError("not a mapping in block style")
    return replace(_tree(node, lines, len(head), len(lines)), head=tuple(head))


def overlaid(base: Tree, own: Tree) -> Tree:
    """`base` with the keys of `own` in place of its own, mapping by mapping; comments come along with their keys."""
    entries = dict(base.entries)
    for key, entry in own.entries.items():
        old = entries.get(key)
        if old is not None and old.children is not None and entry.children is not None:
            entries[key] = replace(
                entry,
                above=entry.above or old.above,
                beside=entry.beside or old.beside,
                children=overlaid(old.children, entry.children),
            )
        else:
            entries[key] = entry
    return Tree(entries, own.head or base.head, (*base.tail, *own.tail))


def values(tree: Tree) -> dict[str, Any]:
    """What the YAML of `tree` stands for."""
    found: dict[str, Any] = {}
    for key, entry in tree.entries.items():
        found[key] = values(entry.children) if entry.children is not None else yaml.safe_load("\n".join(entry.text))
    return found


def _tree(node: yaml.MappingNode, lines: list[str], start: int, end: int) -> Tree:
    """The mapping `node`, whose keys and comments stand on lines[start:end]."""
    column = node.start_mark.column
    keys = [key.start_mark.line for key, _ in node.value]
    entries: dict[str, Entry] = {}
    above = _comments(lines[start : keys[0]])
    for (key, value), line, stop in zip(node.value, keys, [*keys[1:], end]):
        last = stop
        while last > line + 1 and _ends(lines[last - 1], column):
            last -= 1
        entries[key.value] = replace(_entry(key, value, lines, last), above=above)
        above = _comments(lines[last:stop])
    return Tree(entries, tail=above)


def _entry(key: yaml.ScalarNode, value: yaml.Node, lines: list[str], last: int) -> Entry:
    """The entry that begins with `key` and ends before line `last`; what stands above it is not its matter."""
    line, column = key.start_mark.line, key.start_mark.column
    after = lines[line][key.end_mark.column + 1 :].strip()
    if isinstance(value, yaml.MappingNode) and not value.flow_style:
        return Entry(beside=after, children=_tree(value, lines, line + 1, last))
    more = tuple(text[column:] for text in lines[line + 1 : last])
    if value.start_mark.line > line:
        return Entry(beside=after, text=("", *more))
    if value.end_mark.line > line:
        return Entry(text=(after, *more))
    text = lines[line][value.start_mark.column : value.end_mark.column]
    return Entry(beside=lines[line][value.end_mark.column :].strip(), text=(text.strip(), *more))


def _ends(line: str, column: int) -> bool:
    """Whether `line`, before the next key or the end, is no part of the value of a key at `column`."""
    text = line.lstrip()
    return not text or (text.startswith("#") and len(line) - len(text) <= column)


def _comments(lines: list[str]) -> tuple[str, ...]:
    return tuple(line.strip() for line in lines if line.strip())
