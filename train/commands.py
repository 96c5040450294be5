"""The commands of the training half. Each body imports torch's modules, so that starting costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import cli
from pipeline.cli import House
from pipeline.errors import UsageError
from train.recipes import RECIPES

if TYPE_CHECKING:
    from train.run import Result
    from train.settings import Settings
    from train.translate import Outcome

RUNS = Path("processed/runs")

Device = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]


def register(app: typer.Typer) -> None:
    """Adds every training command to `app`."""
    for body in (train, translate):
        cli.add(app, body)


def train(
    house: House,
    recipe: Annotated[str, typer.Argument(help=" ".join(RECIPES))],
    steps: Annotated[int | None, typer.Option(help="In all; more than before goes on with a run.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of steps.")] = None,
    batch: Annotated[int | None, typer.Option(help="Images per domain and step.")] = None,
    size: Annotated[int | None, typer.Option(help="Px, side of what the networks see.")] = None,
    a: Annotated[str | None, typer.Option(metavar="DOMAIN", help="The domain that stands for a.")] = None,
    b: Annotated[str | None, typer.Option(metavar="DOMAIN", help="The domain that stands for b.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, another run.")] = None,
    device: Device = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or bf16.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any key, as model.lr=0.0001; repeatable.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="The run's folder below the root; processed/runs/RECIPE.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train anew; an older run is moved to RUN.1.")] = False,
    fresh_if_changed: Annotated[
        bool, typer.Option("--fresh-if-changed", help="The same, but only if its settings or data differ.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show networks, data and steps; train nothing.")] = False,
) -> None:
    """Train a model on the dataset, going on where an earlier call stopped."""
    from train import run as verb
    from train import settings

    flags: dict[str, Any] = {
        "run.steps": steps,
        "run.epochs": epochs,
        "run.batch": batch,
        "run.seed": seed,
        "run.device": device,
        "run.precision": precision,
        "data.size": size,
        "data.domains": {"a": a, "b": b} if a and b else None,
        **dict(settings.assignment(text) for text in set_ or ()),
    }
    if bool(a) != bool(b):
        raise UsageError("--a and --b: one without the other", "name both domains")
    chosen = settings.read(house.params, recipe, flags)
    if dry_run:
        _show_plan(house, chosen)
        return
    result = verb.run(
        chosen,
        house.root,
        house.root / (run or RUNS / recipe),
        on_change="fresh" if fresh else "fresh-if-changed" if fresh_if_changed else "refuse",
        progress=house.console.progress,
    )
    house.console.result(result, _told(result))


def translate(
    house: House,
    inputs: Annotated[list[Path] | None, typer.Argument(metavar="INPUT...", help="Photos, or folders of them.")] = None,
    run: Annotated[Path, typer.Option(help="The trained run's folder, below the root.")] = RUNS / "cyclegan",
    direction: Annotated[str, typer.Option(help="a2b or b2a.")] = "a2b",
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder, or the .png for one photo.")] = Path("translated"),
    split: Annotated[str | None, typer.Option(help="Instead of INPUT: the raw images of train, val or test.")] = None,
    all_faces: Annotated[bool, typer.Option("--all-faces", help="Not only the largest of a photo.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Write input and output side by side, too.")] = False,
    device: Device = None,
) -> None:
    """Find the faces in photos and translate them with a trained run."""
    from train import translate as verb

    if bool(inputs) == bool(split):
        raise UsageError(
            "INPUT or --split: one of them says what to translate", "curate translate photo.jpg -o out.png"
        )
    translator = verb.Translator(house.root / run, direction, all_faces=all_faces, device=device or "auto")
    named = inputs or []
    if split:
        named = verb.split(house.root, translator.domain, split)
    outcomes = verb.run(translator, named, out, compare=compare, progress=house.console.progress)
    house.console.result(outcomes, "\n".join(_line(outcome) for outcome in outcomes))
    if not (_done(outcomes, named) if inputs else any(outcome.output for outcome in outcomes)):
        raise typer.Exit(2)


def _show_plan(house: House, settings: Settings) -> None:
    from train import run as verb

    prepared = verb.prepare(settings, house.root, progress=house.console.progress)
    counts = verb.networks(verb.build(prepared.settings))
    plan = {**prepared.config, "networks": counts}
    run, data = prepared.config["run"], prepared.config["data"]
    lines = [f"{name:>8}: {count:>12,} parameters" for name, count in counts.items()]
    for key, part in prepared.config["dataset"].items():
        lines.append(f"{key:>8}: {part['images']:>12,} images of '{part['name']}'")
    lines.append(f"{'steps':>8}: {run['steps']:>12,} of batch {run['batch']} at {data['size']} px")
    house.console.result(plan, "\n".join(lines))


def _told(result: Result) -> str:
    head = f"{result.run}: "
    if not result.trained:
        return f"{head}finished before, all {result.steps} steps; more with --steps, anew with --fresh"
    speed = result.metrics.get("images_per_second")
    return f"{head}{result.steps} steps, {result.trained} of them now, {speed} images/s; see {result.run}/samples"


def _line(outcome: Outcome) -> str:
    detail = f" ({outcome.detail})" if outcome.detail else ""
    return f"{outcome.input}: {outcome.output or outcome.reason}{detail}"


def _done(outcomes: list[Outcome], named: list[Path]) -> bool:
    """Whether every input that was named, or something below it, was translated."""
    made = [Path(outcome.input) for outcome in outcomes if outcome.output]
    return all(any(path == done or path in done.parents for done in made) for path in named)
