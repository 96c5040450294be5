"""A picture in a format that is not read keeps its row, which names the format and says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curate.pipeline.imaging import codec
from curate.pipeline.scrape import stage, summary
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.scrape.outcome import Outcome, examine, holds
from curate.pipeline.tables import manifest
from tests.support.http_server import photo

RAW = b"FUJIFILMCCD-RAW 0201" + bytes(100) + photo(1)
LIMITS = Scrape(min_side=10)


def test_files_of_a_folder_are_named_whatever_they_are_called(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, data in {
        "fine.jpg": photo(1),
        "raw.RAF": RAW,
        "raw.jpg": RAW + b"2",
        "layers": b"8BPS\0\x01" + bytes(99),
        "empty.psd": b"",
        "notes.txt": b"8 b p s",
    }.items():
        (pictures / name).write_bytes(data)
    section = Scrape(min_side=10, queries=(Query(source="folder", input=str(pictures), domain="d"),))
    done = stage.run(section, tmp_path / "root")
    found = manifest.read(manifest.IMAGES, tmp_path / "root").to_pylist()
    assert sorted(row["reason"] for row in found) == ["not_image", "ok", *["unsupported"] * 3]
    extras = [json.loads(row["extra"]) for row in found if row["reason"] == "unsupported"]
    assert sorted(extra["format"] for extra in extras) == ["Fujifilm RAF", "Fujifilm RAF", "Photoshop PSD"]
    assert all(extra["advice"] for extra in extras)
    assert "cannot be read: 2 Fujifilm RAF: develop it" in summary.text(done)


def test_its_name_comes_before_its_size() -> None:
    found = examine(RAW, Scrape(min_side=10, max_bytes=50))
    assert (found.reason, found.format) == ("unsupported", "Fujifilm RAF")


@pytest.mark.parametrize("reads", [True, False])
def test_what_a_plugin_reads_is_tried_again_once_it_is_there(monkeypatch: pytest.MonkeyPatch, reads: bool) -> None:
    monkeypatch.setattr(codec, "reads_heic", lambda: reads)
    assert holds(Outcome("unsupported", format="HEIC"), LIMITS, same_run=False, address="") is not reads
    assert holds(Outcome("unsupported", format="Photoshop PSD"), LIMITS, same_run=False, address="")
