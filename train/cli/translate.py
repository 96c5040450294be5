"""The command `curate translate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.pipeline.cli.context import Context
from curate.pipeline.core.errors import CurateError, UsageError
from curate.train.cli.translate_options import check_onnx, check_options, check_try_on, known_output, known_size

if TYPE_CHECKING:
    from curate.train.runs.photo_networks import PhotoNetworks
    from curate.train.translate.pictures import Output
    from curate.train.translate.results import TranslationResult
    from curate.train.translate.translator import Size
    from curate.train.translate.try_on import Job
    from curate.train.weights.format import Direction

RUNS = Path("processed/runs")
LAST_STYLE = 999_999_999

WhichSystem = Annotated[
    str | None,
    typer.Option("--system", help="cyclegan, ugatit, cagan, council, stylegan2; recognised by the files if not given."),
]
Weights = Annotated[
    list[Path] | None,
    typer.Option(metavar="RUN|FILE", help="Files of weights, RUN@STEP, RUN@best, drawn-hair, drawn-icon; repeatable."),
]
OnnxFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A generator that weights export --layout onnx wrote; without torch."),
]
Renames = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="FROM=TO", help="How names of other projects' weights begin here; repeatable."),
]
Articles = Annotated[
    list[Path] | None,
    typer.Option("--article", metavar="FILE", help="For CAGAN: what to wear; a picture or a folder; repeatable."),
]
Best = Annotated[
    str | None, typer.Option(metavar="METRIC", help="The run's best networks by kid or fid, not its last.")
]
WhichRun = Annotated[
    Path | None, typer.Option(help="The trained run's folder, below the root; the only one that fits.")
]
Out = Annotated[Path, typer.Option("--out", "-o", help="A folder, or the .png, .jpg or .webp for one photo.")]
WhichSize = Annotated[
    str | None, typer.Option(metavar="N|photo", help="Px, side of what the networks see; or the photo's own.")
]
WhichLayout = Annotated[
    str | None,
    typer.Option(
        metavar="LAYOUT",
        help="photo: all of it; crop: the face as it was made, for faces that are turned; compare: before, after.",
    ),
]
Members = Annotated[
    str | None,
    typer.Option(metavar="all|N,N", help="Of council: who paints; of several, a sheet of all that they make."),
]
Styles = Annotated[int | None, typer.Option(min=1, max=100, help="Of council: in how many styles; a sheet of them.")]
Style = Annotated[
    int | None, typer.Option(min=0, max=LAST_STYLE, help="Of council: the number of the style, or of the first one.")
]
Strength = Annotated[float, typer.Option(min=0.0, max=1.0, help="How much of the paint is laid over the photo.")]
PemFile = Annotated[Path | None, typer.Option(metavar="FILE", help="For --mark: who signs; a PEM file.")]
Force = Annotated[
    bool, typer.Option("--force", help="Write over files that curate did not write; make anew what would be kept.")
]
Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]


def translate(
    context: Context,
    inputs: Annotated[list[Path] | None, typer.Argument(metavar="INPUT...", help="Photos, or folders of them.")] = None,
    run: WhichRun = None,
    best: Best = None,
    weights: Weights = None,
    onnx: OnnxFile = None,
    system: WhichSystem = None,
    map_: Renames = None,
    direction: Annotated[str | None, typer.Option(help="a2b or b2a; without it a2b, or the only one.")] = None,
    article: Articles = None,
    worn: Annotated[Path | None, typer.Option(metavar="FILE", help="The article that the people wear now.")] = None,
    out: Out = Path("translated"),
    split: Annotated[str | None, typer.Option(help="Instead of INPUT: the raw images of train, val or test.")] = None,
    all_faces: Annotated[bool, typer.Option("--all-faces", help="Not only the largest of a photo.")] = False,
    align: Annotated[bool, typer.Option("--align/--no-align", help="Cut the faces out; or take photos whole.")] = True,
    size: WhichSize = None,
    layout: WhichLayout = None,
    members: Members = None,
    styles: Styles = None,
    style: Style = None,
    strength: Strength = 1.0,
    rgba: Annotated[bool, typer.Option("--rgba", help="The paint alone, too, with its mask as alpha.")] = False,
    gif: Annotated[bool, typer.Option("--gif", help="An animation, too; or with -o .gif, .webp instead.")] = False,
    mark: Annotated[str | None, typer.Option(metavar="c2pa", help="Sign the pictures as synthetic, too.")] = None,
    certificate: PemFile = None,
    key: PemFile = None,
    force: Force = False,
    device: Device = None,
) -> None:
    """Find the faces in photos and translate them: with a trained run, or with other projects' weights.

    With --article, put it on the people in the photos.
    """
    check_options(inputs, split, article, worn, weights, run, best, system, map_, align=align, all_faces=all_faces)
    check_onnx(onnx, {"--weights": weights, "--run": run, "--best": best, "--article": article, "--device": device})
    from curate.train.translate import member_sheet, stage
    from curate.train.translate.translator import Translator

    side = known_size(size)
    output = replace(known_output(layout, mark, certificate, key, gif=gif), strength=strength, rgba=rgba, force=force)
    path = None if weights or onnx else (context.root / run if run else _find_run(context, article, split))
    networks = _loaded(context, onnx, path, best, weights or [], system, direction, map_, side, device)
    if networks.is_try_on:
        choice = members, styles, style
        check_try_on(networks, direction, None if weights else size, choice, align=align, all_faces=all_faces)
    if article or (split and networks.is_try_on):
        results = _try_on(context, networks, _jobs(context, inputs, article, worn, split), out, output)
    else:
        way = direction or networks.usual_direction
        translator = Translator(networks, way, all_faces=all_faces, align=align, size=side)
        translator, sheet = member_sheet.choose(translator, members, styles, style, output)
        output = replace(output, layout=output.layout if layout else translator.layout)
        named = stage.split_photos(context.root, translator.domain, split) if split else inputs or []
        results = stage.run(translator, named, out, output, choice=sheet, progress=context.console.progress)
    context.console.result(results, "\n".join(_line(result) for result in results))
    _tell_failures(context, results, one_is_enough=bool(split))


def _find_run(context: Context, article: list[Path] | None, split: str | None) -> Path:
    """The run that is meant where none is named; told where there are others."""
    from curate.train.runs.find import find_run

    path, others = find_run(context.root / RUNS, try_on=bool(article) if article or not split else None)
    if others:
        names = ", ".join(str(RUNS / other.name) for other in others)
        context.console.progress.note(f"with {RUNS / path.name}; by --run there are {names}")
    return path


def _jobs(
    context: Context, inputs: list[Path] | None, articles: list[Path] | None, worn: Path | None, split: str | None
) -> list[Job]:
    """The people of `inputs` in every one of `articles`, or those of the split in each other's."""
    from curate.train.translate import try_on

    return try_on.split_jobs(context.root, split) if split else try_on.list_jobs(inputs or [], articles or [], worn)


def _try_on(
    context: Context, networks: PhotoNetworks, jobs: list[Job], out: Path, output: Output
) -> list[TranslationResult]:
    from curate.train.runs.trained import Trained
    from curate.train.translate import try_on

    assert isinstance(networks, Trained), "only torch puts articles on people"
    return try_on.run(try_on.TryOn(networks), jobs, out, output, progress=context.console.progress)


def _loaded(
    context: Context,
    onnx: Path | None,
    run: Path | None,
    best: str | None,
    files: list[Path],
    system: str | None,
    direction: str | None,
    renames: list[str] | None,
    size: Size | None,
    device: str | None,
) -> PhotoNetworks:
    """The networks in the file `onnx`, of the run in `run`, or those in `files`, whoever made them."""
    if onnx is not None:
        from curate.train.translate import onnx_networks

        return onnx_networks.load(onnx)
    from curate.train.runs.trained import load_run
    from curate.train.weights import exchange
    from curate.train.weights.unwrap import parse_rename

    if run is not None:
        return load_run(run, device or "auto", best)
    found = [parse_rename(text) for text in renames or ()]
    side = None if size == "photo" else size
    networks, notes = exchange.load(
        files, system, known_direction(direction or "a2b"), found, size=side, device=device or "auto"
    )
    for note in notes:
        context.console.progress.note(note)
    return networks


def known_direction(text: str) -> Direction:
    """`text`, if it is a direction. Raises UsageError."""
    if text == "a2b":
        return "a2b"
    if text == "b2a":
        return "b2a"
    raise UsageError(f"--direction {text}: there are a2b and b2a", "a2b makes images of a into images of b")


def _line(result: TranslationResult) -> str:
    article = f" in {result.article}" if result.article else ""
    detail = f" ({result.detail})" if result.detail else ""
    return f"{result.input}{article}: {result.output or result.reason}{detail}"


def _tell_failures(context: Context, results: list[TranslationResult], *, one_is_enough: bool) -> None:
    """Ends with 2, and says so, where an input was not translated; of a split `one_is_enough`."""
    made = {result.input for result in results if result.output}
    failed = [result for result in results if result.input not in made]
    if not failed or (one_is_enough and made):
        return
    if not context.console.as_json:
        lost, count = len({result.input for result in failed}), len({result.input for result in results})
        message = f"{lost} of {count} inputs {'was' if lost == 1 else 'were'} not translated; {_line(failed[0])}"
        hint = "the others are written" if made else "see the reason of each above"
        context.console.error(CurateError(message, hint))
    raise typer.Exit(2)
