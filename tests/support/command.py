"""The `curate` command as a person types it, in this process: what it imports is imported once for all tests, and what
typer makes of its functions, two thirds of a quick command's time, is made once.

That a process of its own does the same: tests/end_to_end/test_import_name.py and test_scale.py.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import subprocess
from pathlib import Path
from unittest import mock

import typer.main

from curate.__main__ import main
from tests.support import ROOT

_command_of = functools.cache(typer.main.get_command)


def curate(
    *arguments: str | Path, code: int = 0, folder: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs `curate ARGUMENTS` in `folder`; `code` is the exit code that is expected."""
    done = run(*arguments, folder=folder, **environment)
    assert done.returncode == code, f"exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
    return done


def run(*arguments: str | Path, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same, whatever its exit code is."""
    words = ["curate", *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    ended: object = 0
    with (
        mock.patch("sys.argv", words),
        mock.patch("typer.main.get_command", _command_of),
        mock.patch.dict(os.environ, environment),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            ended = end.code or 0
    return subprocess.CompletedProcess(words, int(str(ended)), out.getvalue(), err.getvalue())
