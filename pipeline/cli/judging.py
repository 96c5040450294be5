"""The commands by which a person decides on single items: the review page, keep, reject, undecide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from curate.pipeline.cli.context import Context
from curate.pipeline.core.errors import UsageError

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Of crops, pairs or photos; 8 letters are enough.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who decides; the user's name without it.")]


def review(
    context: Context,
    by: By = None,
    port: Annotated[int | None, typer.Option(help="Of 127.0.0.1; the first free one from 8765 without it.")] = None,
    reasons: Annotated[
        list[str] | None,
        typer.Option("--reason", metavar="TEXT", help="To reject by, on the keys 1 to 9; repeatable."),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For a second person, who does not see your decisions; no page is shown."),
    ] = None,
    import_: Annotated[
        Path | None,
        typer.Option("--import", metavar="FOLDER", help="Take a second person's decisions; how far do you agree?"),
    ] = None,
    domain: Annotated[list[str] | None, typer.Option(metavar="NAME", help="That --export takes; repeatable.")] = None,
) -> None:
    """Look at crops or pairs on a page, by keyboard, and decide: a decision is on the disk before the next picture."""
    if export or import_:
        _second_opinion(context, export, import_, domain, by)
        return
    if domain:
        raise UsageError("--domain: chooses what to export", "leave it out, or add --export FOLDER")
    from curate.pipeline.review import routes, verdicts
    from curate.pipeline.review.session import ReviewSession
    from curate.pipeline.web import loopback

    session = ReviewSession(context.root, verdicts.person(by) if by else verdicts.whoever())
    for kind in session.kinds:
        context.note_stale("pairs" if kind == "pairs" else "dedup")
    session.prepare()
    token = loopback.new_token()
    listening = loopback.listen(port)
    page = routes.page(session, {kind: reasons or verdicts.REASONS[kind] for kind in session.kinds}, token)
    told = f"review: {loopback.address(listening, token)}   (for this machine alone; Ctrl-C ends it)"
    loopback.run(page, listening, lambda: context.console.say(told))
    context.console.say("\nwhat was decided counts from the next build on: curate build, or dvc repro")


def _second_opinion(
    context: Context, export: Path | None, import_: Path | None, domain: list[str] | None, by: str | None
) -> None:
    from curate.pipeline.review import second_opinion, verdicts

    if export and import_:
        raise UsageError("--export and --import: one at a time", "leave one of them out")
    if import_:
        if domain:
            raise UsageError("--domain: no effect with --import", "leave it out")
        found = second_opinion.take(context.root, import_, by=verdicts.person(by) if by else None)
        context.console.result(found, second_opinion.text(found))
    elif export:
        done = second_opinion.export(context.root, export, domains=domain or (), progress=context.console.progress)
        told = ", ".join(f"{count:,} {kind}" for kind, count in done.items.items())
        lines = [
            f"{told} in {export}, without photos and decisions",
            f"hand it on; there: curate review --root {export} --by NAME",
            f"then here: curate review --import {export}",
        ]
        context.console.result(done, "\n".join(lines))


def keep(context: Context, ids: Ids, by: By = None) -> None:
    """Say that crops, pairs or photos are right: no command takes them out."""
    _decide(context, ids, "keep", "", by)


def reject(
    context: Context,
    ids: Ids,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, in your own words.")] = "",
    by: By = None,
) -> None:
    """Take crops, pairs or photos out of training: from the next curate build on."""
    _decide(context, ids, "reject", reason, by)


def undecide(context: Context, ids: Ids, by: By = None) -> None:
    """Take back your newest decision on crops, pairs or photos: what was said before it holds again."""
    from curate.pipeline.review import verdicts

    done = verdicts.undecide(context.root, ids, by=verdicts.person(by) if by else verdicts.whoever())
    lines = [
        f"{one.item}: {one.decision} taken back" + (f"; {one.holds} holds, by {one.by}" if one.holds else "")
        for one in done
    ]
    context.console.result({"undecided": done}, "\n".join([*lines, "next: curate build"]))


def _decide(context: Context, ids: list[str], decision: Literal["keep", "reject"], reason: str, by: str | None) -> None:
    from curate.pipeline.review import verdicts

    who = verdicts.person(by) if by else verdicts.whoever()
    done = verdicts.decide(context.root, ids, decision, reason=reason, by=who)
    verb = {"keep": "kept", "reject": "rejected"}[decision]
    context.console.result({verb: done}, "\n".join([*(f"{verb} {item}" for item in done), "next: curate build"]))


JUDGING = (review, keep, reject, undecide)
