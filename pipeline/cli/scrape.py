"""The commands around scraping: finding, looking first, crediting, forgetting."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curate.pipeline.cli.context import Context, show_summary
from curate.pipeline.core.config import override
from curate.pipeline.core.errors import BlockedError, UsageError
from curate.pipeline.scrape.config import Query, Scrape

if TYPE_CHECKING:
    from curate.pipeline.scrape.preview import SearchPreview
    from curate.pipeline.scrape.revisit import Revisit


# The switches of `curate scrape`.
_License = Annotated[
    list[str] | None,
    typer.Option("--license", metavar="NAME", help="Permit it instead of the usual ones, like by-nc; repeatable."),
]
_Animated = Annotated[str | None, typer.Option(help="Animations: reject, or first for their first frame.")]
_AllowDataUrls = Annotated[
    bool | None, typer.Option("--allow-data-urls", help="Take pictures that a list holds as data: URLs.")
]
_AllowUnknown = Annotated[
    bool | None, typer.Option("--allow-unknown-license", help="Accept found images without a stated licence.")
]
_AllowScrape = Annotated[
    bool | None, typer.Option("--allow-scrape-source", help="Ask search engines, whose terms forbid it.")
]
_AllowNet = Annotated[
    list[str] | None,
    typer.Option(metavar="HOST[:PORT]", help="Or CIDR; beyond the public web; repeatable."),
]
_Refresh = Annotated[
    bool, typer.Option("--refresh", help="Ask whether the stored images have changed, and fetch those.")
]
_Retry = Annotated[
    list[str] | None,
    typer.Option(metavar="[=REASON]", help="Try failures again: those that may pass, or of one reason."),
]
_AcceptFewer = Annotated[
    bool, typer.Option("--accept-fewer", help="Fewer images than wanted are no failure; a domain without any is.")
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be found and what each selector matched.")]


def sources(context: Context) -> None:
    """List where pictures come from: terms, key, limits and an example of each source."""
    from curate.pipeline.scrape.sources import overview

    rows = overview.listed()
    context.console.result(rows, overview.text(rows))


def scrape(
    context: Context,
    query: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="What to look for; repeatable.")] = None,
    source: Annotated[str | None, typer.Option(help="Where to look; see: curate sources.")] = None,
    domain: Annotated[str | None, typer.Option(help="The domain that the images belong to.")] = None,
    site: Annotated[str | None, typer.Option(help="Source html: the site file.")] = None,
    input_: Annotated[str | None, typer.Option("--input", help="Sources urls, folder, video: where it is.")] = None,
    base_url: Annotated[str | None, typer.Option(help="A host that answers like the source's.")] = None,
    every: Annotated[float | None, typer.Option(help="Source video: seconds between frames.")] = None,
    want: Annotated[int | None, typer.Option(help="Accepted images to stop at, per query.")] = None,
    limit: Annotated[int | None, typer.Option(help="Candidates to stop at, per query.")] = None,
    contact: Annotated[str | None, typer.Option(help="Your mail or URL, shown to the sites you ask.")] = None,
    min_side: Annotated[int | None, typer.Option(help="Px, the shorter side of an accepted image.")] = None,
    license_: _License = None,
    animated: _Animated = None,
    allow_data_urls: _AllowDataUrls = None,
    allow_unknown_license: _AllowUnknown = None,
    allow_scrape_source: _AllowScrape = None,
    allow_net: _AllowNet = None,
    refresh: _Refresh = False,
    retry_failed: _Retry = None,
    accept_fewer: _AcceptFewer = False,
    dry_run: _DryRun = False,
) -> None:
    """Find images and download them, politely; each candidate gets a row in manifests/images.parquet."""
    from curate.pipeline.scrape.revisit import Revisit, retried

    if dry_run and (refresh or retry_failed):
        idle = "--refresh" if refresh else "--retry-failed"
        raise UsageError(f"{idle}: no effect with --dry-run", "leave out one or the other")
    section = context.section(
        "scrape",
        Scrape,
        want=want,
        limit=limit,
        contact=contact,
        min_side=min_side,
        licenses=license_ or None,
        animated=animated,
        allow_data_urls=allow_data_urls,
        allow_unknown_license=allow_unknown_license,
        allow_scrape_source=allow_scrape_source,
    )
    # What is typed is meant from where one stands; in params.yaml, from where that is.
    paths = {"site": site and os.path.abspath(site), "input": input_ and os.path.abspath(input_)}  # noqa: PTH100
    given = {"every": every, "source": source, "domain": domain, "base_url": base_url, **paths}
    if query or any(given.values()):
        searches = [override(Query(), "scrape.queries", query=text, **given) for text in query or (None,)]
        section = override(section, "scrape", queries=searches)
    if not section.contact and (known := _contact(context, section)):
        section = override(section, "scrape", contact=known)
    revisit = Revisit(refresh, retried(retry_failed or ()))
    with _network(context, section, tuple(allow_net or ())) as net:
        if dry_run:
            _preview(context, section, net)
        else:
            _collect(context, section, revisit, accept_fewer, net)


def _contact(context: Context, section: Scrape) -> str | None:
    """The user's own from an earlier answer; asked for once, and kept, where a source answers nobody without."""
    from curate.pipeline.scrape.plan import demanding
    from curate.pipeline.scrape.sources import LOCAL
    from curate.pipeline.scrape.web import contact

    if all(query.source in LOCAL for query in section.queries):
        return None
    if (known := contact.kept()) is not None or not (names := demanding(section)):
        return known
    question = f"{', '.join(names)} must be told who asks. Your mail address or URL (Enter: skip it):"
    while answer := context.console.ask(question):
        try:
            where = contact.keep(contact.checked(answer))
        except UsageError as error:
            question = f"{error.message}. Once more (Enter: skip it):"
            continue
        context.console.progress.note(f"kept in {where}")
        return answer.strip()
    return None


@contextlib.contextmanager
def _network(context: Context, section: Scrape, allow: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """What may be dialled beyond the public web; the demo's world is served meanwhile."""
    with contextlib.ExitStack() as stack:
        dial: dict[str, tuple[str, int]] = {}
        if section.demo is not None:
            from curate.pipeline.demo.server import serve

            dial = dict(stack.enter_context(serve(section.demo)).dial)
        yield {"allow": allow, "dial": dial, "progress": context.console.progress}


def _preview(context: Context, section: Scrape, net: dict[str, Any]) -> None:
    from curate.pipeline.scrape import stage

    found = stage.previews(section, context.root, **net)
    context.console.result(found, "\n".join(_shown(one) for one in found))
    if found and all(one.broken and not one.candidates for one in found):
        raise BlockedError("; ".join(dict.fromkeys(str(one.broken) for one in found)), "nothing could be looked at")


def _collect(context: Context, section: Scrape, revisit: Revisit, accept_fewer: bool, net: dict[str, Any]) -> None:
    from curate.pipeline.scrape import stage, summary

    done = stage.run(section, context.root, revisit=revisit, accept_fewer=accept_fewer, **net)
    show_summary(context, done)
    context.console.say(summary.text(done))


def credits_(context: Context) -> None:
    """Write who made the pictures: processed/credits/ATTRIBUTION.csv and a page to publish."""
    from curate.pipeline.stats import credits as attribution

    done = attribution.run(context.root)
    context.console.result(done, f"{done.pictures} pictures by {done.creators} creators\n  {done.table}\n  {done.page}")


def forget(
    context: Context,
    what: Annotated[str, typer.Argument(metavar="URL|SHA256|CREATOR", help="What is to go, and never come back.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go; remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first, as it does on a terminal.")] = False,
) -> None:
    """Remove an item everywhere: files, tables, crops, pairs; and never fetch it again."""
    from curate.pipeline.scrape import forget

    if dry_run or not yes:
        ahead = forget.preview(what, context.root)
        if dry_run:
            context.console.result(ahead, forget.text(ahead, ahead=True))
            return
        if not context.console.agreed(forget.text(ahead, ahead=True)):
            context.console.say("nothing was removed")
            return
    done = forget.run(what, context.root)
    context.console.result(done, forget.text(done))


def _shown(found: SearchPreview) -> str:
    """A dry run for a terminal."""
    lines = [f"{found.query['source']}: {found.query['query'] or ''}".rstrip(": ")]
    page: str | None = None
    for match in found.matches:
        if match.page != page:
            page = match.page
            lines.append(f"  {page}")
        first = f"   first: {match.first[:80]}" if match.first else ""
        lines.append(f"    {match.count:4} x {match.key}: {match.selector}{first}")
    lines.append(f"  {len(found.candidates)} candidates looked at")
    for one in found.candidates:
        facts = [one[name] for name in ("role", "title", "license", "refused") if one[name]]
        lines.append(f"    {one['address']}  {' | '.join(facts)}")
    if found.broken:
        lines.append(f"  no further: {found.broken}")
    return "\n".join(lines)
