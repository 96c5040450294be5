"""All commands, as one application."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import curate
from curate.pipeline.cli import commands as data_commands
from curate.pipeline.core.optional_packages import DISTRIBUTION
from curate.train.cli import commands as training_commands

PANELS = {
    "Begin": "init doctor demo params",
    "Find pictures": "sources scrape credits forget",
    "Make the dataset": "crop dedup pairs build stats export",
    "Look and decide": "review keep reject undecide sort list select suspects",
    "Train and translate": "train translate serve evaluate compare",
    "StyleGAN2": "generate label direction project edit",
    "Models and packages": "models weights sbom",
}


class Panels(TyperGroup):
    """Commands below the heading of their panel, in the order of a project. typer's own panels need rich."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.commands))
        for title, names in PANELS.items():
            with formatter.section(title):
                formatter.write_dl([(n.ljust(width), self.commands[n].get_short_help_str(80)) for n in names.split()])


app = typer.Typer(
    name="curate",
    cls=Panels,
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
