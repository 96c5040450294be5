"""A guide leads where it says: its commands, as they stand there, on drawn pictures."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.world import DrawnWorld
from curate.pipeline.imaging import codec
from curate.pipeline.tables import manifest
from tests.support import ROOT
from tests.support.command import curate

TAKES_LONG = {"review", "train", "evaluate", "serve", "doctor"}  # pages that wait for a person; training; the machine


def commands(page: str, heading: str) -> Iterator[list[str]]:
    """The words of each `curate` command in the first block below a heading of a guide."""
    text = (ROOT / f"docs/guide/{page}.md").read_text("utf-8")
    block = re.search(rf"^## {heading}$.*?^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert block
    for line in block.group(1).splitlines():
        for part in line.partition(" #")[0].split("&&"):
            if (words := shlex.split(part)) and words[0] == "curate":
                yield words[1:]


def test_the_guide_of_icons(tmp_path: Path) -> None:
    pytest.importorskip("torch")  # it ends with a translation
    world = DrawnWorld(Demo(seed=11, portraits=0, anime=6, icons=6, garments=0))
    for name, picture in world.pictures.items():
        folder = {"anime": "drawings", "icon": "icons"}.get(picture.truth.kind)
        if folder and picture.truth.fault is None:
            path = tmp_path / folder / f"{name.replace('/', '-')}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(world.encoded(picture))
    (drawing, *_) = sorted((tmp_path / "drawings").iterdir())
    drawing.rename(tmp_path / "character.png")
    typed = [words for words in commands("icon", "The way") if words[0] not in TAKES_LONG]
    assert [words[0] for words in typed] == "init scrape crop dedup build stats build translate".split()
    for words in typed:
        if "--root" in words:
            del words[words.index("--root") :][:2]
        if words[0] == "translate":
            words += ["--weights", "drawn-icon"]  # in the place of a trained run
            words[1:2], words[words.index("-o") + 1] = [str(tmp_path / words[1])], str(tmp_path / "my-icon.png")
        curate(*words, "--root", tmp_path)
    trained = manifest.read(manifest.DATASET, tmp_path).to_pylist()
    assert {row["domain"] for row in trained} == {"anime", "icons"}
    assert (tmp_path / "processed/report/index.html").is_file()
    assert codec.decode((tmp_path / "my-icon.png").read_bytes()).shape == (128, 128, 3)
