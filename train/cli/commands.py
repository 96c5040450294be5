"""The commands of the training half. Each body imports torch's modules, so that starting costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from curate.pipeline.cli.context import Context, add_command
from curate.pipeline.core.config import as_dict
from curate.pipeline.core.errors import UsageError
from curate.train.cli import params
from curate.train.cli.evaluate import compare, evaluate
from curate.train.cli.latent import direction, generate, label
from curate.train.cli.latent_photos import edit, project
from curate.train.cli.sbom import sbom
from curate.train.cli.serve import serve
from curate.train.cli.suspects import suspects
from curate.train.cli.train import train
from curate.train.cli.translate import Force, Renames, WhichSystem, known_direction, translate

GeneratorsOnly = Annotated[bool, typer.Option("--generators-only", help="Leave the discriminators out.")]


def register(app: typer.Typer) -> None:
    """Adds every training command to `app`."""
    add_command(app, suspects)
    add_command(app, train, waits=True)
    add_command(app, translate, waits=True)
    add_command(app, serve)
    add_command(app, evaluate, waits=True)
    add_command(app, compare, waits=True)
    add_command(app, generate, waits=True)
    add_command(app, label, waits=True)
    add_command(app, direction, waits=True)
    add_command(app, project, waits=True)
    add_command(app, edit, waits=True)
    weights = typer.Typer(help="Read and write other projects' checkpoints", no_args_is_help=True)
    add_command(weights, import_, waits=True)
    add_command(weights, export, waits=True)
    add_command(weights, show)
    app.add_typer(weights, name="weights")
    values = typer.Typer(help="Show the values of params.yaml, and where they come from", no_args_is_help=True)
    add_command(values, params.show)
    app.add_typer(values, name="params")
    add_command(app, sbom)


def import_(
    context: Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files of one checkpoint, their folder, or a run.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The safetensors file to write.")],
    system: WhichSystem = None,
    map_: Renames = None,
    direction: Annotated[
        str | None, typer.Option(help="What a lone generator does: a2b, if not given, or b2a.")
    ] = None,
    generators_only: GeneratorsOnly = False,
    half: Annotated[
        bool, typer.Option("--half", help="16-bit numbers: half the size, hardly another picture.")
    ] = False,
    force: Force = False,
) -> None:
    """Check another project's checkpoint, or take a run, and write its networks into one safe file."""
    from curate.train.weights import exchange, saved
    from curate.train.weights.unwrap import parse_rename

    renames = [parse_rename(text) for text in map_ or ()]
    imported = exchange.read(files, system, known_direction(direction or "a2b"), renames)
    if direction and not imported.assumed:
        raise UsageError(
            f"--direction {direction}: the networks' names say already what each of them does", "leave it out"
        )
    if generators_only:
        imported = saved.without_discriminators(imported)
    path = out if out.suffix else out.with_suffix(".safetensors")
    written = saved.save(imported, path, half=half, sources=files, force=force)
    result = {
        "system": imported.system,
        "networks": {role: len(state) for role, state in imported.networks.items()},
        "config": as_dict(imported.config),
        "side": imported.side,
        "notes": imported.notes,
        "written": str(written),
    }
    lines = [f"{imported.system}: {', '.join(imported.networks)}", *imported.notes, f"wrote {written}"]
    config: Any = imported.config
    if imported.generators:
        use = f"curate translate photo.jpg --weights {written}" if config.directions else f"curate generate {written}"
        lines.append(f"next: {use}")
    context.console.result(result, "\n".join(lines))


def export(
    context: Context,
    source: Annotated[
        Path, typer.Argument(metavar="RUN|FILE", help="A run, RUN@STEP, RUN@best, a file of one, or of weights.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write into.")],
    system: WhichSystem = None,
    map_: Renames = None,
    layout: Annotated[
        str | None,
        typer.Option(help="official; onnx; compact (cyclegan), image_converter (ugatit), keras-npz (cagan)."),
    ] = None,
    generators_only: GeneratorsOnly = False,
    force: Force = False,
) -> None:
    """Write trained networks as the project that they come from reads them, or as ONNX."""
    from curate.train.weights import exchange
    from curate.train.weights.unwrap import parse_rename

    renames = [parse_rename(text) for text in map_ or ()]
    if layout == "onnx":
        from curate.train.weights import onnx_export

        networks, _ = exchange.load([source], system, renames=renames, device="cpu")
        name, progress = networks.system.lower(), context.console.progress
        paths = onnx_export.write(networks, out, sources=[source], force=force, progress=progress)
    else:
        imported = exchange.read(source, system, renames=renames)
        name = imported.system
        paths = exchange.write(imported, out, layout, generators_only=generators_only, sources=[source], force=force)
    written = [str(path) for path in paths]
    told = [f"wrote {path}" for path in written]
    if layout == "onnx" and networks.directions:
        told.append(f"next: curate translate photo.jpg --onnx {written[0]}")
    context.console.result({"system": name, "written": written}, "\n".join(told))


def show(
    context: Context,
    files: Annotated[list[Path], typer.Argument(metavar="RUN|FILE...", help="Files of weights, or runs.")],
) -> None:
    """Show what lies in files of weights: names, shapes, counts, and the system that they are recognised as."""
    from curate.train.weights import exchange

    shown = [part for path in files for part in exchange.show(path)]
    lines = []
    for part in shown:
        lines.append(f"{part.where}: {part.system or 'no system that we know'}, {part.parameters:,} numbers")
        lines += [f"  {name}  {kind} {list(shape)}" for name, (kind, shape) in part.tensors.items()]
    context.console.result(shown, "\n".join(lines))
