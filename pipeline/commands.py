"""The commands of the data half. Each body imports its verb, so that starting costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.console import Console

Root = Annotated[Path, typer.Option("--root", help="Where raw/ processed/ manifests/ params.yaml stand.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print more.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
HERE = Path()


def register(app: typer.Typer) -> None:
    """Adds every data command to `app`."""
    for command in (scrape, crop, dedup, pairs, build, stats):
        app.command()(command)


def scrape(
    query: Annotated[list[str] | None, typer.Option(help="What to look for, in any script; repeatable.")] = None,
    source: Annotated[str | None, typer.Option(help="Where to look: openverse, html, urls, folder.")] = None,
    domain: Annotated[str | None, typer.Option(help="The domain that the images belong to.")] = None,
    site: Annotated[str | None, typer.Option(help="Source html: the site file.")] = None,
    input: Annotated[str | None, typer.Option(help="Sources urls and folder: the list or folder.")] = None,  # noqa: A002
    base_url: Annotated[str | None, typer.Option(help="Another host that answers like the source's.")] = None,
    want: Annotated[int | None, typer.Option(help="Accepted images to stop at, per query.")] = None,
    limit: Annotated[int | None, typer.Option(help="Candidates to stop at, per query.")] = None,
    contact: Annotated[str | None, typer.Option(help="Your mail or URL, shown to the sites you ask.")] = None,
    allow_net: Annotated[list[str] | None, typer.Option(help="HOST[:PORT] beyond the public web.")] = None,
    allow_unknown_license: Annotated[bool | None, typer.Option("--allow-unknown-license")] = None,
    min_side: Annotated[int | None, typer.Option(help="Px, the shorter side of an accepted image.")] = None,
    root: Root = HERE,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Find images and download them, politely; every candidate gets a row in manifests/images.parquet."""
    from pipeline import scrape as verb
    from pipeline.params import Query, Scrape, load, override

    section = load(root).section("scrape", Scrape)
    one = {"source": source, "domain": domain, "site": site, "input": input, "base_url": base_url}
    if query or any(one.values()):
        searches = tuple(override(Query(), "scrape.queries", query=q, **one) for q in query or [None])
        section = override(section, "scrape", queries=searches)
    section = override(
        section,
        "scrape",
        want=want,
        limit=limit,
        contact=contact,
        allow_unknown_license=allow_unknown_license,
        min_side=min_side,
    )
    console = Console(quiet=quiet, verbose=verbose, as_json=json)
    console.result(summary := verb.run(section, root, allow=tuple(allow_net or ()), progress=console.progress),
                   _counted(summary))


def crop() -> None: ...
def dedup() -> None: ...
def pairs() -> None: ...
def build() -> None: ...
def stats() -> None: ...


def _counted(summary: Any) -> str:
    refused = "".join(f"\n  {count:6} {reason}" for reason, count in summary.reasons.items())
    return f"{summary.table}: {summary.accepted} of {summary.rows} accepted{refused}"
