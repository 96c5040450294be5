"""The door opens at once, and light commands stay light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "torchvision", "cv2", "dlib", "numpy", "pandas", "pyarrow", "requests", "PIL", "scipy", "rich"}


def loaded(*arguments: str) -> set[str]:
    """Top-level modules that are loaded after `curate *arguments` in a fresh interpreter."""
    code = (
        "import sys, contextlib, io\n"
        f"sys.argv = ['curate', *{list(arguments)!r}]\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    from curate.__main__ import main; main()\n"
        "print(' '.join({m.partition('.')[0] for m in sys.modules}))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_help_loads_nothing_heavy() -> None:
    modules = loaded("--help")
    assert "typer" in modules
    assert not modules & HEAVY


@pytest.mark.parametrize("command", ["scrape", "crop", "train", "translate", "stats"])
def test_the_help_of_a_command_loads_nothing_heavy(command: str) -> None:
    assert not loaded(command, "--help") & HEAVY


def test_stats_loads_neither_torch_nor_opencv(tmp_path: Path) -> None:
    modules = loaded("stats", "--root", str(tmp_path))
    assert "pyarrow" in modules
    assert not modules & {"torch", "torchvision", "cv2", "dlib"}


def test_a_scrape_loads_neither_pandas_nor_an_html_parser(tmp_path: Path) -> None:
    """Arrow loads pandas where it meets a Python value, in a fifth of a second: more than 200 images take."""
    given = tmp_path / "list.txt"
    given.write_text("data:image/gif;base64,\n")
    modules = loaded("scrape", "--source", "urls", "--input", str(given), "--root", str(tmp_path))
    assert (tmp_path / "manifests/images.parquet").is_file()
    assert {"pyarrow", "requests"} <= modules
    assert not modules & {"pandas", "bs4", "torch", "dlib", "scipy"}
