"""A journal on a disk that refuses: what was noted before stays, and nothing is noted after a torn line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curate.pipeline.core.errors import CurateError
from curate.pipeline.scrape.journal import Journal


def test_after_a_line_that_a_disk_tore_none_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.avoid([1])
        whole = path.read_bytes()
        write = os.write

        def torn(file: int, text: bytes) -> int:
            return write(file, text[:5])

        def refused(file: int, size: int) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as disk:
            disk.setattr(os, "write", torn)
            disk.setattr(os, "ftruncate", refused)
            with pytest.raises(CurateError, match=r"journal\.jsonl: cannot write: no space"):
                journal.avoid([2])
        with pytest.raises(CurateError, match="cannot write"):
            journal.avoid([3])
    assert path.read_bytes().startswith(whole)
    with Journal(path) as again:
        assert again.avoided == {1}
        again.avoid([2])
    assert path.read_bytes().startswith(whole)
