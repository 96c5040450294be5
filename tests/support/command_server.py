"""Commands run in children of one process that has imported what they need: a try costs what the command costs.

Read from stdin, as JSON: the arguments of `run`; its result is answered on stdout. What a command had to import, its
process imports once it has ended, for those that come.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path

from typer.main import get_command

from curate import app

TIME = 300  # s after which a command is taken for hanging, on however busy a machine


def run(argv: list[str], typed: str, visit: str, folder: str, said: str, imported: str) -> int:
    """The exit code of `curate ARGV` in `folder`, negative for a signal, 2 where its page told a visitor of an error.

    What it says goes to the file `said`, the names of the modules that it had in the end to `imported`. What is `typed`
    comes from a terminal; `visit` names the function of page_visits.py that goes to its page.
    """
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
        if typed:
            keyboard, terminal = os.openpty()
            os.write(keyboard, typed.encode())
            os.dup2(terminal, 0)
        os.chdir(folder)
        sys.argv = ["curate", *argv]
        code = _ended(visit, Path(said))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        Path(imported).write_text("\n".join(sys.modules), "utf-8")
        os._exit(code)  # as the end of a process, without the finalizers of what the parent imported


def _ended(visit: str, said: Path) -> int:
    """The exit code of the command in sys.argv, which is visited, if it is to be, meanwhile."""
    from curate.__main__ import main

    visitor = None
    if visit:
        from tests.support import page_visits

        visitor = page_visits.Visitor(getattr(page_visits, visit), said)
    try:
        main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    return visitor.code if visitor and not code else code


def serve() -> None:
    """Answers until stdin ends."""
    app.app = get_command(app.app)  # type: ignore[assignment]  # what it makes of itself whenever it is called
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    known: set[str] = set()
    for line in sys.stdin:
        asked = json.loads(line)
        print(run(**asked), file=out, flush=True)
        with contextlib.suppress(FileNotFoundError):  # a signal has ended it
            known |= _import(set(Path(asked["imported"]).read_text("utf-8").split("\n")) - known)


def _import(names: set[str]) -> set[str]:
    """Imports those of `names` that can be; returns them all."""
    for name in names - sys.modules.keys():
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    if names:
        gc.collect()
        gc.freeze()  # a child that looks through all of this for garbage gets a copy of its own of the pages
    return names


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    serve()
