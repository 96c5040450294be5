"""The commands of the data half. Each body imports its stage, so that starting costs nothing."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from curate.pipeline.build.config import Build
from curate.pipeline.cli.context import Context, add_command, show_summary
from curate.pipeline.cli.judging import JUDGING
from curate.pipeline.cli.review import CHOOSING, export
from curate.pipeline.cli.scrape import credits_, forget, scrape, sources
from curate.pipeline.core.config import Section, override
from curate.pipeline.core.errors import UsageError, nearest
from curate.pipeline.core.parallel import Engine
from curate.pipeline.crop.config import Crop
from curate.pipeline.dedup.config import Dedup
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.scrape.config import Scrape
from curate.pipeline.stats.config import Stats

PRESETS = "hair, smile, swimwear, selfie2anime, icon, demo or study."
Workers = Annotated[int | None, typer.Option(help="Processes; 0 for one per core.")]


def register(app: typer.Typer) -> None:
    """Adds every data command to `app`."""
    stages = (scrape, forget, crop, dedup, pairs, build, stats, export)
    data = (init, doctor, sources, scrape, credits_, forget, crop, models, dedup, pairs, build, stats, demo)
    for body in (*data, *JUDGING, *CHOOSING):
        add_command(app, body, waits=body in stages)


def init(
    context: Context,
    preset: Annotated[str, typer.Argument(help=PRESETS)] = "demo",
    force: Annotated[bool, typer.Option("--force", help="Write over an edited params.yaml, which is kept.")] = False,
    aside: Annotated[bool, typer.Option("--aside", help="Set aside the project whose data stand here.")] = False,
    back: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Bring a project back that was set aside, instead.")
    ] = None,
) -> None:
    """Write a preset's params.yaml and make the folders of a project."""
    from curate.pipeline.cli import next_steps, presets, project

    root = context.root
    held = presets.named_by(root) or "project"
    if back is not None:
        gone = project.bring_back(root, back, held)
        lines = [f"what stood here: {gone}"] if gone else []
        context.console.result({"back": str(back), "aside": gone}, "\n".join([*lines, f"{root}: as it was in {back}"]))
        return
    presets.source(preset)  # a name that does not exist moves nothing
    gone = project.set_aside(root, held) if aside and project.holds_data(root) else None
    written = presets.write(preset, root, force=force)
    lines = [f"wrote {path}" for path in written]
    if gone:
        again = f"curate init --back {gone}{project.option(root)}"
        lines.append(f"set aside: {gone}, where it works, too (--root {gone}); to bring it back: {again}")
    context.console.result(
        {"preset": preset, "written": [str(path) for path in written], "aside": gone},
        "\n".join([*lines, *next_steps.after_init(root)]),
    )


def doctor(context: Context) -> None:
    """Check packages, models, GPU, DVC and write access; say how to mend each."""
    from curate.pipeline.cli import doctor

    checks = doctor.run(context.root)
    context.console.result(checks, doctor.text(checks))
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(2)


def crop(
    context: Context,
    detector: Annotated[str | None, typer.Option(help="haar, hog, cnn, yunet, blaze, anime; haar+hog agree.")] = None,
    landmarks: Annotated[str | None, typer.Option(help="dlib68 or mesh.")] = None,
    align: Annotated[str | None, typer.Option(help="auto, ffhq, anime, box or none.")] = None,
    framing: Annotated[str | None, typer.Option(help="face, ffhq, head, bust or person.")] = None,
    scale: Annotated[float | None, typer.Option(help="Zooms out from the framing.")] = None,
    shift_y: Annotated[float | None, typer.Option(help="Moves the framing down, in its sides.")] = None,
    size: Annotated[int | None, typer.Option(help="Px, side of the crops.")] = None,
    rotate: Annotated[float | None, typer.Option(help="Degrees, counter-clockwise; align box, anime.")] = None,
    margin: Annotated[float | None, typer.Option(help="Added on each side, in its sides; align box, anime.")] = None,
    background: Annotated[str | None, typer.Option(help="Behind a person: keep, white, blur or #rrggbb.")] = None,
    hair_share: Annotated[bool | None, typer.Option(help="Measure how much hair people have.")] = None,
    faces: Annotated[str | None, typer.Option(help="largest, all or single.")] = None,
    min_face: Annotated[int | None, typer.Option(help="Px in the raw image, side of the face box.")] = None,
    workers: Workers = None,
) -> None:
    """Find, align and measure faces; each one gets a row in manifests/crops.parquet."""
    from curate.pipeline.crop import stage

    flags = {
        "detector": detector,
        "landmarks": landmarks,
        "align": align,
        "framing": framing,
        "scale": scale,
        "shift_y": shift_y,
        "size": size,
        "rotate": rotate,
        "margin": margin,
        "background": background,
        "hair_share": hair_share,
        "faces": faces,
        "min_face": min_face,
    }
    section = context.section("crop", Crop)
    given = {key for key, value in flags.items() if value is not None}
    domains = {
        name: {key: value for key, value in own.items() if key not in given} for name, own in section.domains.items()
    }
    section = override(section, "crop", domains=domains, **flags)
    _check_framing(section, given)
    _run(context, stage, section, workers)


def _check_framing(section: Crop, given: set[str]) -> None:
    """Raises UsageError for options that no domain's alignment reads."""
    from curate.pipeline.faces.alignment import alignment, has_landmarks

    used = {alignment(section.rules(domain)) for domain in (*section.domains, "")}
    idle = set() if used & {"box", "anime"} else {"rotate", "margin"}
    if used == {"none"}:
        idle |= given - {"align", "size", "background"}
    if not any(has_landmarks(section.rules(domain)) for domain in (*section.domains, "")):
        idle.add("hair_share")
    if idle := idle & given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(idle))
        want = "another --align than none, which looks for no face"
        if idle <= {"rotate", "margin"}:
            want = "--align box"
        elif idle == {"hair_share"}:
            want = "a --detector of people's faces"
        raise UsageError(f"{names}: no effect with --align {' or '.join(sorted(used))}", f"leave it out, or: {want}")


def models(
    context: Context,
    action: Annotated[str, typer.Argument(help="list, fetch or verify.")] = "list",
    names: Annotated[list[str] | None, typer.Argument(help="Which; all when none is named.")] = None,
) -> None:
    """Show every model file with its origin and licence; fetch what is missing, or check what is there."""
    from curate.pipeline.faces import model_files as files

    if action not in {"list", "fetch", "verify"}:
        raise UsageError(
            f"models does not '{action}'{nearest(action, ['list', 'fetch', 'verify'])}", "curate models list"
        )
    chosen = names or list(files.MODELS)
    if action == "fetch":
        # Unless it is asked for by name, a file that no network gives is listed with the package that brings it.
        for name in (name for name in chosen if names or files.MODELS[name].fetched or files.find(name)):
            context.console.say(f"{name}: {files.path(name)}")
    found = [files.standing(name) for name in chosen]
    context.console.result(
        found,
        "\n".join(
            f"{m.name:19} {m.state:8} {m.sha256[:12]}  {m.year}  {m.license}\n  {m.where}\n  {m.url}" for m in found
        ),
    )
    if action == "verify" and any(m.state != "ok" for m in found):
        raise typer.Exit(2)


def dedup(
    context: Context,
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
    from curate.pipeline.dedup import stage

    flags = {
        "radius": radius,
        "likeness": likeness,
        "variants": variants.split(",") if variants else None,
        "against": against or None,
        "identity": identity,
    }
    section = context.section("dedup", Dedup, **flags)
    _run(context, stage, section, workers)


def pairs(
    context: Context,
    size: Annotated[int | None, typer.Option(help="Px, side of the letterboxed pictures.")] = None,
    workers: Workers = None,
) -> None:
    """Make Article/Human pairs from the pictures of each product."""
    from curate.pipeline.pairs import stage

    section = context.section("pairs", Pairs, size=size)
    _run(context, stage, section, workers)


def build(context: Context) -> None:
    """Choose what trains and split it: manifests/dataset.parquet."""
    from curate.pipeline.build import stage

    section = context.section("build", Build)
    show_summary(context, stage.run(section, context.root, progress=context.console.progress))


def stats(
    context: Context,
    html: Annotated[bool, typer.Option("--html", help="Write processed/report/index.html, too.")] = False,
) -> None:
    """Show the funnel from found to trained, and why the rest was lost."""
    from curate.pipeline.cli import next_steps
    from curate.pipeline.stats import funnel_text
    from curate.pipeline.stats.funnel import funnel

    found = funnel(context.root)
    changed = [f"{what}: {commands}" for what, commands in next_steps.changed_settings(context.root)]
    told = funnel_text.text(found, counts_alone=html)  # the page has the rest
    context.console.result(found, "\n\n".join([told, *changed]))
    if html:
        from curate.pipeline.stats import stage as report

        planned = list(context.params.written("train"))
        section = context.section("stats", Stats)
        page = report.run(section, context.root, planned=planned, progress=context.console.progress)
        context.console.say(f"\nreport: {page}")


def demo(
    context: Context,
    portraits: Annotated[int | None, typer.Option(help="Portraits per hair length.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, other people.")] = None,
    measure: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Measure its translated photos against the truth instead.")
    ] = None,
) -> None:
    """Serve the drawn demo world as a web site on this machine: to look at it, or to try scraping."""
    from curate.pipeline.demo.config import Demo
    from curate.pipeline.demo.measure import measure as measured
    from curate.pipeline.demo.measure import summary
    from curate.pipeline.demo.server import serve

    if measure:
        changes = measured(context.root, measure)
        told = summary(changes)
        context.console.result({**told, "changes": changes}, "\n".join(f"{k:>9}: {v:g}" for k, v in told.items()))
        return
    section = context.section("scrape", Scrape).demo or Demo()
    with serve(override(section, "scrape.demo", portraits=portraits, seed=seed)) as site:
        context.console.say(f"the demo world is at {site.url}   (Ctrl-C ends it)")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


def _run(context: Context, stage: Any, section: Section, workers: int | None) -> None:
    """Runs a stage that works on batches, and shows what it did."""
    engine = context.section("engine", Engine, workers=workers)
    show_summary(context, stage.run(section, context.root, engine=engine, progress=context.console.progress))
