"""Two commands in one root or one folder: the second is told who is at work there, or waits; nothing is broken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curate.pipeline.core.at_work import hold
from curate.pipeline.export.stage import MARKER
from curate.pipeline.imaging import shards
from curate.pipeline.tables import manifest
from tests.support import scale
from tests.support.command import curate
from tests.support.tables import small_world
from tests.support.terminal import Terminal

# Each command, and what it may not begin beside: who writes these, and who reads those.
COMMANDS: dict[str, tuple[str, str]] = {
    "crop": ("crops", "crops"),
    "dedup": ("dedup crops", "dedup"),
    "pairs": ("pairs", "pairs"),
    "build": ("dataset crops dedup", "dataset"),
    "stats --html": ("report crops dedup pairs dataset", "report"),
    "export --to folders --out {root}/out": ("crops pairs dataset", ""),
    "train cyclegan": ("crops pairs dataset", ""),
    "forget {photo} -q": ("crops dedup pairs dataset report", "crops dedup pairs dataset report"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    small_world(root, portraits=6)
    curate("build", "--root", root)
    return root


@pytest.mark.parametrize("words", COMMANDS)
def test_each_command_says_who_is_in_its_way(words: str, world: Path) -> None:
    writers, readers = (names.split() for names in COMMANDS[words])
    photo = manifest.read(manifest.IMAGES, world)["image_id"][0].as_py()
    command = words.format(root=world, photo=photo).split()
    tables = {path: path.read_bytes() for path in (world / "manifests").glob("*.parquet")}
    for place in writers:
        with hold(world, writes=[place]):
            assert f"manifests/{place}: process {os.getpid()} " in curate(*command, "--root", world, code=2).stderr
    for place in readers:
        with hold(world, reads=[place]):
            assert "with --wait the same command" in curate(*command, "--root", world, code=2).stderr
    assert {path: path.read_bytes() for path in (world / "manifests").glob("*.parquet")} == tables
    assert not (world / "out").exists()


def test_commands_that_read_do_not_stop_each_other(world: Path) -> None:
    with hold(world, reads=["crops", "dedup", "pairs", "dataset"]):
        curate("stats", "--html", "--root", world)
        curate("export", "--to", "folders", "--out", world / "exported", "--root", world)


def test_the_count_is_shown_whoever_is_at_work(world: Path) -> None:
    with hold(world, writes=["crops", "dedup", "pairs", "dataset", "report"]):
        curate("stats", "--root", world)


def test_crops_are_not_cut_anew_under_another_command(tmp_path: Path) -> None:
    scale.world(tmp_path, 40)
    lock = tmp_path / "manifests/.crops.lock"
    words = [sys.executable, "-m", "curate", "crop", "--workers", "1", "-q"]
    with subprocess.Popen(words, cwd=tmp_path) as crop:
        while crop.poll() is None and not (lock.exists() and lock.read_text()):
            time.sleep(0.01)
        for other in (["crop", "--size", "96"], ["dedup"], ["stats", "--html"]):
            said = curate(*other, "--root", tmp_path, code=2).stderr
            assert f"process {crop.pid} (curate crop, since " in said
        crop.send_signal(signal.SIGKILL)
    curate("crop", "--root", tmp_path, "-q")  # at once: who was killed has no lock
    rows = manifest.accepted(manifest.read(manifest.CROPS, tmp_path))
    assert rows.num_rows and all(shards.read(tmp_path, path) for path in rows["path"].to_pylist())


def test_with_wait_it_begins_after_the_other(world: Path) -> None:
    words = [sys.executable, "-m", "curate", "build", "--wait"]
    with hold(world, writes=["dedup"]):
        build = subprocess.Popen(words, cwd=world, stderr=subprocess.PIPE, text=True)
        assert build.stderr is not None
        assert f"waiting: manifests/dedup: process {os.getpid()} " in build.stderr.readline()
        assert build.poll() is None
    assert build.communicate() and build.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_waits_ends_at_once(number: int, world: Path) -> None:
    words = [sys.executable, "-m", "curate", "build", "--wait"]
    with hold(world, writes=["dedup"]), subprocess.Popen(words, cwd=world, stderr=subprocess.PIPE, text=True) as build:
        assert build.stderr is not None and "waiting" in build.stderr.readline()
        build.send_signal(number)
        assert "the same command goes on" in build.communicate(timeout=60)[1]
    assert build.returncode == 130


def test_two_exports_into_one_folder(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with hold(folders=[out]):
        said = curate("export", "--to", "folders", "--out", out, "--root", world, code=2).stderr
        assert f"{out}: process {os.getpid()} " in said
    curate("export", "--to", "folders", "--out", out, "--root", world)


def test_an_export_that_was_killed_at_its_first_file_is_no_stranger_s(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ".curate.lock").write_text("1 (curate export, since long ago)\n")
    (out / f".{MARKER}.1.tmp").write_text("{")
    curate("export", "--to", "folders", "--out", out, "--root", world)
    assert not [path.name for path in out.iterdir() if path.name.endswith(("lock", ".tmp"))]


@pytest.mark.deep
@pytest.mark.slow
def test_dvc_beside_a_person_s_command_ends_in_a_clear_word(tmp_path: Path) -> None:
    curate("init", "demo", "--root", tmp_path)
    scale.world(tmp_path, 20)
    with Terminal(["dvc", "init", "--no-scm", "--quiet"], tmp_path) as terminal:
        assert terminal.ended() == 0
    with (tmp_path / "params.yaml").open("a") as params:
        params.write("dedup: {radius: 8}\nbuild: {val: 0.1}\n")
    for name in ("crop", "dedup", "build"):
        curate(name, "--root", tmp_path)
    tables = {path: path.read_bytes() for path in (tmp_path / "manifests").glob("*.parquet")}
    for stage, place in {"crop": "crops", "dedup": "dedup", "build": "dataset"}.items():
        with hold(tmp_path, reads=[place]):
            shown = repro(tmp_path, stage)
        assert f"process {os.getpid()} " in shown and f"failed to reproduce '{stage}'" in shown
        assert {path: path.read_bytes() for path in (tmp_path / "manifests").glob("*.parquet")} == tables
    assert "Running stage" in repro(tmp_path, "build") and "Running stage" not in repro(tmp_path, "build")
    assert {path: path.read_bytes() for path in (tmp_path / "manifests").glob("*.parquet")} == tables


def repro(root: Path, stage: str) -> str:
    """What `dvc repro` of this stage alone shows."""
    with Terminal(["dvc", "repro", "--single-item", stage], root) as terminal:
        terminal.ended(120)
        return terminal.shown
