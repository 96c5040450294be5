"""All commands, as one application."""

from __future__ import annotations

from typing import Annotated

import typer

import curate
from curate.pipeline.cli import commands as data_commands
from curate.pipeline.core.optional_packages import DISTRIBUTION
from curate.train.cli import commands as training_commands

app = typer.Typer(
    name="curate",
    help="From a query to a trained image translator: scrape, crop, dedup, pair, train, translate.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{DISTRIBUTION} {curate.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    pass


data_commands.register(app)
training_commands.register(app)
