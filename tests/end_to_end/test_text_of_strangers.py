"""Tables whose every word is hostile, through the commands that tell of them: terminal, CSV, TSV, HTML, JSON, text."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest

from curate.pipeline.tables import manifest
from tests.support.command import curate
from tests.support.tables import small_world

HOSTILE = "=1\x1b]0;pwned\x07\x1b[31m\x9b1m\u202e\u200b\t[/b]<script>x</script>\nforged"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202e]")
WORDS = {
    manifest.IMAGES: "title creator license license_url page_url image_url final_url query source".split(),
    manifest.CROPS: ["license"],
}
TOLD_APART = {"license"}  # what it said still tells rows apart
COMMANDS = ("build", "pairs --size 32", "stats --html", "stats --json", "sort --by sharpness", "credits")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    small_world(root, portraits=6)
    for table, names in WORDS.items():
        data = manifest.read(table, root)
        for name in names:
            said = data[name].to_pylist() if name in TOLD_APART else [""] * data.num_rows
            column = pa.array([f"{HOSTILE}{word}" for word in said], pa.string())
            data = data.set_column(data.schema.get_field_index(name), data.schema.field(name), column)
        manifest.write(table, data, root)
    return root


@pytest.fixture(scope="module")
def told(world: Path) -> dict[str, str]:
    """What each command said on both streams."""
    exports = [f"export --to {layout} --out {world / layout}" for layout in ("folders", "huggingface")]
    said = {}
    for command in (*COMMANDS, *exports):
        done = curate(*command.split(), "--root", world)
        said[command] = done.stdout + done.stderr
    forgotten = curate("forget", HOSTILE, "--dry-run", "--root", world)
    return said | {"forget": forgotten.stdout + forgotten.stderr}


def test_no_command_steers_the_terminal_or_says_a_line_that_is_a_stranger_s(told: dict[str, str]) -> None:
    assert {command for command, said in told.items() if STEERING.search(said)} == set()
    assert {command for command, said in told.items() if re.search("^forged", said, re.MULTILINE)} == set()
    assert "=1\\u001b]0;pwned\\u0007" in told["stats --json"]


def test_no_file_for_people_steers_runs_or_marks_up(world: Path, told: dict[str, str]) -> None:
    kinds = {".csv", ".tsv", ".html", ".txt", ".md", ".json", ".jsonl"}
    files = [path for path in world.rglob("*") if path.suffix in kinds]
    assert {path.suffix for path in files} == kinds
    texts = {path: path.read_text("utf-8") for path in files}
    assert [path for path, text in texts.items() if STEERING.search(text)] == []
    marked = [path for path, text in texts.items() if "<script>x" in text and path.suffix in {".html", ".md"}]
    assert marked == []
    plain = [path for path, text in texts.items() if path.suffix in {".txt", ".md"} and "\nforged" in text]
    assert plain == []


def test_no_cell_runs_or_breaks_out(world: Path, told: dict[str, str]) -> None:
    tables = [path for path in world.rglob("*") if path.suffix in {".csv", ".tsv"}]
    assert len(tables) >= 7
    for path in tables:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
        assert {len(row) for row in rows} == {len(rows[0])}, path
        texts = [cell for row in rows for cell in row if cell and not re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell)]
        assert [cell for cell in texts if unicodedata.normalize("NFKC", cell.lstrip()[:1]) in "=+-@"] == [], path


def test_json_is_what_was_said(world: Path, told: dict[str, str]) -> None:
    lines = (world / "huggingface/train/metadata.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["title"] for line in lines} == {HOSTILE}
