"""The `curate` command. Imports nothing heavy, so that --help answers at once."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

import curate
from curate.pipeline.cli import commands as data_commands
from curate.pipeline.cli.console import Console
from curate.pipeline.cli.context import spelled_out
from curate.pipeline.core.errors import EXIT_BUG, EXIT_INTERRUPTED, CurateError
from curate.pipeline.core.optional_packages import DISTRIBUTION, missing
from curate.pipeline.core.terminal_text import guard_streams
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


INTERRUPTED = "curate: interrupted; the same command goes on where it stopped\n"


def main() -> None:
    """Runs a command and turns what went wrong into one clear line and the right exit code."""
    debug = "--debug" in sys.argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without the letters of a name shows its codes
    guard_streams()
    try:
        app(spelled_out(sys.argv[1:]), prog_name="curate")
    except CurateError as error:
        if debug:
            raise
        Console(as_json="--json" in sys.argv).error(error)
        sys.exit(error.code)
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # what typer makes of Ctrl-C
            sys.stderr.write(INTERRUPTED)
        raise
    except KeyboardInterrupt:
        sys.stderr.write(INTERRUPTED)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has left: not an error
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, ModuleNotFoundError) and (told := missing(error)):
            Console(as_json="--json" in sys.argv).error(told)
            sys.exit(told.code)
        sys.stderr.write(
            f"curate: a bug of ours: {type(error).__name__}: {error}\n"
            "  run it again with --debug and report what it prints\n"
        )
        sys.exit(EXIT_BUG)


if __name__ == "__main__":
    main()
