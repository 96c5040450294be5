"""One call of the command: what goes wrong becomes one clear line. Imports nothing heavy: --help comes at once."""

from __future__ import annotations

import io
import sys

from curate.pipeline.core import interrupt
from curate.pipeline.core.errors import EXIT_BUG, EXIT_INTERRUPTED, CurateError
from curate.pipeline.core.optional_packages import missing
from curate.pipeline.core.terminal_text import guard_streams


def run(words: list[str]) -> None:
    """Runs the command that `words` call for, and ends the process where it went wrong: one clear line, an exit code.

    Raises KeyboardInterrupt for Ctrl-C, and what went wrong itself with --debug.
    """
    debug = "--debug" in words
    try:
        _run(words)
    except CurateError as error:
        if debug:
            raise
        _tell(error)
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt from None
        raise
    except BrokenPipeError:
        if interrupt.asked():
            raise KeyboardInterrupt from None
        sys.stderr.close()  # whoever read our output has left: not an error
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        if interrupt.asked():
            raise KeyboardInterrupt from error  # a library's word for it
        from curate.pipeline.core.files import unnamed_disk_error

        if isinstance(error, ModuleNotFoundError) and (told := missing(error)):
            _tell(told)
        if refused := unnamed_disk_error(error):
            _tell(refused)
        sys.stderr.write(
            f"curate: a bug of ours: {type(error).__name__}: {error}\n"
            "  run it again with --debug and report what it prints\n"
        )
        sys.exit(EXIT_BUG)


def _run(words: list[str]) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without the letters of a name shows its codes
    guard_streams()
    from curate.app import app
    from curate.pipeline.cli.context import spelled_out

    app(spelled_out(words), prog_name="curate")


def _tell(error: CurateError) -> None:
    from curate.pipeline.cli.console import Console

    Console(as_json="--json" in sys.argv).error(error)
    sys.exit(error.code)
