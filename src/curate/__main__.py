"""The `curate` command. Imports nothing before there is an answer to Ctrl-C: Python's own is a page of traceback."""

from __future__ import annotations

import sys

INTERRUPTED = "curate: interrupted; what is finished is kept, and the same command goes on\n"


def main() -> None:
    """Runs a command and turns what went wrong into one clear line and the right exit code."""
    try:
        try:
            from curate.pipeline.core import interrupt

            interrupt.take_over()
            from curate import command_line

            command_line.run(sys.argv[1:])
        finally:
            exec("")  # else `python -m` ends itself by a signal where Ctrl-C came up within an exec, as of a dataclass
    except KeyboardInterrupt:
        exec("")  # it may have come up within that one, when all was done
        from curate.pipeline.core.errors import EXIT_INTERRUPTED

        sys.stderr.write(INTERRUPTED)
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
