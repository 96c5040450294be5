"""The command `curate translate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.pipeline.cli.context import Context
from curate.pipeline.core.errors import UsageError

if TYPE_CHECKING:
    from curate.train.runs.trained import Trained
    from curate.train.translate.results import TranslationResult
    from curate.train.translate.try_on import Job
    from curate.train.weights.format import Direction

RUNS = Path("processed/runs")

WhichSystem = Annotated[
    str | None, typer.Option("--system", help="cyclegan, ugatit or cagan; recognised by the files if not given.")
]
Weights = Annotated[
    list[Path] | None, typer.Option(metavar="RUN|FILE", help="Files of weights, or RUN@STEP, RUN@best; repeatable.")
]
Renames = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="FROM=TO", help="How names of other projects' weights begin here; repeatable."),
]
Articles = Annotated[
    list[Path] | None,
    typer.Option("--article", metavar="FILE", help="For CAGAN: what to wear; a picture or a folder; repeatable."),
]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there and that curate did not write.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]


def translate(
    context: Context,
    inputs: Annotated[list[Path] | None, typer.Argument(metavar="INPUT...", help="Photos, or folders of them.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="The trained run's folder, below the root; processed/runs/cyclegan.")
    ] = None,
    best: Annotated[
        str | None, typer.Option(metavar="METRIC", help="The run's best networks by kid or fid, not its last.")
    ] = None,
    weights: Weights = None,
    system: WhichSystem = None,
    map_: Renames = None,
    direction: Annotated[str, typer.Option(help="a2b or b2a.")] = "a2b",
    article: Articles = None,
    worn: Annotated[Path | None, typer.Option(metavar="FILE", help="The article that the people wear now.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder, or the .png for one photo.")] = Path("translated"),
    split: Annotated[str | None, typer.Option(help="Instead of INPUT: the raw images of train, val or test.")] = None,
    all_faces: Annotated[bool, typer.Option("--all-faces", help="Not only the largest of a photo.")] = False,
    align: Annotated[bool, typer.Option("--align/--no-align", help="Cut the faces out; or take photos whole.")] = True,
    size: Annotated[int | None, typer.Option(help="With --weights: px, side of what the networks see.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Write input and output side by side, too.")] = False,
    device: Device = None,
) -> None:
    """Find the faces in photos and translate them with a trained run, or with other projects' weights.

    With --article, put it on the people in the photos: processed/runs/cagan, if no other run is named.
    """
    from curate.train.runs.trained import load_run
    from curate.train.translate import translator as translator_
    from curate.train.translate import try_on

    if bool(inputs) == bool(split):
        raise UsageError(
            "INPUT or --split: one of them says what to translate", "curate translate photo.jpg -o out.png"
        )
    if map_ and not weights:
        raise UsageError("--map: without --weights", "it renames what is in another project's file: --weights FILE")
    if weights:
        networks = _foreign(context, weights, system, direction, map_, size, device)
    else:
        path = context.root / (run or RUNS / ("cagan" if article else "cyclegan"))
        networks = load_run(path, device or "auto", best)
    if article or (split and networks.is_try_on):
        jobs = _jobs(context, inputs or [], article or [], worn, split)
        results = try_on.run(try_on.TryOn(networks), jobs, out, compare=compare, progress=context.console.progress)
    else:
        translator = translator_.Translator(networks, direction, all_faces=all_faces, align=align)
        named = translator_.split_photos(context.root, translator.domain, split) if split else inputs or []
        results = translator_.run(translator, named, out, compare=compare, progress=context.console.progress)
    context.console.result(results, "\n".join(_line(result) for result in results))
    if not (_done(results, inputs) if inputs else any(result.output for result in results)):
        raise typer.Exit(2)


def _jobs(
    context: Context, inputs: list[Path], articles: list[Path], worn: Path | None, split: str | None
) -> list[Job]:
    """The people of `inputs` in every one of `articles`, or those of the split in each other's."""
    from curate.train.translate import try_on

    if split and (articles or worn):
        raise UsageError(
            "--split with --article or --worn: a split has both", "leave them out, or name photos instead of --split"
        )
    return try_on.split_jobs(context.root, split) if split else try_on.list_jobs(inputs, articles, worn)


def _foreign(
    context: Context,
    files: list[Path],
    system: str | None,
    direction: str,
    renames: list[str] | None,
    size: int | None,
    device: str | None,
) -> Trained:
    """The networks in `files`, whoever made them."""
    from curate.train.weights import exchange
    from curate.train.weights.unwrap import parse_rename

    found = [parse_rename(text) for text in renames or ()]
    networks, notes = exchange.load(
        files, system, known_direction(direction), found, size=size, device=device or "auto"
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


def _done(results: list[TranslationResult], named: list[Path]) -> bool:
    """Whether every input that was named, or something below it, was translated."""
    made = [Path(result.input) for result in results if result.output]
    return all(any(path == done or path in done.parents for done in made) for path in named)
