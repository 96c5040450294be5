"""The command `curate translate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.pipeline.cli.context import Context
from curate.pipeline.core.errors import CurateError, UsageError

if TYPE_CHECKING:
    from curate.train.runs.trained import Trained
    from curate.train.translate.pictures import Layout, Output
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
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there and that curate did not write.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]


def translate(
    context: Context,
    inputs: Annotated[list[Path] | None, typer.Argument(metavar="INPUT...", help="Photos, or folders of them.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="The trained run's folder, below the root; the only one that fits.")
    ] = None,
    best: Best = None,
    weights: Weights = None,
    system: WhichSystem = None,
    map_: Renames = None,
    direction: Annotated[str | None, typer.Option(help="a2b or b2a; without it a2b, or the only one.")] = None,
    article: Articles = None,
    worn: Annotated[Path | None, typer.Option(metavar="FILE", help="The article that the people wear now.")] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="A folder, or the .png, .jpg or .webp for one photo.")
    ] = Path("translated"),
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
    """Find the faces in photos and translate them with a trained run, or with other projects' weights.

    With --article, put it on the people in the photos.
    """
    _check_options(inputs, split, article, worn, weights, run, best, system, map_, align=align, all_faces=all_faces)
    from curate.train.translate import member_sheet, stage, try_on
    from curate.train.translate.translator import Translator

    side = _known_size(size)
    output = replace(_output(layout, mark, certificate, key, gif=gif), strength=strength, rgba=rgba, force=force)
    path = None if weights else (context.root / run if run else _find_run(context, article, split))
    networks = _loaded(context, path, best, weights or [], system, direction, map_, side, device)
    if networks.is_try_on:
        choice = members, styles, style
        _check_try_on(networks, direction, None if weights else size, choice, align=align, all_faces=all_faces)
    if article or (split and networks.is_try_on):
        jobs = _jobs(context, inputs, article, worn, split)
        results = try_on.run(try_on.TryOn(networks), jobs, out, output, progress=context.console.progress)
    else:
        way = direction or networks.usual_direction
        translator = Translator(networks, way, all_faces=all_faces, align=align, size=side)
        translator, sheet = member_sheet.choose(translator, members, styles, style, output)
        output = replace(output, layout=output.layout if layout else translator.layout)
        named = stage.split_photos(context.root, translator.domain, split) if split else inputs or []
        results = stage.run(translator, named, out, output, choice=sheet, progress=context.console.progress)
    context.console.result(results, "\n".join(_line(result) for result in results))
    _tell_failures(context, results, one_is_enough=bool(split))


def _check_options(
    inputs: list[Path] | None,
    split: str | None,
    article: list[Path] | None,
    worn: Path | None,
    weights: list[Path] | None,
    run: Path | None,
    best: str | None,
    system: str | None,
    map_: list[str] | None,
    *,
    align: bool,
    all_faces: bool,
) -> None:
    """Raises UsageError for options of which one has no effect beside the other."""
    if bool(inputs) == bool(split):
        raise UsageError(
            "INPUT or --split: one of them says what to translate", "curate translate photo.jpg -o out.png"
        )
    without_effect = (
        (weights and run, "--weights with --run: two places of networks"),
        (weights and best, "--best with --weights: only a run knows its best networks"),
        (system and not weights, "--system without --weights: a run knows its recipe"),
        (map_ and not weights, "--map without --weights: it renames what is in another project's file"),
        (split and (article or worn), "--split with --article or --worn: a split has both"),
        (worn and not article, "--worn without --article: nothing is changed for anything"),
        (all_faces and not align, "--all-faces with --no-align: a photo that is taken whole has no faces"),
        (article and (all_faces or not align), "--article: whole photos, in which no faces are looked for"),
    )
    for found, message in without_effect:
        if found:
            raise UsageError(message, "leave one of them out")


def _check_try_on(
    networks: Trained,
    direction: str | None,
    size: str | None,
    choice: tuple[str | None, int | None, int | None],
    *,
    align: bool,
    all_faces: bool,
) -> None:
    """Raises UsageError for options that mean nothing to networks that put articles on people."""
    given = {
        "--direction": direction,
        "--size": size,
        "--no-align": not align or None,
        "--all-faces": all_faces or None,
    }
    for option, value in (given | dict(zip(("--members", "--styles", "--style"), choice, strict=True))).items():
        if value is not None:
            raise UsageError(
                f"{option}: {networks.source} puts articles on people, in whole photos at their own size",
                f"leave {option} out",
            )


def _known_size(text: str | None) -> Size | None:
    """What --size says. Raises UsageError."""
    if text is None or text == "photo":
        return "photo" if text else None
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"--size {text}: neither px nor 'photo'", "--size 256, or --size photo with --no-align")
    return int(text)


def _output(layout: str | None, mark: str | None, certificate: Path | None, key: Path | None, *, gif: bool) -> Output:
    """What is wanted of each photo. Raises UsageError for words that mean nothing, alone or together."""
    from curate.train.translate.content_credentials import ContentCredentials
    from curate.train.translate.pictures import Output

    known: dict[str, Layout] = {"photo": "photo", "crop": "crop", "compare": "compare"}
    if layout is not None and layout not in known:
        raise UsageError(f"--layout {layout}: there are {', '.join(known)}", "photo is what you get without it")
    shown = known[layout or "photo"]
    if gif and layout == "compare":
        raise UsageError("--gif with --layout compare: each shows before and after", "leave one of them out")
    if mark not in (None, "c2pa"):
        raise UsageError(f"--mark {mark}: there is c2pa", "that they are synthetic stands in all pictures without it")
    if mark is None and (certificate or key):
        raise UsageError("--certificate and --key without --mark: nothing is signed", "add --mark c2pa")
    if mark is None:
        return Output(shown, gif=gif)
    if certificate is None or key is None:
        raise UsageError(
            "--mark c2pa: by whom?", "--certificate chain.pem --key key.pem; docs/guide/training.md says how"
        )
    return Output(shown, gif=gif, mark=ContentCredentials(certificate, key))


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


def _loaded(
    context: Context,
    run: Path | None,
    best: str | None,
    files: list[Path],
    system: str | None,
    direction: str | None,
    renames: list[str] | None,
    size: Size | None,
    device: str | None,
) -> Trained:
    """The networks of the run in `run`, or those in `files`, whoever made them."""
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
