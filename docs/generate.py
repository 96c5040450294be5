"""Writes the reference pages that follow from the code: commands, params, tables, reasons.

    python docs/generate.py

What a page says stands beside what it is about: the help of a command, the comment beside a key or a column, the
sentence of a reason. tests/architecture/test_docs.py fails when a page differs from what is generated here.
"""

from __future__ import annotations

import ast
import inspect
import io
import json
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, NamedTuple, get_args, get_origin

import msgspec
import typer

from curate.app import app
from curate.pipeline.cli import params_file
from curate.pipeline.core import errors
from curate.pipeline.core.config import Section, as_dict
from curate.pipeline.stats.reasons import REASONS, STAGES
from curate.pipeline.tables import schema, suspects_table
from curate.train.recipes import RECIPES, model_section

REFERENCE = Path(__file__).parent / "reference"
WORDS = {int: "N", float: "NUMBER", str: "TEXT", Path: "PATH", bool: ""}
REQUIRED = "required"

COMMANDS = """\
# Commands

*Written by `make docs` from the commands themselves: edit those, not this page.*

A value given here goes before that of [params.yaml](params.md), for this call. Where an option has no default,
params.yaml decides, or what its text says. Words in capitals stand for a value; `...` may be repeated."""

PARAMS = """\
# params.yaml

*Written by `make docs` from each stage's `config.py` and each recipe's `recipe.py`: edit those, not this page.*

Every key has a default, and every command works without a params.yaml. A key that does not exist, a value of another
type or out of range is an error with the dotted key and the nearest legal name. `curate init` writes a params.yaml with
every key; `curate params show SECTION` prints the values that hold, and where each comes from."""

TABLES = """\
# Tables

*Written by `make docs` from `pipeline/tables/schema.py`: edit that, not this page.*

A refused row stays: its `status` is `rejected`, and its `reason` is one of [a closed list](reasons.md). Rows are sorted
by the table's key, which no two of them share. Paths are relative to the root, with `/`. Times are UTC. Schema version
and settings stand in the file's metadata; a table of another version is refused, and the error says which command makes
it anew. Boxes and points are in px from the upper left corner, colours are RGB. What a person decides stands as text in
`manifests/review.jsonl`: [choosing](../guide/choosing.md#decide)."""

WHY = """\
# Reasons

*Written by `make docs` from `pipeline/tables/schema.py` and `pipeline/stats/reasons.py`: edit those, not this page.*

A row that is kept has the reason `ok`; every other row has one of these. `curate stats` counts them, and
`curate stats --html` shows pictures by reason."""


def pages() -> dict[Path, str]:
    """Every generated page and its text."""
    made = {"commands": commands(), "params": params(), "tables": tables(), "reasons": reasons()}
    return {REFERENCE / f"{name}.md": "\n".join(lines).rstrip() + "\n" for name, lines in made.items()}


def commands() -> Iterator[str]:
    """The lines of commands.md: every command with its arguments and options."""
    yield COMMANDS
    found = dict(_commands(app, "curate"))
    every = set.intersection(*({flag.name for flag in flags} for _, flags in found.values()))
    shared = [flag for flag in next(iter(found.values()))[1] if flag.name in every]
    yield from ("", "Every command takes:", "", *_flags(shared))
    yield from ("", "| exit code | means |", "|---|---|", *_exit_codes())
    for name, (about, flags) in found.items():
        own = [flag for flag in flags if flag.name not in every]
        usage = [re.sub(r", -\w\b", "", flag.spelled) for flag in own if flag.argument or flag.default == REQUIRED]
        yield from ("", f"## {name}", "", about, "", "```", " ".join([name, *usage]), "```")
        if own:
            yield from ("", *_flags(own))


class Flag(NamedTuple):
    """An argument or an option of a command."""

    name: str
    argument: bool
    spelled: str  # as it is typed, with a word for its value
    default: str
    help: str


def _commands(group: typer.Typer, name: str) -> Iterator[tuple[str, tuple[str, list[Flag]]]]:
    """What each command of `group` does and takes, by its full name."""
    for command in group.registered_commands:
        body: Any = command.callback
        flags = [_flag(parameter) for parameter in inspect.signature(body).parameters.values()]
        yield f"{name} {command.name}", (" ".join((inspect.getdoc(body) or "").split()), flags)
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from _commands(inner.typer_instance, f"{name} {inner.name}")


def _flag(parameter: inspect.Parameter) -> Flag:
    kind, info = get_args(parameter.annotation)
    argument = isinstance(info, typer.models.ArgumentInfo)
    value = get_args(kind)[0] if isinstance(kind, UnionType) else kind
    repeated = get_origin(value) is list
    word = info.metavar or (parameter.name.upper() if argument else WORDS[get_args(value)[0] if repeated else value])
    word += "..." * (repeated and not word.endswith("..."))
    default = REQUIRED if parameter.default is parameter.empty else parameter.default
    shown = "" if default in (None, False, True) else str(default)
    if argument:
        spelled = word if default == REQUIRED else f"[{word}]"
    else:  # in Annotated, typer takes an option's first name for its default
        names = [str(text) for text in (info.default, *(info.param_decls or ())) if str(text).startswith("-")]
        spelled = ", ".join(names or ["--" + parameter.name.strip("_").replace("_", "-")])
        spelled += f" {word}" if word else ""
    return Flag(parameter.name, argument, spelled, shown, info.help or "")


def _flags(flags: Sequence[Flag]) -> Iterator[str]:
    yield from ("| argument or option | default | |", "|---|---|---|")
    for flag in flags:
        default = flag.default if flag.default in ("", REQUIRED) else f"`{flag.default}`"
        yield _row(f"`{flag.spelled}`", default, flag.help)


def _exit_codes() -> Iterator[str]:
    known: dict[int, list[str]] = {
        0: ["Done."],
        errors.EXIT_BUG: ["A bug of ours: run it again with --debug, and report what it prints."],
        errors.EXIT_INTERRUPTED: ["Interrupted; what is finished is kept, and the same command goes on."],
    }
    kinds = errors.CurateError.__subclasses__()
    for kind in (one for one in kinds if one.__module__ == errors.__name__):  # whatever else happens to be imported
        known.setdefault(kind.code, []).append(inspect.getdoc(kind) or "")
    return (_row(str(code), " ".join(texts)) for code, texts in sorted(known.items()))


def params() -> Iterator[str]:
    """The lines of params.md: a table for each section."""
    yield PARAMS
    done: set[str] = set()
    for name, kind in params_file.sections().items():
        title = re.sub(r"^train\.\w+\.(data|run)\b", r"train.NAME.\1", name)  # the same of all recipes
        if title in done:
            continue
        done.add(title)
        yield from ("", f"## {title}", "", " ".join((inspect.getdoc(kind) or "").split()), "")
        yield from _keys(title, kind)
        if re.fullmatch(r"train\.NAME\.\w+", title):
            yield from _of_recipes(title.rpartition(".")[2])


def _keys(title: str, kind: type[Section]) -> Iterator[str]:
    """A row for each key of the section `title`, group by group, and what follows from single values."""
    defaults, said = as_dict(kind()), params_file.comments(kind)
    info: Any = msgspec.inspect.type_info(kind)
    head = ("| key | value | default | |", "|---|---|---|---|")
    group = ""
    for number, field in enumerate(info.fields):
        heading, _, comment = said[field.name]
        if heading not in ("", group):
            yield from ("", f"{heading}:", "") if number else (f"{heading}:", "")
        if heading not in ("", group) or not number:
            yield from head
        group = heading or group
        words = _kind(field.type, f"{title}.{field.name}")
        yield _row(f"`{field.name}`", words, f"`{_json(defaults[field.name])}`", re.sub(r"\bNone\b", "null", comment))
    follows = [(f"{key}: {value}", brought) for key, cases in kind.FOLLOWS.items() for value, brought in cases.items()]
    for number, (chosen, brought) in enumerate(follows):
        others = ", ".join(f"`{name}: {_json(other)}`" for name, other in brought.items())
        yield from ("",) * (not number)
        yield f"- `{chosen}` brings about {others}, unless they are set."


def _of_recipes(group: str) -> Iterator[str]:
    """The recipes whose defaults in `group` are others."""
    usual = {name: model_section(name).DEFAULTS.get(group, {}) for name in RECIPES}
    for number, (name, own) in enumerate((name, own) for name, own in usual.items() if own):
        yield from ("",) * (not number)
        yield f"- `{name}` has " + ", ".join(f"`{key}: {_json(value)}`" for key, value in own.items()) + "."


def _kind(info: Any, title: str) -> str:
    """What a value may be, in words: its type and its range."""
    kinds = msgspec.inspect
    if isinstance(info, kinds.UnionType):
        inner = [_kind(part, title) for part in info.types if not isinstance(part, kinds.NoneType)]
        return ", or ".join([*inner, "null"] if info.includes_none else inner)
    if isinstance(info, kinds.LiteralType):
        return ", ".join(f"`{value}`" for value in info.values)
    if isinstance(info, kinds.IntType | kinds.FloatType):
        return ("integer" if isinstance(info, kinds.IntType) else "number") + _range(info)
    if isinstance(info, kinds.TupleType):
        return "[" + ", ".join(_kind(part, title) for part in info.item_types) + "]"
    if isinstance(info, kinds.VarTupleType | kinds.ListType):
        return f"list of {_kind(info.item_type, title)}"
    if isinstance(info, kinds.DictType):
        return f"mapping of {_kind(info.key_type, title)} to {_kind(info.value_type, title)}"
    if isinstance(info, kinds.StructType):
        return f"section [{title}](#{title.replace('.', '').lower()})"
    words: Mapping[type, str] = {kinds.BoolType: "true or false", kinds.StrType: "text", kinds.AnyType: "any value"}
    return words[type(info)]


def _range(info: Any) -> str:
    """The range of a number, after a space; "" for any number."""
    bounds = [(">", info.gt), (">=", info.ge), ("<", info.lt), ("<=", info.le)]
    stated = [f"{sign} {bound:g}" for sign, bound in bounds if bound is not None]
    text = f"{info.ge:g} to {info.le:g}" if None not in (info.ge, info.le) else " and ".join(stated)
    step = f", a multiple of {info.multiple_of:g}" if info.multiple_of is not None else ""
    return f" {text}{step}" if text or step else ""


def tables() -> Iterator[str]:
    """The lines of tables.md: every Parquet table and its columns."""
    yield TABLES
    comments = {**_column_comments(schema), **_column_comments(suspects_table)}
    found = [value for value in vars(schema).values() if isinstance(value, schema.Table)] + [suspects_table.SUSPECTS]
    for table in found:
        yield from ("", f"## {table.name}", "")
        path = table.path(Path()).as_posix()
        yield f"`{path}`, version {table.version}, key `{table.key}`, written by `{table.made_by}`."
        yield from ("", "| column | type | null | |", "|---|---|---|---|")
        for column in table.schema:
            null = "yes" if column.nullable else "no"
            yield _row(f"`{column.name}`", _arrow(column.type), null, comments.get((table.name, column.name), ""))


def _arrow(kind: Any) -> str:
    return re.sub(r"<(?:item|element): ", "<", str(kind))


def _column_comments(module: ModuleType) -> dict[tuple[str, str], str]:
    """What stands beside each column in the source of `module`, by table and column."""
    text = inspect.getsource(module)
    beside: dict[int, str] = {
        token.start[0]: re.sub(r"^#+\s*", "", token.string)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    found: dict[tuple[str, str], str] = {}
    for table in ast.walk(ast.parse(text)):
        if not isinstance(table, ast.Call) or ast.unparse(table.func) != "Table":
            continue
        name = ast.literal_eval(table.args[0])
        for node in ast.walk(table):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"pa.field", "_needed"}:
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                said = " ".join(beside[line] for line in lines if line in beside)
                found[name, ast.literal_eval(node.args[0])] = said
    return found


def reasons() -> Iterator[str]:
    """The lines of reasons.md: why a row of each table is rejected."""
    yield WHY
    for table in schema.TABLES.values():
        stage = table.made_by.rpartition(" ")[2]
        yield from ("", f"## {table.name}", "", f"Given by `{table.made_by}`, {STAGES[stage]}.", "")
        yield from ("| reason | what happened |", "|---|---|")
        order = list(REASONS[stage])
        for reason in sorted(table.reasons - {schema.OK}, key=order.index):
            yield _row(f"`{reason}`", REASONS[stage][reason])


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").strip() for cell in cells) + " |"


def _json(value: Any) -> str:
    """A value as YAML takes it on one line."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def main(made: Mapping[Path, str]) -> None:
    """Writes the pages."""
    for path, text in made.items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main(pages())
