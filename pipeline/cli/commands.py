"""The commands of the data half. Each body imports its verb, so that starting costs nothing."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from curate.pipeline.build.config import Build
from curate.pipeline.cli import context
from curate.pipeline.cli.context import House
from curate.pipeline.cli.review import CHOOSING
from curate.pipeline.cli.scrape import credits_, forget, scrape, sources
from curate.pipeline.core.config import Section, override
from curate.pipeline.core.errors import UsageError, nearest
from curate.pipeline.core.parallel import Engine
from curate.pipeline.crop.config import Crop
from curate.pipeline.dedup.config import Dedup
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.scrape.config import Scrape
from curate.pipeline.stats.config import Stats

Workers = Annotated[int | None, typer.Option(help="Processes; 0 for one per core.")]


def register(app: typer.Typer) -> None:
    """Adds every data command to `app`."""
    data = (init, doctor, sources, scrape, credits_, forget, crop, models, dedup, pairs, build, stats, demo)
    for body in (*data, *CHOOSING):
        context.add(app, body)


def init(
    house: House,
    preset: Annotated[str, typer.Argument(help="hair icon swimwear selfie2anime smile demo")] = "demo",
    force: Annotated[bool, typer.Option("--force", help="Overwrite a params.yaml that is there.")] = False,
) -> None:
    """Write a preset's params.yaml and make the folders."""
    from curate.pipeline.cli import presets

    written = presets.write(preset, house.root, force=force)
    house.console.result(
        {"preset": preset, "written": [str(path) for path in written]},
        "\n".join(f"wrote {path}" for path in written) + "\nnext: read params.yaml, then: curate scrape",
    )


def doctor(house: House) -> None:
    """Check packages, models, GPU, DVC and write access, and say how to mend each."""
    from curate.pipeline.cli import doctor as verb

    checks = verb.run(house.root)
    house.console.result(checks, verb.text(checks))
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(2)


def crop(
    house: House,
    detector: Annotated[str | None, typer.Option(help="haar, hog, cnn, yunet, anime; haar+hog must agree.")] = None,
    align: Annotated[str | None, typer.Option(help="auto, ffhq, box or none.")] = None,
    framing: Annotated[str | None, typer.Option(help="face, ffhq, head, bust or person.")] = None,
    scale: Annotated[float | None, typer.Option(help="Zooms out from the framing.")] = None,
    shift_y: Annotated[float | None, typer.Option(help="Moves the framing down, in its sides.")] = None,
    size: Annotated[int | None, typer.Option(help="Px, side of the crops.")] = None,
    rotate: Annotated[float | None, typer.Option(help="Degrees, counter-clockwise; align box.")] = None,
    margin: Annotated[float | None, typer.Option(help="Box sides added on each side; align box.")] = None,
    faces: Annotated[str | None, typer.Option(help="largest, all or single.")] = None,
    min_face: Annotated[int | None, typer.Option(help="Px in the raw image, side of the face box.")] = None,
    workers: Workers = None,
) -> None:
    """Find, align and measure faces; each one gets a row in manifests/crops.parquet."""
    from curate.pipeline.crop import stage as verb

    flags = {
        "detector": detector,
        "align": align,
        "framing": framing,
        "scale": scale,
        "shift_y": shift_y,
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


def models(
    house: House,
    action: Annotated[str, typer.Argument(help="list, fetch or verify.")] = "list",
    names: Annotated[list[str] | None, typer.Argument(help="Which; all when none is named.")] = None,
) -> None:
    """Show every model file with its origin and licence, fetch what is missing, or check what is there."""
    from curate.pipeline.faces import model_files as files

    if action not in {"list", "fetch", "verify"}:
        raise UsageError(
            f"models does not '{action}'{nearest(action, ['list', 'fetch', 'verify'])}", "curate models list"
        )
    chosen = names or list(files.MODELS)
    if action == "fetch":
        for name in chosen:
            house.console.say(f"{name}: {files.path(name)}")
    found = [files.standing(name) for name in chosen]
    house.console.result(
        found,
        "\n".join(
            f"{m.name:14} {m.state:8} {m.sha256[:12]}  {m.year}  {m.licence}\n  {m.where}\n  {m.url}" for m in found
        ),
    )
    if action == "verify" and any(m.state != "ok" for m in found):
        raise typer.Exit(2)


def dedup(
    house: House,
    radius: Annotated[int | None, typer.Option(help="Bits of 64 in which copies may differ.")] = None,
    likeness: Annotated[
        float | None, typer.Option(help="Of copies' thumbnails, at least; 0 asks the hash alone.")
    ] = None,
    variants: Annotated[str | None, typer.Option(help="Other ways to see a copy: flip, rot90 or flip,rot90.")] = None,
    against: Annotated[list[str] | None, typer.Option(help="Manifests whose pictures are refused here.")] = None,
    identity: Annotated[float | None, typer.Option(help="Distance of one person's faces, 0.6 say.")] = None,
    workers: Workers = None,
) -> None:
    """Find copies of one picture and keep the best of them."""
    from curate.pipeline.dedup import stage as verb

    flags = {
        "radius": radius,
        "likeness": likeness,
        "variants": variants.split(",") if variants else None,
        "against": against or None,
        "identity": identity,
    }
    section = house.section("dedup", Dedup, **flags)
    _run(house, verb, section, workers)


def pairs(
    house: House,
    size: Annotated[int | None, typer.Option(help="Px, side of the letterboxed pictures.")] = None,
    workers: Workers = None,
) -> None:
    """Make Article/Human pairs from the pictures of each product."""
    from curate.pipeline.pairs import stage as verb

    section = house.section("pairs", Pairs, size=size)
    _run(house, verb, section, workers)


def build(house: House) -> None:
    """Choose what trains and split it: manifests/dataset.parquet."""
    from curate.pipeline.build import stage as verb

    section = house.section("build", Build)
    context.finish(house, verb.run(section, house.root, progress=house.console.progress))


def stats(
    house: House,
    html: Annotated[bool, typer.Option("--html", help="Write processed/report/index.html, too.")] = False,
) -> None:
    """Show the funnel from found to trained, with the reason for every loss."""
    from curate.pipeline.stats import funnel as verb

    funnel = verb.funnel(house.root)
    house.console.result(funnel, verb.text(funnel))
    if html:
        from curate.pipeline.stats import report

        page = report.write(house.section("stats", Stats), house.root, progress=house.console.progress)
        house.console.say(f"\nreport: {page}")


def demo(
    house: House,
    portraits: Annotated[int | None, typer.Option(help="Portraits per hair length.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, other people.")] = None,
    measure: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Measure its translated photos against the truth instead.")
    ] = None,
) -> None:
    """Serve the drawn demo world as a web site on this machine, to look at it or to try scraping."""
    from curate.pipeline.demo import serve
    from curate.pipeline.demo.config import Demo
    from curate.pipeline.demo.measure import measure as measured
    from curate.pipeline.demo.measure import summary

    if measure:
        changes = measured(house.root, measure)
        told = summary(changes)
        house.console.result({**told, "changes": changes}, "\n".join(f"{k:>9}: {v:g}" for k, v in told.items()))
        return
    section = house.section("scrape", Scrape).demo or Demo()
    with serve(override(section, "scrape.demo", portraits=portraits, seed=seed)) as site:
        house.console.say(f"the demo world is at {site.url}   (Ctrl-C ends it)")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


def _run(house: House, verb: Any, section: Section, workers: int | None) -> None:
    """Runs a verb that works on batches, and shows what it did."""
    engine = house.section("engine", Engine, workers=workers)
    context.finish(house, verb.run(section, house.root, engine=engine, progress=house.console.progress))
