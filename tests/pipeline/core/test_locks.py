"""Locks between processes, also where the file system has none."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from curate.pipeline.core import locks
from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.locks import exclusive_lock, waiting_lock


def taken(owner: str) -> UsageError:
    return UsageError(f"process {owner} is at work", "wait for it")


def refuse_locks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def flock(file: object, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_a_lock_is_one_process_s_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / ".lock"
    with exclusive_lock(path, taken):
        with pytest.raises(UsageError, match=r"\(pytest, since 2\d{3}-.*\) is at work"), exclusive_lock(path, taken):
            pytest.fail("two at once")
        assert path.read_text().startswith(f"{os.getpid()} ")
    assert not path.read_text()
    with pytest.raises(OSError, match="inside"), exclusive_lock(path, taken):
        raise OSError("inside")  # what fails in the block is the block's own
    with exclusive_lock(path, taken):
        pass


def held_by_a_child(path: Path, owner: int, seconds: float) -> subprocess.Popen[bytes]:
    """A process that has the lock `path` for a while, in the name of `owner`, which began it."""
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(str(owner))
        file.flush()
        return subprocess.Popen(["sleep", str(seconds)], pass_fds=[file.fileno()])


def test_what_a_killed_process_had_begun_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ".lock"
    gone = subprocess.Popen(["true"])
    gone.wait()
    with held_by_a_child(path, gone.pid, 0.3), exclusive_lock(path, taken):
        assert path.read_text().startswith(f"{os.getpid()} ")
    monkeypatch.setattr(locks, "LINGERS", 0.1)
    with held_by_a_child(path, gone.pid, 1) as child:
        with pytest.raises(UsageError, match=f"process {gone.pid} is at work"), exclusive_lock(path, taken):
            pytest.fail("two at once")
        child.kill()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_locks_of_the_file_system_a_file_stands_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    refuse_locks(monkeypatch, number)
    path, owner = tmp_path / ".lock", tmp_path / ".lock.owner"
    with exclusive_lock(path, taken):
        with (
            pytest.raises(UsageError, match=rf"process {os.getpid()} of .*delete {owner}"),
            exclusive_lock(path, taken),
        ):
            pytest.fail("two at once")
        assert owner.is_file()
    assert not owner.exists()
    owner.write_text("1 another-machine")
    with pytest.raises(UsageError, match="1 of another-machine"), exclusive_lock(path, taken):
        pytest.fail("another machine has it")
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    owner.write_text(f"{int(ended.stdout)} {platform.node()}")
    with exclusive_lock(path, taken):  # of a dead process of this machine
        assert owner.read_text().startswith(f"{os.getpid()} ")


def test_those_who_share_a_lock_are_named_to_who_wants_it_alone(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    one, other = (exclusive_lock(path, taken, shared=True) for _ in range(2))
    with one:
        told = rf"process {os.getpid()} .*\) and 1 more is"
        with other, pytest.raises(UsageError, match=told), exclusive_lock(path, taken):
            pytest.fail("two at once")
        with pytest.raises(UsageError, match=f"process {os.getpid()} "), exclusive_lock(path, taken):
            pytest.fail("two at once")
    assert not path.read_text()
    with exclusive_lock(path, taken), pytest.raises(UsageError), exclusive_lock(path, taken, shared=True):
        pytest.fail("two at once")


def test_to_share_asks_for_no_right_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    with exclusive_lock(tmp_path / "l", taken, shared=True):
        assert not list(tmp_path.iterdir())
    with pytest.raises(CurateError, match="cannot write: Read-only"), exclusive_lock(tmp_path / "l", taken):
        pytest.fail("locked")


def test_a_disk_that_fails_later_is_one_clear_line_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full, pytest.raises(CurateError, match="cannot write: No space"):
        full.setattr(os, "write", refuse)
        exclusive_lock(tmp_path / "l", taken).__enter__()
    with monkeypatch.context() as full, exclusive_lock(tmp_path / "l", taken):
        full.setattr(os, "ftruncate", refuse)
    with exclusive_lock(tmp_path / "l", taken):  # nobody has it
        pass


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "l").symlink_to("precious")
    with pytest.raises(CurateError, match="symbolic links"), exclusive_lock(tmp_path / "l", taken):
        pytest.fail("locked")
    assert (tmp_path / "precious").read_text() == "precious"


def test_where_there_are_no_locks_who_shares_looks_whether_somebody_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_locks(monkeypatch, errno.ENOLCK)
    reader, writer, late = (exclusive_lock(tmp_path / "l", taken, shared=shared) for shared in (True, False, True))
    with reader, writer, pytest.raises(UsageError), late:
        pytest.fail("two at once")
    assert not (tmp_path / "l.owner").exists()


def test_a_disk_that_fails_is_not_called_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_locks(monkeypatch, errno.EIO)
    with pytest.raises(CurateError, match="cannot write: Input/output error"), exclusive_lock(tmp_path / "l", taken):
        pytest.fail("locked")


@pytest.mark.parametrize("has_locks", [True, False])
def test_one_waits_for_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_locks: bool) -> None:
    if not has_locks:
        refuse_locks(monkeypatch, errno.ENOLCK)
    told: list[str] = []
    inside: list[int] = []

    def second() -> None:
        with waiting_lock(tmp_path / ".lock", told.append):
            inside.append(2)

    with waiting_lock(tmp_path / ".lock", told.append):
        thread = threading.Thread(target=second)
        thread.start()
        while not told:
            pass
        inside.append(1)
    thread.join()
    assert inside == [1, 2]
    assert len(told) == 1
    assert told[0].startswith(str(os.getpid()))
