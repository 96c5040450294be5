"""The commands of generators that make pictures from seeds: generate, label, direction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.pipeline.cli.context import Context
from curate.pipeline.core.errors import UsageError
from curate.train.cli.translate import Device, Force

if TYPE_CHECKING:
    from curate.train.latent.check_direction import Checked
    from curate.train.latent.direction_files import Direction
    from curate.train.latent.labels import Labelled
    from curate.train.latent.latent_run import LatentRun, Noise

Source = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run of stylegan2, RUN@STEP, RUN@best, or a file of weights.")
]
Pictures = Annotated[Path, typer.Argument(metavar="MANIFEST", help="The folder that curate generate wrote.")]


def generate(
    context: Context,
    run: Source,
    seeds: Annotated[str, typer.Option(metavar="600-2599", help="Which pictures: ranges and numbers.")] = "0-99",
    psi: Annotated[
        float, typer.Option(help="Truncation: 1 takes seeds as they fall, 0.7 keeps nearer to the mean.")
    ] = 1.0,
    cutoff: Annotated[int | None, typer.Option(min=1, help="Truncate the first N layers alone.")] = None,
    noise: Annotated[str, typer.Option(help="const, none or random.")] = "const",
    class_: Annotated[int | None, typer.Option("--class", help="Of networks that were trained with labels.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write into.")] = Path("generated"),
    force: Force = False,
    device: Device = None,
) -> None:
    """Make pictures from seeds with a trained StyleGAN2; their w's and a manifest, too."""
    from curate.train.latent import generate as stage

    chosen = stage.parse_seeds(seeds)
    settings = stage.GenerateSettings(psi, cutoff, _known_noise(noise), class_)
    made = stage.run(
        load_source(context, run, device), chosen, out, settings, force=force, progress=context.console.progress
    )
    kept = f", {made.kept:,} were there" if made.kept else ""
    lines = [f"{made.folder}: {made.made:,} pictures made{kept}; {made.total:,} in all"]
    context.console.result(made, "\n".join([*lines, f"next: curate label {out} --by smile"]))


def label(
    context: Context,
    manifest: Pictures = Path("generated"),
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="smile|FILE", help="Measure smiles; or a table with a column seed or path; repeatable."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Of --by smile; not given: the one that parts the set best.")
    ] = None,
    force: Force = False,
) -> None:
    """Say of generated pictures what they show: smiles by two measures, or a table's labels."""
    from curate.train.latent import labels, picture_set

    if threshold is not None and "smile" not in (by or ["smile"]):
        raise UsageError("--threshold without --by smile: a table has its own answers", "leave it out")
    pictures = picture_set.read(manifest)
    told = labels.run(pictures, by or ["smile"], threshold, force=force, progress=context.console.progress)
    context.console.result(told, "\n".join([*_told(told), _next(manifest, told)]))


def direction(
    context: Context,
    manifest: Pictures = Path("generated"),
    method: Annotated[str, typer.Option(help="svm or mean, by a label; pca or sefa, without.")] = "svm",
    label: Annotated[str | None, typer.Option(metavar="COLUMN[=VALUE]", help="Of curate label: smile, say.")] = None,
    layers: Annotated[str | None, typer.Option(metavar="0-7", help="Where it acts; or coarse, mid, fine.")] = None,
    orthogonal_to: Annotated[
        list[str] | None, typer.Option(metavar="NAME|FILE", help="Directions that are to stay as they are; repeatable.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Of pca and sefa: how many.")] = 5,
    name: Annotated[str | None, typer.Option(help="What it is called; after its label if not given.")] = None,
    check: Annotated[
        int, typer.Option(min=0, help="Then try it on so many seeds beyond those of the manifest, and plot it.")
    ] = 0,
    amount: Annotated[str, typer.Option(metavar="-3..3", help="Of --check: from how far to how far.")] = "-3..3",
    psi: Annotated[float | None, typer.Option(help="Of --check: of those seeds, if not that of the manifest.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="For sefa and --check: the run, if it is not where the manifest says.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write into.")] = Path("directions"),
    force: Force = False,
    device: Device = None,
) -> None:
    """Find the direction along which generated pictures get a label; or those that change them most."""
    from curate.train.latent import check_direction, direction_files, edit, find_directions, picture_set

    amounts = edit.parse_amounts(amount)
    chosen = find_directions.parse_method(method)
    if (label or name) and chosen not in find_directions.LABELLED:
        raise UsageError(f"--method {method}: takes no --label and no --name; it names what it finds", "leave it out")
    pictures = picture_set.read(manifest)
    others = tuple(direction_files.read(word, out) for word in orthogonal_to or ())
    asked = find_directions.Asked(chosen, label, count, layers, others, name)
    needed = chosen == "sefa" or check
    source = load_source(context, run or Path(str(pictures.settings["run"])), device) if needed else None
    found = find_directions.run(pictures, asked, out, source, force=force)
    lines, checked = [_described(one, out) for one in found], []
    if source is not None and check:
        first, progress = max(pictures.seeds) + 1, context.console.progress
        near = float(pictures.settings["psi"]) if psi is None else psi
        for one in found:
            told = check_direction.run(
                source, one, range(first, first + check), near, out, amounts, force=force, progress=progress
            )
            checked.append(told)
            lines.append(_checked(told))
    said = [{"name": one.name, "step": one.step, "layers": one.layers, **one.about} for one in found]
    lines.append(f"next: curate edit {pictures.files[0]} --direction {found[0].name} --amount {amount}")
    context.console.result({"directions": said, "checked": checked}, "\n".join(lines))


def _described(found: Direction, out: Path) -> str:
    """What it is called, how well it parts the set, and what goes along with it."""
    parts = [f"{out / found.name}.safetensors"]
    if (accuracy := found.about.get("held_out_accuracy")) is not None:
        parts.append(f"{accuracy:.0%} right on {found.about['held_out']} held-out pictures (chance: 50 %)")
    strongest = [f"{key} {value:+.2f}" for key, value in list(found.about["correlations"].items())[:4]]
    parts.append(
        f"goes with {', '.join(strongest)}" if strongest else "not measured: curate label says by what to name it"
    )
    return "\n  ".join(parts)


def _checked(told: Checked) -> str:
    identity = "" if told.identity is None else f", identity {told.identity:.2f} at the ends"
    ends = f"{told.means[0]:.2f} to {told.means[-1]:.2f}"
    return (
        f"{told.plot}\n  {told.measure} {ends} on {told.faces} of {told.seeds} new seeds; "
        f"rises at every step on {told.rising:.0%}{identity}"
    )


def _told(told: Labelled) -> list[str]:
    lines = [f"{told.pictures:,} pictures" + ("" if told.faces is None else f", {told.faces:,} with a face")]
    for name, count in told.positive.items():
        above = f", above {told.thresholds[name]:.3g}" if name in told.thresholds else ""
        lines.append(f"  {name}: {count:,}{above}")
    for names, found in told.agreement.items():
        lines.append(f"  {names} agree on {found['share']:.0%} (kappa {found['kappa']:.2f})")
    return lines


def _next(manifest: Path, told: Labelled) -> str:
    name = next(iter(told.positive), "COLUMN")
    return f"next: curate direction {manifest} --method svm --label {name}"


def _known_noise(text: str) -> Noise:
    known: dict[str, Noise] = {"const": "const", "none": "none", "random": "random"}
    if text not in known:
        raise UsageError(f"--noise {text}: there are {', '.join(known)}", "const gives the same picture every time")
    return known[text]


def load_source(context: Context, run: Path, device: str | None) -> LatentRun:
    """The run, which may be named as it lies below the root."""
    from curate.train.latent import latent_run

    below = context.root / run
    return latent_run.load(below if below.exists() or not run.exists() else run, device)
