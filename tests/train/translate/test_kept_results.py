"""A command that was ended goes on: what it translated, of equal photos by equal settings, is kept."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.pipeline.core import scraps
from curate.pipeline.core.errors import InterruptionError
from curate.pipeline.core.outputs import RECORD
from curate.pipeline.imaging import codec
from curate.train.translate import stage, try_on
from curate.train.translate.pictures import Output
from curate.train.translate.translator import Translator
from tests.support.painter import painter
from tests.support.training import drawn
from tests.train.translate.test_try_on import article_files, painted_try_on

__all__ = ["article_files"]  # a fixture
PHOTOS = 3


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of three photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(PHOTOS):
        (folder / f"{number}.png").write_bytes(codec.encode_png(drawn(0, number)))
    return folder


def translated(photos: Path, out: Path, output: Output | None = None, paints: Any = "all") -> tuple[list[Any], int]:
    """What the command gives, and how many photos the networks saw for it."""
    networks = painter(paints)
    results = stage.run(Translator(networks, "a2b", align=False, size=64), [photos], out, output or Output())
    return results, len(networks.recipe.seen)  # type: ignore[attr-defined]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pressed_at(call: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, in whose call number `call` Ctrl-C is pressed."""
    calls = [0]

    def pressed(*given: object) -> object:
        calls[0] += 1
        if calls[0] == call:
            os.kill(os.getpid(), signal.SIGINT)
        return real(*given)

    return pressed


def test_after_ctrl_c_the_photo_that_is_begun_is_finished_and_the_same_call_makes_the_others(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = translated(photos, tmp_path / "whole")
    with monkeypatch.context() as pressing, pytest.raises(InterruptionError, match="2 pictures are written, of 3"):
        pressing.setattr(stage, "read_photo", pressed_at(2, stage.read_photo))
        translated(photos, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["0.png", "1.png"]
    results, seen = translated(photos, tmp_path / "out")
    assert seen == 1
    assert [Path(one.output).name for one in results] == [Path(one.output).name for one in whole]
    assert [(one.input, one.affine, one.box) for one in results] == [(one.input, one.affine, one.box) for one in whole]
    names = {name for name in files(tmp_path / "whole") if not name.endswith(".json") and name != RECORD}
    assert len(names) == PHOTOS
    assert all(files(tmp_path / "whole")[name] == files(tmp_path / "out")[name] for name in names)


def test_what_is_whole_and_alike_is_kept_and_nothing_else(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert translated(photos, out)[1] == PHOTOS
    before = files(out)
    scrap = out / f".0.png.curate-{scraps.machine()}-1-1.tmp"  # a killed command's
    scrap.write_bytes(b"half")
    assert translated(photos, out)[1] == 0
    assert files(out) == before
    (out / "1.json").unlink()
    assert translated(photos, out)[1] == 1
    assert files(out) == before
    (photos / "2.png").write_bytes(codec.encode_png(drawn(1, 9)))  # another photo of that name
    assert translated(photos, out)[1] == 1
    assert translated(photos, out, Output(force=True))[1] == PHOTOS
    assert translated(photos, out, Output(strength=0.5))[1] == PHOTOS
    assert translated(photos, out)[1] == PHOTOS, "the newest are of other settings"


@pytest.mark.parametrize("broken", ["told", "files", "name", "torn"])
def test_a_record_that_tells_what_is_not_so_keeps_nothing(broken: str, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    translated(photos, out)
    before = files(out)
    lines = []
    for line in (out / RECORD).read_text().splitlines():
        entry = json.loads(line)
        if "made_of" in entry:
            name = next(iter(entry["files"]))
            bad = {"told": [{"input": 3}], "files": [1], "name": {f"../out/{name}": entry["files"][name]}}
            entry |= {"files" if broken == "name" else broken: bad.get(broken)}
        lines.append(json.dumps(entry)[: 40 if broken == "torn" and "made_of" in entry else None])
    (out / RECORD).write_text("\n".join(lines) + "\n")
    assert translated(photos, out)[1] == PHOTOS
    assert files(out) == before


def test_people_who_have_tried_an_article_on_are_kept(article_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = article_files
    jobs = try_on.list_jobs([root / "people"], [root / "articles"])
    whole = try_on.run(painted_try_on()[0], jobs, root / "whole")
    with monkeypatch.context() as pressing, pytest.raises(InterruptionError, match="3 pictures are written, of 4"):
        pressing.setattr(try_on, "_run_job", pressed_at(3, try_on._run_job))
        try_on.run(painted_try_on()[0], jobs, root / "out")
    assert not (root / "out/grid.png").exists()
    before = files(root / "out")
    results = try_on.run(painted_try_on()[0], jobs, root / "out")
    assert [(one.input, one.article, one.affine) for one in results] == [
        (one.input, one.article, one.affine) for one in whole
    ]
    assert files(root / "out").items() >= {n: data for n, data in before.items() if n != RECORD}.items()
    assert np.array_equal(*(codec.decode((root / name / "grid.png").read_bytes()) for name in ("whole", "out")))
