"""Locks between processes, and what is said when a disk refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.files import atomic_write, disk_error, exclusive_lock


def taken(owner: str) -> UsageError:
    return UsageError(f"process {owner} is at work", "wait for it")


def test_a_lock_is_one_process_s_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / ".lock"
    with exclusive_lock(path, taken):
        with pytest.raises(UsageError, match=f"process {os.getpid()} is at work"), exclusive_lock(path, taken):
            pytest.fail("two at once")
        assert path.read_text() == str(os.getpid())
    assert not path.read_text()
    with pytest.raises(OSError, match="inside"), exclusive_lock(path, taken):
        raise OSError("inside")  # what fails in the block is the block's own
    with exclusive_lock(path, taken):
        pass


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
