"""The text of a whole params.yaml: what a preset sets, among every other key with its default.

What a preset sets is plain YAML. Every other key stands there, too, in its place, with its value and what it is, but
commented out: so that whoever opens the file finds all that can be changed, and sees at once what this use changed.
Written out plainly, a default would look like a decision; it would stay as it was when a later version knows a better
one; and DVC, which compares sections as they parse, would run stages for lines that mean nothing new.

A key that is commented out has its "#" right before it, other comments have a space there: without that one character
the line is valid, at the depth of its neighbours.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from curate.pipeline.cli.commented_yaml import Entry, Tree, values
from curate.pipeline.cli.params_file import Nested, choices, comments, nested, recipe_sections, recipes
from curate.pipeline.core.config import SECTIONS, Section, as_dict, parse

WIDTH = 120
COLUMN = 36  # where comments beside values begin

TRAIN = "What each recipe trains on (data), how its run goes (run), and the constants of its model."

HEAD = """\
# What stands here plainly is what this use sets. Every other key is there as well, commented out, with the value that
# it has: take away the "#" right before a key to set it. What stays commented out follows the defaults of the version
# that is installed. An unknown key is an error that names the nearest known one.
# Every value that a command works with, and where it comes from: curate params show
"""


def render(preset: Tree) -> str:
    """The params.yaml that means what `preset` does; its comments stand with their keys, and say why above them.

    Sections, recipes and their groups are in block style in `preset`; what stands in them may be in any.
    Raises UsageError for sections and keys that do not exist and for values out of range.
    """
    written = values(preset)
    for name in written.keys() - {"train"}:
        SECTIONS[name]  # a section that does not exist is an error here
    lines = [*preset.head, *(["#"] if preset.head else []), *HEAD.splitlines()]
    for name in SECTIONS:
        if name == "translate":
            lines += _train(preset.entries.get("train", Entry()), written.get("train") or {})
        section = parse(SECTIONS.resolve(name), written.get(name) or {}, name)
        entry = preset.entries.get(name, Entry())
        lines += ["", *_prose("", _about(section)), *_why("", entry), f"{name}:"]
        lines += _section(section, entry.children or Tree(), "  ")
    return "\n".join([*lines, *preset.tail]) + "\n"


def _train(entry: Entry, written: Mapping[str, Any]) -> list[str]:
    """The section train: the recipes that the preset names, in its order, and the names of the others."""
    lines = ["", *_prose("", TRAIN)]
    lines += [*_why("", entry), "train:" if written else "train: {}"]
    known = recipes()
    for number, (recipe, own) in enumerate((entry.children or Tree()).entries.items()):
        lines += [*([""] if number else []), *_why("  ", own)]
        if not known:  # without the training half nobody knows its keys: they stay as the preset has them
            lines += _written(recipe, own, "  ", "")
            continue
        lines += [f"  {recipe}:"]
        groups = own.children.entries if own.children else {}
        for group, section in recipe_sections(recipe, written[recipe] or {}).items():
            of_group = groups.get(group, Entry())
            about = _about(section) if group == "model" else ""  # TRAIN says what the others are
            lines += [*_why("    ", of_group), *_line(f"    {group}:", about)]
            lines += _section(section, of_group.children or Tree(), "      ")
    if others := [name for name in known if name not in written]:
        lines += [
            "",
            *_prose("  ", f"Not trained here: {', '.join(others)}. Keys: curate params show train.{others[0]}"),
        ]
    return lines


def _section(section: Section, preset: Tree, pad: str) -> Iterator[str]:
    """Every key of `section`, which `preset` was parsed into, in the order and the groups of its class."""
    said, inner, words = comments(type(section)), nested(type(section)), choices(type(section))
    group = 0
    for number, (key, value) in enumerate(as_dict(section).items()):
        heading, current, comment = said[key]
        comment = _comment(comment, words.get(key, ()))
        if current != group and number:
            yield ""
        if heading and (current != group or not number):
            yield from _prose(pad, f"--- {heading} ---")
        group = current
        entry = preset.entries.get(key)
        if entry is None:
            yield from _default(key, value, comment, inner.get(key), pad)
            continue
        yield from _why(pad, entry)
        own = getattr(section, key)
        if entry.children is not None and isinstance(own, Section):
            yield from _line(f"{pad}{key}:", comment)
            yield from _section(own, entry.children, f"{pad}  ")
        else:
            yield from _written(key, entry, pad, comment)
            if key in inner and inner[key].shape == "list":
                yield from _prose(f"{pad}  ", "Every key that one of them may have:")
                yield from _example(inner[key].kind, f"{pad}  #", "- ", "  ")
    yield from (f"{pad}{line}" for line in preset.tail)


def _default(key: str, value: Any, comment: str, inner: Nested | None, pad: str) -> Iterator[str]:
    """The key that is commented out; for sections in it, with the keys of one."""
    if inner is None or value:
        yield from _line(f"{pad}#{key}: {_yaml(value)}", comment)
        return
    yield from _line(f"{pad}#{key}:", comment)
    if inner.shape == "mapping":
        yield f"{pad}#  {inner.key}:"
    first, rest = {"one": ("  ", "  "), "mapping": ("    ", "    "), "list": ("  - ", "    ")}[inner.shape]
    yield from _example(inner.kind, f"{pad}#", first, rest)


def _example(kind: type[Section], pad: str, first: str, rest: str) -> Iterator[str]:
    said, words = comments(kind), choices(kind)
    for number, (key, value) in enumerate(as_dict(kind()).items()):
        text = f"{pad}{rest if number else first}{key}: {_yaml(value)}"
        yield from _line(text, _comment(said[key].comment, words.get(key, ())))


def _written(key: str, entry: Entry, pad: str, comment: str) -> Iterator[str]:
    """`key` as the preset has it; `comment` is what it is, where that is known."""
    if entry.children is None:
        first, *more = entry.text
        yield from _line(f"{pad}{key}: {first}".rstrip(), comment)
        yield from (f"{pad}{line}".rstrip() for line in more)
        return
    yield from _line(f"{pad}{key}:", comment)
    for name, child in entry.children.entries.items():
        yield from (f"{pad}  {line}" for line in child.above)
        yield from _written(name, child, f"{pad}  ", child.beside.lstrip("# "))
    yield from (f"{pad}  {line}" for line in entry.children.tail)


def _why(pad: str, entry: Entry) -> list[str]:
    """The preset's own comments on a key: they say why, and stand above what the key is."""
    return [*(f"{pad}{line}" for line in entry.above), *_prose(pad, entry.beside.lstrip("# "))]


def _about(section: Section) -> str:
    """What the class of `section` says of it in its first paragraph."""
    return " ".join((inspect.getdoc(section) or "").split("\n\n")[0].split())


def _comment(text: str, words: tuple[str, ...]) -> str:
    """A field's comment as YAML has it, after the words that the value may be."""
    text = re.sub(r"\bNone\b", "null", text)
    return "; ".join(filter(None, ("|".join(words), text)))


def _line(text: str, comment: str) -> list[str]:
    """`text` and, beside it, `comment`, on as many lines as it takes."""
    column = max(COLUMN, len(text) + 2)
    if column > COLUMN and column + 2 + len(comment) > WIDTH:
        return [*_prose(text[: len(text) - len(text.lstrip())], comment), text]
    parts = textwrap.wrap(comment, WIDTH - column - 2, break_on_hyphens=False)
    return [f"{(text if not number else ''):{column}}# {part}" for number, part in enumerate(parts)] or [text]


def _prose(pad: str, text: str) -> list[str]:
    parts = textwrap.wrap(text, WIDTH - len(pad) - 2, break_on_hyphens=False)
    return [f"{pad}# {part}" for part in parts]


def _yaml(value: Any) -> str:
    """A plain value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...")
