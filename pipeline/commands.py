"""The commands of the data half. Each body imports its verb, so that starting costs nothing."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import cli
from pipeline.cli import House
from pipeline.params import Build, Crop, Dedup, Engine, Pairs, Query, Scrape, Section, Stats, override

if TYPE_CHECKING:
    from pipeline.manifest import Summary

Workers = Annotated[int | None, typer.Option(help="Processes; 0 for one per core.")]


def register(app: typer.Typer) -> None:
    """Adds every data command to `app`."""
    for body in (init, doctor, sources, scrape, crop, dedup, pairs, build, stats, demo):
        cli.add(app, body)


def init(
    house: House,
    preset: Annotated[str, typer.Argument(help="hair icon swimwear selfie2anime smile demo")] = "demo",
    force: Annotated[bool, typer.Option("--force", help="Overwrite a params.yaml that is there.")] = False,
) -> None:
    """Write a preset's params.yaml and make the folders."""
    from pipeline import presets

    written = presets.write(preset, house.root, force=force)
    house.console.result(
        {"preset": preset, "written": [str(path) for path in written]},
        "\n".join(f"wrote {path}" for path in written) + "\nnext: read params.yaml, then: curate scrape",
    )


def doctor(house: House) -> None:
    """Check packages, models, GPU, DVC and write access, and say how to mend each."""
    from pipeline import doctor as verb

    checks = verb.run(house.root)
    house.console.result(checks, verb.text(checks))
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(2)


def sources(house: House) -> None:
    """List where pictures come from: terms, key, limits and an example of each source."""
    from pipeline.sources import catalogue

    rows = catalogue.listed()
    house.console.result(rows, catalogue.text(rows))


def scrape(
    house: House,
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
    allow_unknown_license: Annotated[
        bool | None, typer.Option("--allow-unknown-license", help="Accept found images without a stated licence.")
    ] = None,
    allow_scrape_source: Annotated[
        bool | None, typer.Option("--allow-scrape-source", help="Ask search engines, whose terms forbid it.")
    ] = None,
    allow_net: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST[:PORT]", help="Or CIDR; beyond the public web; repeatable."),
    ] = None,
) -> None:
    """Find images and download them, politely; each candidate gets a row in manifests/images.parquet."""
    from pipeline import scrape as verb

    section = house.section(
        "scrape",
        Scrape,
        want=want,
        limit=limit,
        contact=contact,
        min_side=min_side,
        allow_unknown_license=allow_unknown_license,
        allow_scrape_source=allow_scrape_source,
    )
    asked = {"every": every, "source": source, "domain": domain, "site": site, "input": input_, "base_url": base_url}
    if query or any(asked.values()):
        searches = [override(Query(), "scrape.queries", query=text, **asked) for text in query or (None,)]
        section = override(section, "scrape", queries=searches)
    with contextlib.ExitStack() as stack:
        dial: dict[str, tuple[str, int]] = {}
        if section.demo is not None:
            from pipeline.demo import serve

            dial = dict(stack.enter_context(serve(section.demo)).dial)
        summary = verb.run(
            section, house.root, allow=tuple(allow_net or ()), dial=dial, progress=house.console.progress
        )
    _finish(house, summary)


def crop(
    house: House,
    detector: Annotated[str | None, typer.Option(help="haar for photos, anime for drawings.")] = None,
    align: Annotated[str | None, typer.Option(help="auto, ffhq, box or none.")] = None,
    size: Annotated[int | None, typer.Option(help="Px, side of the crops.")] = None,
    rotate: Annotated[float | None, typer.Option(help="Degrees, counter-clockwise; align box.")] = None,
    margin: Annotated[float | None, typer.Option(help="Box sides added on each side; align box.")] = None,
    faces: Annotated[str | None, typer.Option(help="largest, all or single.")] = None,
    min_face: Annotated[int | None, typer.Option(help="Px in the raw image, side of the face box.")] = None,
    workers: Workers = None,
) -> None:
    """Find, align and measure faces; each one gets a row in manifests/crops.parquet."""
    from pipeline import crop as verb

    flags = {
        "detector": detector,
        "align": align,
        "size": size,
        "rotate": rotate,
        "margin": margin,
        "faces": faces,
        "min_face": min_face,
    }
    section = house.section("crop", Crop)
    given = {key for key, value in flags.items() if value is not None}
    domains = {
        name: {key: value for key, value in own.items() if key not in given} for name, own in section.domains.items()
    }
    section = override(section, "crop", domains=domains, **flags)
    _run(house, verb, section, workers)


def dedup(
    house: House,
    radius: Annotated[int | None, typer.Option(help="Bits of 64 in which copies may differ.")] = None,
    workers: Workers = None,
) -> None:
    """Find copies of one picture and keep the best of them."""
    from pipeline import dedup as verb

    section = house.section("dedup", Dedup, radius=radius)
    _run(house, verb, section, workers)


def pairs(
    house: House,
    size: Annotated[int | None, typer.Option(help="Px, side of the letterboxed pictures.")] = None,
    workers: Workers = None,
) -> None:
    """Make Article/Human pairs from the pictures of each product."""
    from pipeline import pairs as verb

    section = house.section("pairs", Pairs, size=size)
    _run(house, verb, section, workers)


def build(house: House) -> None:
    """Choose what trains and split it: manifests/dataset.parquet."""
    from pipeline import build as verb

    section = house.section("build", Build)
    _finish(house, verb.run(section, house.root, progress=house.console.progress))


def stats(
    house: House,
    html: Annotated[bool, typer.Option("--html", help="Write processed/report/index.html, too.")] = False,
) -> None:
    """Show the funnel from found to trained, with the reason for every loss."""
    from pipeline import stats as verb

    funnel = verb.funnel(house.root)
    house.console.result(funnel, verb.text(funnel))
    if html:
        from pipeline import report

        page = report.write(house.section("stats", Stats), house.root, progress=house.console.progress)
        house.console.say(f"\nreport: {page}")


def demo(
    house: House,
    portraits: Annotated[int | None, typer.Option(help="Portraits per hair length.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, other people.")] = None,
) -> None:
    """Serve the drawn demo world as a web site on this machine, to look at it or to try scraping."""
    from pipeline.demo import serve
    from pipeline.params import Demo

    section = house.section("scrape", Scrape).demo or Demo()
    with serve(override(section, "scrape.demo", portraits=portraits, seed=seed)) as site:
        house.console.say(f"the demo world is at {site.url}   (Ctrl-C ends it)")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


def _run(house: House, verb: Any, section: Section, workers: int | None) -> None:
    """Runs a verb that works on batches, and shows what it did."""
    engine = house.section("engine", Engine, workers=workers)
    _finish(house, verb.run(section, house.root, engine=engine, progress=house.console.progress))


def _finish(house: House, summary: Summary) -> None:
    refused = "".join(f"\n  {count:6} {reason}" for reason, count in summary.reasons.items())
    house.console.result(summary, f"{summary.table}: {summary.accepted} of {summary.rows} accepted{refused}")
    if house.console.verbose:
        house.console.say(_refusals(house, summary))


def _refusals(house: House, summary: Summary) -> str:
    from pipeline import manifest

    table = manifest.TABLES[summary.table]
    if not table.reasons:
        return ""
    rows: list[dict[str, Any]] = manifest.read(table, house.root).to_pylist()
    where = [c for c in ("image_url", "source_path", "group_id") if c in table.schema.names]
    return "\n".join(
        f"  {row['reason']}: {next((row[c] for c in where if row[c]), row[table.key])}"
        for row in rows
        if row["status"] == manifest.REJECTED
    )
