"""The notebook of the demo does what it says: its cells, one after the other, with small settings."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support import ROOT
from tests.support.command import curate

NOTEBOOK = ROOT / "docs/notebooks/demo.ipynb"
SMALL = {"PEOPLE": 48, "STEPS": 2}  # in the place of the cell with the tag "parameters"
FLAGS = {"train": "--set run.threads=1 --set run.measure_every=0", "evaluate": "--features standin --images 4"}
TYPED = re.compile(r"^(\s*)!\{curate\} (.*)$", re.MULTILINE)  # a line for the shell, as notebooks have it


def cells() -> list[dict[str, Any]]:
    return [cell for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_has_no_output() -> None:
    assert not [cell for cell in cells() if cell["outputs"] or cell["execution_count"]]


def test_the_notebook_runs_from_the_first_cell_to_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)  # the cells go into their project's folder; this leads back

    def typed(line: str) -> None:
        words = shlex.split(line)
        curate(*words, *FLAGS.get(words[0], "").split(), folder=Path.cwd())

    names: dict[str, Any] = {"typed": typed}
    for cell in cells():
        if "parameters" in cell["metadata"].get("tags", ()):
            named: dict[str, Any] = {}
            exec("".join(cell["source"]), named)
            assert named.keys() >= SMALL.keys()
            names |= SMALL
            continue
        exec(TYPED.sub(r"\1typed(f'''\2''')", "".join(cell["source"])), names)
    project = tmp_path / "demo-notebook"
    assert json.loads((project / "processed/runs/cyclegan/metrics.json").read_text("utf-8"))["steps"] == SMALL["STEPS"]
    assert {row["status"] for row in names["images"].to_dict("records")} >= {"accepted", "rejected"}
    photo = names["photos"][0]
    assert np.abs(np.asarray(photo, int) - np.asarray(names["shorten"](photo))).max() > 20, "hair became backdrop"
    made = [Image.open(path) for path in sorted((project / "held-out").rglob("*.png"))]
    shown = names["sheet"](made[:1], columns=1, width=64)
    assert shown.height == round(64 * made[0].height / made[0].width)
