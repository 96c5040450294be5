"""Two at once: who writes is alone, who reads is not, and the second is told who is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from curate.pipeline.core.at_work import IN_FOLDER, PLACES, at_work, hold, waiting
from curate.pipeline.core.confined_path import ConfinementError
from curate.pipeline.core.errors import UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "manifests").mkdir()
    return tmp_path


HOLDER = """
import sys
from pathlib import Path
from curate.pipeline.core.at_work import hold
with hold(Path(sys.argv[1]), writes=sys.argv[2].split(), reads=sys.argv[3].split()):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another(root: Path, writes: str = "", reads: str = "") -> Iterator[subprocess.Popen[str]]:
    """Another process that holds these places until the block ends."""
    words = [sys.executable, "-c", HOLDER, str(root), writes, reads]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_who_writes_is_alone(root: Path) -> None:
    with another(root, writes="crops") as other:
        told = rf"manifests/crops: process {other.pid} \(-c, since .*\) is at work there"
        with pytest.raises(UsageError, match=told), hold(root, writes=["crops"]):
            pytest.fail("two at once")
        with pytest.raises(UsageError, match=told), hold(root, reads=["crops"], writes=["dedup"]):
            pytest.fail("two at once")
        with hold(root, writes=["dedup"], reads=["pairs"]):
            pass
        other.kill()
        other.wait()
        with hold(root, writes=["crops"]):  # a killed process's lock is free at once
            pass


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_who_was_stopped_is_named_and_how_to_let_it_go_on(root: Path) -> None:
    with another(root, writes="crops") as other:
        other.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, other.pid, os.WSTOPPED | os.WNOWAIT)
        told = rf"process {other.pid} \(-c, since .*\), stopped until `fg` or `kill -CONT`, is at work there"
        with pytest.raises(UsageError, match=told), hold(root, reads=["crops"]):
            pytest.fail("two at once")


def test_any_number_reads(root: Path) -> None:
    with another(root, reads="crops"), another(root, reads="crops dataset") as other, hold(root, reads=["crops"]):
        with pytest.raises(UsageError, match=r"crops: process .* and 2 more is"), hold(root, writes=["crops"]):
            pytest.fail("it is read")
        with pytest.raises(UsageError, match=rf"process {other.pid} "), hold(root, writes=["dataset"]):
            pytest.fail("it is read")


def test_one_waits_and_says_for_whom(root: Path) -> None:
    told: list[str] = []
    with another(root, writes="crops") as other:

        def note(text: str) -> None:
            told.append(text)
            other.kill()

        with waiting(note), hold(root, reads=["crops"]):
            assert told == [t for t in told if f"process {other.pid} " in t]
            assert len(told) == 1
    with another(root, writes="crops"), pytest.raises(UsageError), hold(root, reads=["crops"]):
        pytest.fail("it does not wait any more")


def test_a_folder_is_written_by_one_and_nothing_is_left_of_that(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    with hold(folders=[out]):
        assert str(os.getpid()) in (out / IN_FOLDER).read_text()
        with pytest.raises(UsageError, match=f"{out}: process"), hold(folders=[tmp_path / "a" / ".." / "a" / "out"]):
            pytest.fail("two at once")
        with hold(folders=[tmp_path / "a"]):
            pass
        assert (out / IN_FOLDER).exists()
    assert not list(tmp_path.iterdir())
    out.mkdir(parents=True)
    (out / "mine").touch()
    with hold(folders=[out]):
        pass
    assert [path.name for path in out.iterdir()] == ["mine"]


def test_a_function_says_what_it_reads_and_writes(root: Path) -> None:
    @at_work(writes=["dedup"], reads=["crops"], folder="out")
    def stage(section: int, root: Path, out: Path, *, more: int = 0) -> int:
        with pytest.raises(UsageError), hold(root, writes=["crops"]):
            pytest.fail("it is read")
        with pytest.raises(UsageError), hold(root, reads=["dedup"]):
            pytest.fail("it is written")
        with pytest.raises(UsageError), hold(folders=[out]):
            pytest.fail("it is written")
        return section + more

    assert stage(1, root, root / "out", more=2) == 3
    assert stage.__doc__ == stage.__wrapped__.__doc__  # type: ignore[attr-defined]


def test_no_lock_is_made_outside_of_the_root(root: Path) -> None:
    (root / PLACES["crops"]).symlink_to(root.parent / "outside")
    with pytest.raises(ConfinementError), hold(root, writes=["crops"]):
        pytest.fail("locked")
    assert not (root.parent / "outside").exists()


def test_where_nothing_is_nothing_is_made(tmp_path: Path) -> None:
    with hold(tmp_path, writes=PLACES):
        assert not list(tmp_path.iterdir())
