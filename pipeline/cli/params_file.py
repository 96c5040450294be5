"""What a whole params.yaml is made of: every section, its keys, and the comments that their classes carry.

The comments are read from the source, so that each key is explained in one place: beside it, where it is defined.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import sys
import tokenize
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from curate.pipeline.core.config import SECTIONS, Section
from curate.pipeline.core.registry import Registry

# By name alone, since this half is whole without the training half: no train/, no rows that are asked for.
_TRAINING = Registry(
    "part of training",
    {"recipes": "curate.train.recipes:RECIPES", "sections": "curate.train.runs.config:recipe_sections"},
)


class Comments(NamedTuple):
    """What the source says about one field of a section."""

    heading: str  # of the group of fields that it stands in; "" for none
    group: int  # number of that group, from 0, counted through all bases
    comment: str  # beside the field, or right above it; "" for none


class Nested(NamedTuple):
    """A section inside another one: the field's value is one, a list of them, or a mapping to them."""

    kind: type[Section]
    shape: Literal["one", "list", "mapping"]
    key: str = ""  # of a mapping, for example


def sections() -> dict[str, type[Section]]:
    """Every section of params.yaml by its dotted name, parents first.

    In the order of SECTIONS, each followed by the sections in it (scrape.queries, scrape.demo); before `translate`
    come data, run and model of each recipe (train.cyclegan.data), as far as the training half is installed.
    """
    found: dict[str, type[Section]] = {}
    training = {
        f"train.{recipe}.{group}": type(section)
        for recipe in recipes()
        for group, section in recipe_sections(recipe, {}).items()
    }
    for name in SECTIONS:
        if name == "translate":
            found |= training
        found[name] = SECTIONS.resolve(name)
    return {
        full: kind
        for name, section in found.items()
        for full, kind in ((name, section), *((f"{name}.{key}", inner.kind) for key, inner in nested(section).items()))
    }


def recipes() -> list[str]:
    """The names of all recipes; none where the training half is not installed."""
    return list(_TRAINING.resolve("recipes")) if find_spec("curate.train") else []


def recipe_sections(recipe: str, written: Mapping[str, Any]) -> Mapping[str, Section]:
    """data, run and model of `recipe`, where params.yaml has `written` below train.RECIPE. Imports torch.

    Raises UsageError for an unknown key and for values out of range.
    """
    made: Callable[[str, Mapping[str, Any]], Mapping[str, Section]] = _TRAINING.resolve("sections")
    return made(recipe, written)


def nested(kind: type[Section]) -> dict[str, Nested]:
    """The fields of `kind` that hold sections, and which."""
    info: Any = msgspec.inspect.type_info(kind)
    found = ((field.name, _nested(field.type)) for field in info.fields)
    return {name: inner for name, inner in found if inner is not None}


def _nested(info: Any) -> Nested | None:
    if isinstance(info, msgspec.inspect.StructType):
        kind: Any = info.cls
        return Nested(kind, "one")
    if isinstance(info, msgspec.inspect.DictType):
        inner = _nested(info.value_type)
        names = getattr(info.key_type, "values", ("name",))
        return inner and Nested(inner.kind, "mapping", names[0])
    if isinstance(info, msgspec.inspect.UnionType):
        return next((inner for part in info.types if (inner := _nested(part))), None)
    inner = _nested(info.item_type) if hasattr(info, "item_type") else None
    return inner and Nested(inner.kind, "list")


def choices(kind: type[Section]) -> dict[str, tuple[str, ...]]:
    """The fields of `kind` that hold one, or a list, of a few words, and these words in the order of the source."""
    found = ((name, _words(hint)) for name, hint in get_type_hints(kind).items() if name in kind.__struct_fields__)
    return {name: words for name, words in found if words}


def _words(hint: Any) -> tuple[str, ...]:
    if get_origin(hint) is Literal:
        return tuple(map(str, get_args(hint)))
    parts = () if isinstance(get_origin(hint), type) and issubclass(get_origin(hint), Mapping) else get_args(hint)
    return next((words for part in parts if (words := _words(part))), ())


def field_comments(kind: type[Section]) -> Mapping[str, str]:
    """The comment of each field of `kind`, its bases' included, in the order of the fields; "" where there is none.

    It stands beside the field or, without an empty line between them and the field before, right above it.
    """
    return {name: found.comment for name, found in comments(kind).items()}


def comments(kind: type[Section]) -> Mapping[str, Comments]:
    """The comment of each field of `kind`, as field_comments has it, and the group of fields that it stands in.

    Groups are parted by empty lines; a comment after an empty line is the heading of its group.
    """
    found: dict[str, Comments] = {}
    start = 0
    for base in reversed(kind.__mro__):
        own = _own_comments(base)
        for name, said in own.items():  # a field that a base has, too, stays in its place there
            first = found.get(name)
            found[name] = (
                said._replace(group=start + said.group) if first is None else first._replace(comment=said.comment)
            )
        start += max((said.group for said in own.values()), default=-1) + 1
    return {name: found.get(name, Comments("", start, "")) for name in kind.__struct_fields__}


def _own_comments(kind: type) -> dict[str, Comments]:
    """The comments of the fields that the body of `kind` itself defines."""
    module = sys.modules[kind.__module__]
    if not issubclass(kind, Section) or not hasattr(module, "__file__"):
        return {}
    tree, beside, alone = _source(inspect.getsource(module))
    body = next((node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__), [])
    found: dict[str, Comments] = {}
    heading, group, end = "", -1, -1
    for node in body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        above = _above(alone, node.lineno)
        if node.lineno - len(above) != end + 1:
            heading, group, above = " ".join(above), group + 1, []
        end = node.end_lineno or node.lineno
        inside = [beside[line] for line in range(node.lineno, end + 1) if line in beside]
        found[node.target.id] = Comments(heading, group, " ".join([*above, *inside]))
    return {name: said for name, said in found.items() if name in kind.__struct_fields__}


def _above(alone: Mapping[int, str], line: int) -> list[str]:
    """The comments on the lines right above `line`, the uppermost first."""
    found: list[str] = []
    while (text := alone.get(line - 1 - len(found))) is not None:
        found.append(text)
    return found[::-1]


@cache
def _source(text: str) -> tuple[ast.Module, Mapping[int, str], Mapping[int, str]]:
    """The tree of a module, and its comments by line: those beside code, and those alone on their line."""
    beside: dict[int, str] = {}
    alone: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            place = beside if token.line[: token.start[1]].strip() else alone
            place[token.start[0]] = re.sub(r"^#+\s*", "", token.string)
    return ast.parse(text), beside, alone
