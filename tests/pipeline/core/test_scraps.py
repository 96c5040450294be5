"""What killed writers left goes, and what is being written stays."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curate.pipeline.core import scraps
from curate.pipeline.core.files import atomic_write
from tests.support.command import curate

WRITER = """
import sys, time
from pathlib import Path
from curate.pipeline.core.files import atomic_write
with atomic_write(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print(temporary, flush=True)
    time.sleep(60)
"""


def test_a_killed_writer_s_scrap_goes_and_a_living_one_s_stays(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "a"], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    scrap = Path(writer.stdout.readline().strip())
    with atomic_write(tmp_path / "mine") as temporary:
        scraps.sweep(tmp_path)
        assert scrap.read_text() == "half" and temporary.exists()
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    assert scrap.exists()
    scraps.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_number_that_another_process_has_by_now_saves_no_scrap(tmp_path: Path) -> None:
    scrap = tmp_path / f".a.curate-{scraps.machine()}-{os.getpid()}-1000000.tmp"
    scrap.write_text("of a process that had our number")
    scraps.sweep(tmp_path)
    assert not scrap.exists()


@pytest.mark.parametrize(("hours", "left"), [(1, True), (25, False)])
def test_another_machine_s_wait_until_they_are_old(hours: int, left: bool, tmp_path: Path) -> None:
    scrap = tmp_path / ".a.curate-0badcafe-77-0.tmp"
    scrap.write_text("half")
    then = time.time() - hours * 3600
    os.utime(scrap, (then, then))
    scraps.sweep(tmp_path)
    assert scrap.exists() == left


def test_a_disk_without_locks_keeps_its_scraps_until_they_are_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(file: int, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    scrap = tmp_path / f".a.curate-{scraps.machine()}-4711-0.tmp"
    scrap.write_text("half")
    with atomic_write(tmp_path / "a") as temporary:
        temporary.write_text("whole")
        scraps.sweep(tmp_path)
        assert temporary.exists()
    assert scrap.exists()
    os.utime(scrap, (0, 0))
    scraps.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_is_no_scrap_of_ours_stays(tmp_path: Path) -> None:
    folder = ".folder.curate-0badcafe-1-1.tmp"
    theirs = ["notes.tmp", ".tmp", ".x.12.tmp", "a.curate-0badcafe-1-1.tmp", f".a.curate-{scraps.machine()}-x-0.tmp"]
    for name in theirs:
        (tmp_path / name).write_text("mine")
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / folder).mkdir()
    outside = tmp_path / "outside"
    outside.write_text("kept")
    link = tmp_path / f".l.curate-{scraps.machine()}-1-0.tmp"
    link.symlink_to(outside)
    scraps.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *theirs,
        ".folder.curate-0badcafe-1-1.tmp",
        "outside",
        link.name,
    }
    assert outside.read_text() == "kept"


def test_a_name_of_any_length_is_written(tmp_path: Path) -> None:
    with atomic_write(tmp_path / ("界" * 85)) as temporary:  # 255 bytes
        temporary.write_text("whole")
    assert [len(path.name) for path in tmp_path.iterdir()] == [85]


def test_a_file_that_was_swept_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock
    times = []

    def late(file: int, how: int) -> None:
        times.append(how)
        if len(times) == 1:
            for path in tmp_path.iterdir():
                path.unlink()
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with scraps.temporary_beside(tmp_path / "a") as temporary:
        assert temporary.exists()
    assert len(times) == 2


def test_the_next_command_sweeps_the_folders_of_its_root(tmp_path: Path) -> None:
    places = [tmp_path, *(tmp_path / name for name in ("manifests", "processed/report", "processed/runs/a/samples"))]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / f".a.curate-{scraps.machine()}-4711-0.tmp").write_text("half")
    curate("params", "show", "crop", "--root", tmp_path)
    assert list(tmp_path.rglob("*.tmp")) == []
