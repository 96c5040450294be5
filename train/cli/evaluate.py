"""`curate evaluate` and `curate compare`: runs in, numbers and a page out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from curate.pipeline.cli.context import Context
from curate.pipeline.core.config import Evaluate
from curate.pipeline.core.errors import UsageError
from curate.train.cli.translate import RUNS, Device, Force

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
    """Measure trained runs on images that were held out: each number with its spread."""
    from curate.train.comparison import stage, table

    flags: dict[str, Any] = {"split": split, "images": images, "features": features, "resamples": resamples}
    section = context.section("evaluate", Evaluate, **flags)
    folders = _folders(context.root, runs)
    context.note_stale("dataset")
    found = stage.run(section, context.root, folders, device=device or "auto", progress=context.console.progress)
    numbers = {one.run: one.numbers for one in found}
    context.console.result(numbers, table.text(found))


def compare(
    context: Context,
    runs: Runs = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.")] = Path("compare.html"),
    votes: Annotated[
        list[Path] | None, typer.Option("--votes", metavar="FILE", help="Count votes saved from the page; repeatable.")
    ] = None,
    split: Split = None,
    images: Images = None,
    features: Features = None,
    force: Force = False,
    device: Device = None,
) -> None:
    """Show runs side by side on one page: all held-out images, the numbers, blind votes; and count the votes."""
    if votes:
        _count(context, runs, votes)
        return
    from curate.pipeline.core.outputs import OutputPlan
    from curate.train.comparison import page, stage

    section = context.section("evaluate", Evaluate, split=split, images=images, features=features)
    folders = _folders(context.root, runs)
    with OutputPlan([out], force=force) as plan:
        found = stage.run(section, context.root, folders, device=device or "auto", progress=context.console.progress)
        text = page.render(found, context.root, context.console.progress)
        with plan.write(out) as temporary:
            temporary.write_text(text, "utf-8")
    context.console.result({"page": str(out), "runs": [one.run for one in found]}, f"{out}: {len(found)} runs")


def _count(context: Context, runs: list[str] | None, files: list[Path]) -> None:
    from curate.train.comparison import votes

    if runs:
        raise UsageError(
            f"{runs[0]}: the files say of which runs the votes are", "leave it out: curate compare --votes"
        )
    ballots = votes.read(files)
    tallies = [{**asdict(tally), "share": tally.share, "interval": tally.interval} for tally in votes.count(ballots)]
    context.console.result(tallies, votes.text(ballots))


def _folders(root: Path, runs: list[str] | None) -> list[Path]:
    """The folders of `runs`, names below processed/runs or paths below `root`; without any, all that have a
    checkpoint. Raises UsageError where there is none.
    """
    from curate.train.engine import checkpoint
    from curate.train.runs import find
    from curate.train.runs.run_dir import RunDir

    if runs:
        return [root / RUNS / name if "/" not in name else root / name for name in runs]
    found = [path for path in find.run_folders(root / RUNS) if checkpoint.newest(RunDir(path).checkpoints)]
    if not found:
        raise UsageError(f"{root / RUNS}: no trained run is here", "train one: curate train cyclegan")
    return found
