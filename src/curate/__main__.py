"""The `curate` command. Imports nothing before Ctrl-C is handled, and nothing heavy, so that --help answers at once."""

from __future__ import annotations

import io
import sys

from curate.pipeline.core import interrupt
from curate.pipeline.core.errors import EXIT_BUG, EXIT_INTERRUPTED, CurateError
from curate.pipeline.core.optional_packages import missing
from curate.pipeline.core.terminal_text import guard_streams

INTERRUPTED = "curate: interrupted; the same command goes on where it stopped\n"


def main() -> None:
    """Runs a command and turns what went wrong into one clear line and the right exit code."""
    try:
        interrupt.take_over()
        _told()
    except KeyboardInterrupt:
        exec("")  # else `python -m` ends itself by a signal where it came up within an exec, as of a dataclass
        sys.stderr.write(INTERRUPTED)
        sys.exit(EXIT_INTERRUPTED)


def _told() -> None:
    debug = "--debug" in sys.argv
    try:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(
                    errors="backslashreplace"
                )  # a terminal without the letters of a name shows its codes
        guard_streams()
        _run()
    except CurateError as error:
        if debug:
            raise
        _tell(error)
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # what typer makes of Ctrl-C
            sys.stderr.write(INTERRUPTED)
        raise
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has left: not an error
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        if interrupt.asked():
            raise KeyboardInterrupt from error  # a library's word for it
        if isinstance(error, ModuleNotFoundError) and (told := missing(error)):
            _tell(told)
        from curate.pipeline.core.files import unnamed_disk_error

        if refused := unnamed_disk_error(error):
            _tell(refused)
        sys.stderr.write(
            f"curate: a bug of ours: {type(error).__name__}: {error}\n"
            "  run it again with --debug and report what it prints\n"
        )
        sys.exit(EXIT_BUG)


def _run() -> None:
    from curate.app import app
    from curate.pipeline.cli.context import spelled_out

    app(spelled_out(sys.argv[1:]), prog_name="curate")


def _tell(error: CurateError) -> None:
    from curate.pipeline.cli.console import Console

    Console(as_json="--json" in sys.argv).error(error)
    sys.exit(error.code)


if __name__ == "__main__":
    main()
