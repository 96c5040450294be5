"""Commands run in children of one process that has imported everything: a try costs what the command costs.

Read from stdin, as JSON: the arguments of `run`; its result is answered on stdout.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path

TIME = 30  # s after which a command is taken for hanging


def run(argv: list[str], folder: str, said: str) -> int:
    """The exit code of `curate ARGV` in `folder`, negative for a signal; what it says goes to the file `said`."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        faulthandler.dump_traceback_later(TIME, exit=True)
        text = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(text, 1)
        os.dup2(text, 2)
        os.chdir(folder)
        sys.argv = ["curate", *argv]
        from curate.__main__ import main

        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # as the end of a process, without the finalizers of what the parent imported


def serve(modules: list[str]) -> None:
    """Imports those of `modules` that this machine has, then answers until stdin ends."""
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    for line in sys.stdin:
        print(run(**json.loads(line)), file=out, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    serve(sys.argv[1:])
