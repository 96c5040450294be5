"""Titles, names, domains and addresses are strangers': one place for each way out, and nobody else writes there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    path
    for folder in ("pipeline", "train", "src/curate")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not path.is_relative_to(ROOT / "src/curate/pipeline") and not path.is_relative_to(ROOT / "src/curate/train")
]
WAYS = {
    r"sys\.(stdout|stderr)\.write|sys\.__std": {
        "pipeline/cli/console.py",
        "src/curate/__main__.py",  # words of our own
        "src/curate/command_line.py",  # through its guarded streams
    },
    r"html import escape|\bimport html\b|markupsafe import .*escape": {
        "pipeline/pages/templates.py",
        "pipeline/scrape/sources/commons.py",  # reads HTML, writes none
    },
    r"csv\.(writer|DictWriter)\b|\"\\t\"\.join": {
        "train/trainer/logger.py",  # numbers under names of our own, line by line
    },
    r"pyarrow\.parquet": {"pipeline/tables/parquet_file.py"},  # with checksums
    r"safetensors(\.torch)? import": {"train/engine/safetensors_file.py"},  # the same
}


@pytest.mark.parametrize("way", WAYS)
def test_one_place_writes(way: str) -> None:
    found = {path.relative_to(ROOT).as_posix() for path in FILES if re.search(way, path.read_text("utf-8"))}
    assert found == WAYS[way]
