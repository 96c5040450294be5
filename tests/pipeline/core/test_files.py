"""What is said when a disk refuses."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.files import atomic_write, disk_error, unnamed_disk_error
from curate.pipeline.core.locks import exclusive_lock


def taken(owner: str) -> UsageError:
    return UsageError(f"process {owner} is at work", "wait for it")


def test_a_disk_that_refuses_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CurateError, match="cannot write") as caught, exclusive_lock(tmp_path / "file/.lock", taken):
        pytest.fail("locked")
    assert caught.value.hint == "free some space or mend the rights, then run it again"
    with pytest.raises(CurateError, match="cannot write") as caught, atomic_write(tmp_path / "file/a"):
        pytest.fail("written")
    assert caught.value.hint == "free some space or mend the rights, then run it again"
    full = disk_error(tmp_path / "a", OSError(28, "No space left on device"), "the same command goes on")
    assert (full.message, full.hint) == (f"{tmp_path / 'a'}: cannot write: No space left on device", full.hint)


def test_a_lock_whose_disk_refuses_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*given: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", refused)
    monkeypatch.setattr(os, "ftruncate", refused)
    with (
        pytest.raises(CurateError, match=r"\.lock: cannot write: No space"),
        exclusive_lock(tmp_path / ".lock", taken),
    ):
        pytest.fail("locked")


@pytest.mark.parametrize("named", [True, False])
def test_a_disk_s_error_that_nobody_named_is_told_all_the_same(named: bool, tmp_path: Path) -> None:
    path = tmp_path / "a"
    told = unnamed_disk_error(OSError(28, "No space left on device", str(path) if named else None))
    assert told is not None and told.code == 2
    assert told.message == f"{path if named else Path.cwd()}: cannot write: No space left on device"
    assert unnamed_disk_error(OSError(2, "No such file or directory", str(path))) is None
    assert unnamed_disk_error(ValueError("28")) is None
    broken = unnamed_disk_error(OSError(5, "Input/output error", str(path) if named else None))
    assert broken is not None and broken.message == f"{path if named else Path.cwd()}: Input/output error"
    assert broken.hint == "look at the disk, then run it again"


@pytest.mark.parametrize(
    ("number", "hint"),
    [(errno.EACCES, "mend its rights: chmod, chown"), (errno.EISDIR, "move away what lies there")],
)
def test_a_path_that_is_in_the_way_is_told_with_what_to_do(number: int, hint: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    told = unnamed_disk_error(OSError(number, os.strerror(number), str(path)))
    assert told is not None and told.code == 2
    assert (told.message, told.hint) == (f"{path}: {os.strerror(number)}", f"{hint}, then run it again")
    assert unnamed_disk_error(OSError(number, os.strerror(number))) is None  # nothing to name: a bug of ours
