"""`curate evaluate`: runs in, numbers out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from curate.pipeline.cli.context import Context
from curate.pipeline.core.config import Evaluate
from curate.pipeline.core.errors import UsageError
from curate.train.cli.translate import RUNS, Device

Runs = Annotated[
    list[str] | None, typer.Argument(metavar="RUN...", help="Runs, RUN@STEP or RUN@best; all that are trained.")
]
Split = Annotated[str | None, typer.Option(help="test, if not given, val or train.")]
Images = Annotated[int | None, typer.Option(help="Of each domain, at the most.")]
Features = Annotated[str | None, typer.Option(help="lite0, standin or the file of an Inception's weights.")]


def evaluate(
    context: Context,
    runs: Runs = None,
    split: Split = None,
    images: Images = None,
    features: Features = None,
    resamples: Annotated[int | None, typer.Option(help="Bootstrap samples of the images.")] = None,
    device: Device = None,
) -> None:
    """Measure trained runs on images that were held out, with the spread of each number."""
    from curate.train.comparison import stage, table

    flags: dict[str, Any] = {"split": split, "images": images, "features": features, "resamples": resamples}
    section = context.section("evaluate", Evaluate, **flags)
    folders = run_folders(context.root, runs)
    context.note_stale("dataset")
    found = stage.run(section, context.root, folders, device=device or "auto", progress=context.console.progress)
    numbers = {one.run: one.numbers for one in found}
    context.console.result(numbers, table.text(found))


def run_folders(root: Path, runs: list[str] | None) -> list[Path]:
    """The folders of `runs`, names below processed/runs or paths below `root`; without any, all that have a
    checkpoint. Raises UsageError where there is none.
    """
    from curate.train.engine import checkpoint
    from curate.train.runs.run_dir import RunDir

    if runs:
        return [root / RUNS / name if "/" not in name else root / name for name in runs]
    there = [path.parent for path in sorted((root / RUNS).glob("[!.]*/config.json"))]
    found = [path for path in there if checkpoint.newest(RunDir(path).checkpoints)]
    if not found:
        raise UsageError(f"{root / RUNS}: no trained run is here", "train one: curate train cyclegan")
    return found
