"""A run folder that somebody else made: nothing is read, written, moved or deleted outside of it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.pipeline.core.confined_path import ConfinementError
from curate.pipeline.core.errors import UsageError
from curate.train.latent import picture_set
from curate.train.runs.claim import UNDO, settle
from curate.train.runs.run_dir import RunDir
from curate.train.runs.stored import find_in_run
from curate.train.trainer.run import run
from tests.support.training import tiny


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Somebody's own folder, in which a file lies."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "00000004.safetensors").write_bytes(b"precious")
    return folder


def untouched(folder: Path) -> bool:
    return {path.name: path.read_bytes() for path in folder.iterdir()} == {"00000004.safetensors": b"precious"}


@pytest.mark.parametrize(
    "part", ["checkpoints", "best", "samples", "samples/history", "tensorboard", "scalars.jsonl", "config.json"]
)
def test_no_part_of_a_run_may_be_a_link_out_of_it(part: str, tmp_path: Path, outside: Path) -> None:
    link = tmp_path / "root/run" / part
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / "00000004.safetensors" if "." in part else outside)
    with pytest.raises(ConfinementError, match=f"{part}: a link leads out of"):
        find_in_run(tmp_path / "root/run")
    with pytest.raises(ConfinementError, match=f"{part}: a link leads out of"):
        run(tiny(), tmp_path / "root", tmp_path / "root/run", on_change="fresh")
    assert untouched(outside) and link.is_symlink()


def test_a_run_is_not_written_through_a_link_out_of_the_root(tmp_path: Path, outside: Path) -> None:
    runs = tmp_path / "root/processed/runs"
    runs.mkdir(parents=True)
    (runs / "cyclegan").symlink_to(outside)
    with pytest.raises(ConfinementError, match="runs/cyclegan: a link leads out of"):
        run(tiny(), tmp_path / "root", runs / "cyclegan")
    assert untouched(outside) and [path.name for path in runs.iterdir()] == ["cyclegan"]


def test_a_run_may_hold_links_into_a_cache_below_the_root(tmp_path: Path) -> None:
    cached, folder = tmp_path / ".dvc/cache/files", tmp_path / "processed/runs/cyclegan"
    cached.mkdir(parents=True)
    folder.mkdir(parents=True)
    (folder / "config.json").symlink_to(cached / "0123")
    with pytest.raises(UsageError, match=r"no config\.json"):  # the link was followed
        RunDir(folder).read()


@pytest.mark.parametrize(
    "note",
    [
        *({"moved": name, "start": 0} for name in ("..", "../outside", "outside", "/outside", ".", "run", 7)),
        {"moved": ""},
        {"moved": "", "start": "many"},
        {"moved": "", "start": math.inf},
        [],
        7,
    ],
)
def test_a_note_of_another_folder_undoes_nothing(note: object, tmp_path: Path, outside: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / UNDO).write_text(json.dumps(note), "utf-8")
    with pytest.raises(UsageError, match="broken"):
        settle(RunDir(folder))
    assert untouched(outside) and (folder / UNDO).is_file()


def test_generated_pictures_lie_in_their_folder(tmp_path: Path) -> None:
    def plant(path: object, seed: object = 1) -> None:
        table = pa.table({"seed": [seed], "path": [path]})
        notes = {b"curate": json.dumps({"w_dim": 8}).encode()}
        pq.write_table(table.replace_schema_metadata(notes), tmp_path / picture_set.MANIFEST)

    plant("a.png")
    assert picture_set.read(tmp_path).files == [tmp_path / "a.png"]
    for path in ("../a.png", "/etc/passwd", "a\0b", ""):
        plant(path)
        with pytest.raises(ConfinementError):
            _ = picture_set.read(tmp_path).files
    for row in ((None, 1), (7, 1), ("a.png", "1")):
        plant(*row)
        with pytest.raises(UsageError, match="not a manifest"):
            picture_set.read(tmp_path)
