"""The commands by which a person decides on single items: the review page, keep, reject."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from curate.pipeline.cli.context import Context

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
) -> None:
    """Look at crops or pairs on a page, by keyboard, and decide: a decision is on the disk before the next picture."""
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


def keep(context: Context, ids: Ids, by: By = None) -> None:
    """Say that these are right: no command takes them out."""
    _decide(context, ids, "keep", "", by)


def reject(
    context: Context,
    ids: Ids,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, in your own words.")] = "",
    by: By = None,
) -> None:
    """Take these out of training, from the next curate build on."""
    _decide(context, ids, "reject", reason, by)


def _decide(context: Context, ids: list[str], decision: Literal["keep", "reject"], reason: str, by: str | None) -> None:
    from curate.pipeline.review import verdicts

    who = verdicts.person(by) if by else verdicts.whoever()
    done = verdicts.decide(context.root, ids, decision, reason=reason, by=who)
    verb = {"keep": "kept", "reject": "rejected"}[decision]
    context.console.result({verb: done}, "\n".join([*(f"{verb} {item}" for item in done), "next: curate build"]))


JUDGING = (review, keep, reject)
