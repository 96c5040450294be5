"""The door opens at once, and light commands stay light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = {"torch", "torchvision", "cv2", "dlib", "numpy", "pandas", "pyarrow", "requests", "PIL", "scipy", "rich"}


def loaded(*commands: str) -> set[str]:
    """Top-level modules that are loaded after `curate COMMAND`, for each of `commands`, in a fresh interpreter."""
    code = (
        "import sys, contextlib, io\n"
        "from curate.__main__ import main\n"
        f"for command in {commands!r}:\n"
        "    sys.argv = ['curate', *command.split()]\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        main()\n"
        "print(' '.join({m.partition('.')[0] for m in sys.modules}))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_help_loads_nothing_heavy() -> None:
    modules = loaded("--help", *(f"{name} --help" for name in "scrape crop train translate stats".split()))
    assert "typer" in modules
    assert not modules & HEAVY


def test_stats_loads_neither_torch_nor_opencv(tmp_path: Path) -> None:
    modules = loaded(f"stats --root {tmp_path}")
    assert "pyarrow" in modules
    assert not modules & {"torch", "torchvision", "cv2", "dlib"}


def test_a_scrape_loads_neither_pandas_nor_an_html_parser(tmp_path: Path) -> None:
    """Arrow loads pandas where it meets a Python value, in a fifth of a second: more than 200 images take."""
    given = tmp_path / "list.txt"
    given.write_text("data:image/gif;base64,\n")
    modules = loaded(f"scrape --source urls --input {given} --root {tmp_path}")
    assert (tmp_path / "manifests/images.parquet").is_file()
    assert {"pyarrow", "requests"} <= modules
    assert not modules & {"pandas", "bs4", "torch", "dlib", "scipy"}


def test_nothing_is_imported_before_ctrl_c_has_its_answer() -> None:
    """Python's own is a page of traceback."""
    code = "import sys; before = {*sys.modules}; import curate.__main__; print(*{*sys.modules} - before)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {*run.stdout.split()} <= {"curate", "curate.__main__", "__future__"}
