"""curate in a folder that holds other people's modules: nothing there is imported in place of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

SCRIPTS = Path(sysconfig.get_path("scripts"))

SPAWN = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from curate.pipeline.core import parallel
if __name__ == "__main__":
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        print(pool.submit(parallel.cores, parallel.Engine(workers=3)).result())
"""

COMMANDS = {
    "load": ([sys.executable, "-c", "from curate import load; print(load.__module__)"], "curate.train.translate.api"),
    "module": ([sys.executable, "-m", "curate", "--help"], "scrape"),
    "script": ([str(SCRIPTS / "curate"), "--help"], "scrape"),
    "torchrun": ([str(SCRIPTS / "torchrun"), "--nproc-per-node", "1", "-m", "curate", "--help"], "scrape"),
    "spawn": ([sys.executable, "spawn.py"], "3"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with somebody's train.py, pipeline.py and presets.py, and a clone of curate as a subfolder."""
    for name in ("train", "pipeline", "presets"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('somebody else''s {name}.py')\n")
    for name in ("src", "train", "pipeline", "presets"):  # no __init__.py: a namespace package, if anything
        (tmp_path / "curate" / name).mkdir(parents=True)
    (tmp_path / "spawn.py").write_text(SPAWN)
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_curate_is_found_whatever_the_folder_holds(folder: Path, name: str) -> None:
    command, expected = COMMANDS[name]
    done = subprocess.run(
        command,
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
    assert "somebody" not in done.stderr
