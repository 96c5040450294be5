"""The commands of choosing: looking at crops in order, taking the best, handing the set to others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate.pipeline.cli.context import Context
from curate.pipeline.core.errors import UsageError
from curate.pipeline.export.config import Export
from curate.pipeline.review.config import Select

Domains = Annotated[list[str] | None, typer.Option("--domain", metavar="NAME", help="Repeatable; all without it.")]


def sort(
    context: Context,
    by: Annotated[str, typer.Option(help="yaw, pitch, alike, least-alike, hue, face_sharpness, or another column.")],
    domain: Domains = None,
    status: Annotated[str, typer.Option(help="accepted, rejected or all.")] = "accepted",
    reverse: Annotated[bool, typer.Option("--reverse", help="The highest first.")] = False,
    top: Annotated[int | None, typer.Option(min=1, help="Rows on the list and on the sheet.")] = None,
) -> None:
    """Show crops in order of a measure: a contact sheet and a list. Nothing is renamed, moved or deleted."""
    from curate.pipeline.pages import contact_sheet
    from curate.pipeline.review import sort

    context.note_stale("dedup")
    wish = sort.SortQuery(by, tuple(domain or ()), status, reverse, top)
    view = sort.run(wish, context.root, progress=context.console.progress)
    context.console.result(view, contact_sheet.text(view))


def list_(
    context: Context,
    what: Annotated[str, typer.Argument(metavar="no-face|several", help="Photos without a face, or with several.")],
    domain: Domains = None,
    decided: Annotated[bool, typer.Option("--decided", help="Those that were decided on, too.")] = False,
) -> None:
    """Show the photos that wait for a person: those without a face, or with several, framed."""
    from curate.pipeline.pages import contact_sheet
    from curate.pipeline.review import listing

    context.note_stale("crops")
    progress = context.console.progress
    view = listing.run(what, context.root, domains=domain or (), decided_too=decided, progress=progress)
    context.console.result(view, contact_sheet.text(view))


def select(
    context: Context,
    keep: Annotated[int | None, typer.Option(help="Crops per domain.")] = None,
    domain: Domains = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=LOW..HIGH", help="Only crops with that value of a sort key; repeatable."),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take back what select decided; nothing else.")] = False,
) -> None:
    """Keep the best crops of each domain, even over poses: decisions in manifests/review.jsonl, for curate build."""
    from curate.pipeline.review import select

    if undo:
        count = select.undo(context.root, domain or ())
        context.console.result({"undone": count}, f"{count} decisions taken back\nnext: curate build")
        return
    context.note_stale("dedup")
    section = context.section("select", Select, keep=keep, only=_ranges(only) if only else None)
    choices = select.run(section, context.root, domains=domain or (), progress=context.console.progress)
    context.console.result(choices, select.text(choices))


def _ranges(texts: list[str]) -> dict[str, tuple[float, float]]:
    """What --only says: {key: (lowest, highest)}. Raises UsageError."""
    found = {}
    for text in texts:
        key, _, values = text.partition("=")
        try:
            low, high = (float(value) for value in values.split(".."))
        except ValueError:
            raise UsageError(f"--only {text}: not KEY=LOW..HIGH", "for example: --only hair_hue=190..260") from None
        found[key] = (low, high)
    return found


def export(
    context: Context,
    to: Annotated[str, typer.Option(help="folders, webdataset, stylegan-zip, huggingface or viton-hd.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder, or one exported to before.")],
    domain: Domains = None,
    pairs: Annotated[bool, typer.Option("--pairs", help="Article/Human pairs instead of crops.")] = False,
    size: Annotated[int | None, typer.Option(help="Px, side of the pictures; as they are without it.")] = None,
    shard: Annotated[int | None, typer.Option(help="Samples per shard of a WebDataset.")] = None,
    link: Annotated[bool | None, typer.Option("--link", help="Hard links instead of copies.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over what was put into the folder since.")] = False,
) -> None:
    """Write what trains in another trainer's layout: with its licences and credits."""
    from curate.pipeline.export import stage
    from curate.pipeline.export.layouts import OF_PAIRS

    readers = {"--shard": (shard, ["webdataset"]), "--link": (link, ["folders", "huggingface"])}
    for option, (given, layouts) in readers.items():
        if given is not None and to not in layouts:
            raise UsageError(f"{option}: no effect with --to {to}", f"leave it out, or: --to {' or '.join(layouts)}")
    context.note_stale("pairs" if pairs or to in OF_PAIRS else "dataset")
    section = context.section("export", Export, size=size, shard=shard, link=link)
    progress = context.console.progress
    done = stage.run(to, section, context.root, out, domains=domain or (), pairs=pairs, force=force, progress=progress)
    context.console.result(done, stage.text(done))


CHOOSING = (sort, list_, select, export)
