"""What is said when a disk refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.files import atomic_write, disk_error
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
