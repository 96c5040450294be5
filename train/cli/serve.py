"""The command `curate serve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.pipeline.cli.context import Context
from curate.pipeline.core.errors import UsageError

if TYPE_CHECKING:
    from curate.train.runs.photo_networks import PhotoNetworks

RUNS = Path("processed/runs")
DEMO = Path("drawn-hair")  # of the weights that come with curate


def serve(
    context: Context,
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN|FILE...", help="Runs, RUN@STEP, files of weights or ONNX; all runs if not given."),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Networks that come with curate, and drawn people.")] = False,
    port: Annotated[int | None, typer.Option(help="Of 127.0.0.1; the first free one from 8765 without it.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
) -> None:
    """Translate photos on a page: drop one or use the camera, compare before and after, keep the picture."""
    if demo and runs:
        raise UsageError("RUN with --demo: the demo has networks of its own", "leave one of them out")
    from curate.pipeline.demo import samples
    from curate.pipeline.web import loopback
    from curate.train.serve import routes
    from curate.train.serve.ways import Ways

    wanted = [DEMO] if demo else runs or _all_runs(context)
    ways = Ways([_loaded(path, device) for path in wanted])
    token = loopback.new_token()
    page = routes.page(ways, token, samples.draw() if demo else None)
    listening = loopback.listen(port)
    offered = ", ".join(f"{way.source} {'' if way.wears else 'to '}{way.target} ({way.name})" for way in ways.all)
    told = f"{offered}\nserve: {loopback.address(listening, token)}   (for this machine alone; Ctrl-C ends it)"
    loopback.run(page, listening, lambda: context.console.say(told))


def _all_runs(context: Context) -> list[Path]:
    """The runs below the root that translate photos. Raises UsageError where there are none."""
    from curate.train.runs.find import translating_runs

    try:
        return translating_runs(context.root / RUNS)
    except UsageError as error:
        raise UsageError(error.message, f"{error.hint}; or look at the demo: curate serve --demo") from None


def _loaded(path: Path, device: str | None) -> PhotoNetworks:
    if path.suffix == ".onnx":
        from curate.train.translate import onnx_networks

        return onnx_networks.load(path)
    from curate.train.weights import exchange

    return exchange.load([path], device=device or "auto")[0]
