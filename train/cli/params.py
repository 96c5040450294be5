"""The commands of params.yaml itself, over the sections of both halves."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from curate.pipeline.cli.context import Context
from curate.pipeline.core.config import SECTIONS, Origin, Section, explain, override
from curate.pipeline.core.errors import UsageError, nearest
from curate.train.recipes import RECIPES


def show(
    context: Context,
    section: Annotated[str | None, typer.Argument(help="As crop, train.cyclegan or train.cyclegan.run.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As if it were given, too; repeatable.")
    ] = None,
) -> None:
    """Show the values that a command works with, and where each of them comes from."""
    names = [*SECTIONS, *(f"train.{recipe}" for recipe in RECIPES)]
    chosen = [name for name in names if _within(section, name) or (section and _within(name, section))]
    if section and not chosen:
        raise UsageError(f"there is no section '{section}'{nearest(section, names)}", f"sections: {', '.join(names)}")
    flags = _flags(set_)
    if flags and len(chosen) != 1:
        raise UsageError("--set: for which section?", "name one: curate params show train.cyclegan --set run.steps=10")
    found = [origin for name in chosen for origin in _origins(context, name, flags)]
    shown = [origin for origin in found if section is None or _within(section, origin.key)]
    if section and not shown:
        keys = [origin.key for origin in found]
        raise UsageError(f"there is no key '{section}'{nearest(section, keys)}", f"see: curate params show {chosen[0]}")
    context.console.result(
        {origin.key: {"value": origin.value, "from": origin.origin} for origin in shown}, _table(shown)
    )


def _within(name: str | None, other: str) -> bool:
    """Whether `other` is the section or key `name`, or lies in it; in None lies everything."""
    return name is None or other == name or other.startswith(f"{name}.")


def _origins(context: Context, name: str, flags: dict[str, Any]) -> list[Origin]:
    if name.startswith("train."):
        from curate.train.runs.config import explain_recipe

        return explain_recipe(context.params, name.removeprefix("train."), flags)
    kind: type[Section] = SECTIONS.resolve(name)
    section = override(context.params.section(name, kind), name, **flags)
    layers = [(str(context.params.path or "params.yaml"), context.params.written(name)), ("command line", flags)]
    return explain(section, name, layers)


def _flags(assignments: list[str] | None) -> dict[str, Any]:
    if not assignments:
        return {}
    from curate.train.runs.config import parse_assignment

    return dict(parse_assignment(text) for text in assignments)


def _table(found: list[Origin]) -> str:
    rows = [(origin.key, json.dumps(origin.value, ensure_ascii=False), origin.origin) for origin in found]
    key = max(len(row[0]) for row in rows)
    value = min(48, max(len(row[1]) for row in rows))
    return "\n".join(f"{name:{key}}  {text:{value}}  {origin}" for name, text, origin in rows)
