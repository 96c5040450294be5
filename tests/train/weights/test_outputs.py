"""What a person has is never written over: the files that networks come from, and those of other projects."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.pipeline.core.errors import UsageError
from curate.train.weights import exchange, saved
from tests.support.foreign_weights import cyclegan, cyclegan_files


@pytest.fixture
def authors(tmp_path: Path) -> Path:
    """A folder of the authors' four files."""
    folder = tmp_path / "horse2zebra"
    folder.mkdir()
    cyclegan_files(folder, cyclegan())
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_are_not_written_over_by_what_is_made_of_them(authors: Path) -> None:
    before = content(authors)
    with pytest.raises(UsageError, match="is one of the inputs"):
        exchange.write(exchange.read(authors), authors, sources=[authors])
    one = next(iter(sorted(authors.glob("*.pth"))))
    with pytest.raises(UsageError, match=r"what is written is safetensors") as told:
        saved.save(exchange.read(one), one, sources=[one])
    assert str(one.with_suffix(".safetensors")) in told.value.hint
    assert content(authors) == before


def test_other_peoples_files_stay_unless_forced(authors: Path, tmp_path: Path) -> None:
    imported, before = exchange.read(authors), content(authors)
    with pytest.raises(UsageError, match="is there already"):
        exchange.write(imported, authors)
    assert content(authors) == before
    mine = saved.save(imported, tmp_path / "mine.safetensors", sources=[authors])
    with pytest.raises(UsageError, match="is one of the inputs"):
        saved.save(exchange.read(mine), mine, sources=[mine], force=True)
    exchange.write(imported, authors, force=True)


def test_the_same_export_twice_gives_the_same_bytes(authors: Path, tmp_path: Path) -> None:
    imported = exchange.read(authors)
    first = {path: path.read_bytes() for path in exchange.write(imported, tmp_path / "out")}
    assert {path: path.read_bytes() for path in exchange.write(imported, tmp_path / "out")} == first
