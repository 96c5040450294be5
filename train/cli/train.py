"""`curate train`: flags in, a run out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curate.pipeline.cli.context import Context
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.progress import SILENT
from curate.train.cli.translate import RUNS, Device
from curate.train.recipes import RECIPES

if TYPE_CHECKING:
    from curate.train.runs.claim import OnChange
    from curate.train.runs.config import TrainConfig
    from curate.train.runs.stored import StoredCheckpoint
    from curate.train.trainer.run import Result

Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any key, as model.lr=0.0001; repeatable.")
]


Fresh = Annotated[bool, typer.Option("--fresh", help="Train anew; an older run is moved to RUN.1.")]
FreshIfChanged = Annotated[
    bool, typer.Option("--fresh-if-changed", help="The same, but only if its settings or data differ.")
]
From = Annotated[str | None, typer.Option("--from", metavar="RUN|FILE", help="Fine-tune: begin with these weights.")]
Branch = Annotated[
    str | None, typer.Option(metavar="RUN[@STEP]", help="Go on from there in a new folder, with other settings.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show networks, data, memory and time; keep nothing.")]


def train(
    context: Context,
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
    set_: Assignments = None,
    from_: From = None,
    branch: Branch = None,
    run: Annotated[Path | None, typer.Option(help="The run's folder below the root; processed/runs/RECIPE.")] = None,
    fresh: Fresh = False,
    fresh_if_changed: FreshIfChanged = False,
    dry_run: DryRun = False,
) -> None:
    """Train a model on the dataset, or go on where it was stopped."""
    from curate.train.runs.config import branched, parse_assignment, read

    flags: dict[str, Any] = {
        "run.steps": steps,
        "run.epochs": epochs,
        "run.batch": batch,
        "run.seed": seed,
        "run.device": device,
        "run.precision": precision,
        "run.weights": from_,
        "data.size": size,
        "data.domains": {key: name for key, name in (("a", a), ("b", b)) if name} or None,
        **dict(parse_assignment(text) for text in set_ or ()),
    }
    _check_together({"--steps": steps, "--epochs": epochs})
    _check_together({"--fresh": fresh, "--fresh-if-changed": fresh_if_changed})
    _check_together({"--branch": branch, "--from": from_})
    parent = _branch_of(context.root, branch) if branch else None
    config = branched(parent.config_json, recipe, flags) if parent else read(context.params, recipe, flags)
    keys = RECIPES.resolve(recipe).keys(config.model)
    pairs = "human" in keys
    _check_domains(recipe, keys, {"a": a, "b": b})
    context.note_stale("pairs" if pairs else "dataset")
    path = context.root / (run or RUNS / (_branch_name(parent) if parent else recipe))
    on_change: OnChange = "fresh" if fresh else "fresh-if-changed" if fresh_if_changed else "refuse"
    show = _show_dry_run if dry_run else _train
    show(context, config, path, on_change, parent)


def _check_domains(recipe: str, keys: Collection[str], named: Mapping[str, str | None]) -> None:
    """Raises UsageError for other domains than a `recipe` has whose batches hold `keys`."""
    given = [key for key, name in named.items() if name]
    if given and "human" in keys:
        raise UsageError(f"--a, --b: {recipe} trains on pairs, which have no domains to choose", "leave them out")
    if "b" in given and "b" not in keys:
        raise UsageError(f"--b: {recipe} trains on one domain", "name it by --a alone; several: data.classes")
    if len(given) == 1 and "b" in keys:
        raise UsageError("--a and --b: one without the other", "name both domains")


def _train(
    context: Context, config: TrainConfig, path: Path, on_change: OnChange, parent: StoredCheckpoint | None
) -> None:
    from curate.train.engine.distributed import init_distributed
    from curate.train.trainer import run as training

    with init_distributed(config.run.device) as world:
        result = training.run(
            config,
            context.root,
            path,
            on_change=on_change,
            branch_of=parent,
            world=world,
            progress=SILENT if world.rank else context.console.progress,
        )
    if not world.rank:
        context.console.result(result, _summary(result))


def _check_together(options: Mapping[str, object]) -> None:
    """Raises UsageError where two of `options` were given, of which one would have no effect."""
    given = [name for name, value in options.items() if value]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)}: one of them has no effect", f"leave out {given[-1]}")


def _branch_of(root: Path, branch: str) -> StoredCheckpoint:
    """The checkpoint that `branch`, RUN or RUN@STEP below `root`, names. Raises UsageError."""
    from curate.train.runs.stored import find_in_run

    path, run = root / branch, branch.rpartition("@")[0] or branch
    if "/" not in branch and not path.is_dir() and not (root / run).is_dir():
        path = root / RUNS / branch
    found = find_in_run(path)
    if found.path.parent.name != "checkpoints":
        raise UsageError(
            f"--branch {branch}: {found.path.name} holds networks alone, not all that a run goes on with",
            f"begin with its networks: --from {branch}",
        )
    return found


def _branch_name(parent: StoredCheckpoint) -> str:
    return f"{parent.path.parent.parent.name}-from-{int(parent.path.stem)}"


def _show_dry_run(
    context: Context, config: TrainConfig, path: Path, on_change: OnChange, parent: StoredCheckpoint | None
) -> None:
    from curate.train.runs import factory
    from curate.train.trainer import estimate
    from curate.train.trainer import run as training

    prepared = training.prepare(config, context.root, progress=context.console.progress)
    recipe = training.initial_recipe(prepared.config, context.root, progress=context.console.progress)
    counts = factory.parameter_counts(recipe)
    with training.cpu_threads(config.run.threads):
        estimated = estimate.estimate(recipe, prepared.data_module, prepared.config.run, prepared.steps)
    shown = {**prepared.config_json, "networks": counts, "estimate": estimated}
    run, data = prepared.config_json["run"], prepared.config_json["data"]
    lines = [f"{name:>8}: {count:>12,} parameters" for name, count in counts.items()]
    for key, part in prepared.config_json["dataset"].items():
        lines.append(f"{key:>8}: {part['images']:>12,} images of '{part['name']}'")
    lines.append(f"{'folder':>8}: {_would(path, prepared.config_json, on_change, parent)}")
    lines.append(f"{'steps':>8}: {run['steps']:>12,} of batch {run['batch']} at {data['size']} px")
    context.console.result(shown, "\n".join([*lines, *estimate.format_lines(estimated)]))


def _would(path: Path, config_json: Mapping[str, Any], on_change: OnChange, parent: StoredCheckpoint | None) -> str:
    """What training would make of the run's folder `path`."""
    from curate.train.runs.claim import plan
    from curate.train.runs.run_dir import RunDir

    try:
        claim = plan(RunDir(path), config_json, on_change, parent)
    except UsageError as error:
        return f"refused: {error.message}"
    if claim.finished:
        return f"{path}, finished: nothing would be trained"
    moved = "; the run that lies there would be moved aside" if claim.new and RunDir(path).is_run else ""
    return f"{path}, {f'going on after step {claim.start}' if claim.start else 'a new run'}{moved}"


def _summary(result: Result) -> str:
    head = f"{result.run}: "
    if not result.trained:
        return f"{head}finished before, all {result.steps} steps; more with --steps, anew with --fresh"
    speed = result.metrics.get("images_per_second")
    return f"{head}{result.steps} steps, {result.trained} of them now, {speed} images/s; see {result.run}/samples"
