"""The shape that every command shares: where it works, how loudly it speaks, how flags override params.yaml."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from curate.pipeline.cli.console import Console
from curate.pipeline.core import scraps
from curate.pipeline.core.at_work import waiting
from curate.pipeline.core.config import Params, S, load, override
from curate.pipeline.core.confined_path import refuse_project_links_out

if TYPE_CHECKING:
    from curate.pipeline.tables.manifest import Summary


@dataclass(frozen=True)
class Context:
    """What every command is handed first: its folder, its voice and its params."""

    root: Path
    console: Console

    @cached_property
    def params(self) -> Params:
        """root/params.yaml, or every default."""
        return load(self.root)

    def section(self, name: str, kind: type[S], **flags: Any) -> S:
        """The section `name`, with the flags that were given on the command line."""
        return override(self.params.section(name, kind), name, **flags)

    def note_stale(self, *tables: str) -> None:
        """A line on stderr when one of `tables`, by name, is older than what it was made from, and what to type."""
        if self.console.quiet or self.console.as_json:
            return
        from curate.pipeline.tables import manifest, provenance

        if line := provenance.freshness(self.root, [manifest.TABLES[name] for name in tables]).text():
            self.console.progress.note(f"note: {line}")


_SHARED = {
    "root": (
        Path,
        typer.Option("--root", help="The folder of raw/ processed/ manifests/ params.yaml."),
        Path(),
    ),
    "json": (bool, typer.Option("--json", help="Print the result as one JSON document."), False),
    "quiet": (bool, typer.Option("--quiet", "-q", help="Print nothing but errors."), False),
    "verbose": (bool, typer.Option("--verbose", "-v", help="Print every refusal, too."), False),
    "debug": (bool, typer.Option("--debug", help="Show the traceback of an error."), False),
}


def spelled_out(arguments: list[str]) -> list[str]:
    """`arguments` with --retry-failed alone as --retry-failed=all: typer knows no values that may be left out."""
    return [f"{word}=all" if word == "--retry-failed" else word for word in arguments]


_WAIT = {
    "wait": (bool, typer.Option("--wait", help="For others that are at work there, instead of being refused."), False)
}


def add_command(app: typer.Typer, body: Callable[..., None], *, waits: bool = False) -> None:
    """Makes `body(context, ...)` a command of `app`: its own options, then those that every command has.

    One that `waits` may be told to wait for others.
    """
    common = {**(_WAIT if waits else {}), **_SHARED}
    hints = get_type_hints(body, include_extras=True)
    first, *own = inspect.signature(body).parameters.values()
    parameters = [p.replace(annotation=hints[p.name]) for p in own] + [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])
        for name, (kind, option, default) in common.items()
    ]
    del first  # the context is ours to build, not an option

    def command(**given: Any) -> None:
        shared = {name: given.pop(name) for name in common}
        console = Console(quiet=shared["quiet"], verbose=shared["verbose"], as_json=shared["json"])
        refuse_project_links_out(shared["root"])
        _sweep(shared["root"])
        with waiting(console.progress.note) if shared.get("wait") else nullcontext():
            body(Context(shared["root"], console), **given)

    command.__doc__ = body.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    brief = re.split(r"[;:.](?!\w)", body.__doc__ or "", maxsplit=1)[0]  # as much as a line of `curate --help` holds
    app.command(body.__name__.rstrip("_"), short_help=" ".join(brief.split()))(command)


def _sweep(root: Path) -> None:
    """Deletes what killed writers left below `root`. Pictures are very many: who writes one sweeps its folder."""
    scraps.sweep(root)
    scraps.sweep_below(root / "manifests")
    scraps.sweep_below(root / "processed", spared=("crops", "pairs"))


def show_summary(context: Context, summary: Summary) -> None:
    """Shows what a stage did: counts, the reasons of refusals, and with -v each refused row."""
    refused = "".join(f"\n  {count:6} {reason}" for reason, count in summary.reasons.items())
    context.console.result(summary, f"{summary.table}: {summary.accepted} of {summary.rows} accepted{refused}")
    if context.console.verbose:
        context.console.say(_refusals(context, summary))


def _refusals(context: Context, summary: Summary) -> str:
    from curate.pipeline.tables import manifest

    table = manifest.TABLES[summary.table]
    if not table.reasons:
        return ""
    rows: list[dict[str, Any]] = manifest.read(table, context.root).to_pylist()
    where = [c for c in ("image_url", "file", "source_path", "group_id", "extra") if c in table.schema.names]
    return "\n".join(
        f"  {row['reason']}: {next((row[c] for c in where if row[c]), row[table.key])}"
        for row in rows
        if row["status"] == manifest.REJECTED
    )
