"""What is there and may not be read is never taken for what is not there: it would be made anew, or written over.

Held command by command in test_failing_disk.py; here what is read by Python alone, file by file and folder by folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from curate.pipeline.cli import project
from curate.pipeline.core.confined_path import refuse_links_out, refuse_project_links_out
from curate.pipeline.core.errors import CurateError
from curate.pipeline.core.files import entries, files_below
from curate.pipeline.core.outputs import RECORD, Record
from curate.pipeline.export import stage as export
from curate.pipeline.imaging import shards
from curate.pipeline.pairs import stage as pairs
from curate.pipeline.scrape import forget
from curate.pipeline.scrape.journal import Journal
from curate.pipeline.scrape.sources import sidecar
from curate.pipeline.scrape.web import api_keys, contact
from curate.pipeline.scrape.web.daily_quota import DailyQuota
from curate.pipeline.stats import before_after, run_tables
from curate.pipeline.tables import manifest, provenance
from curate.pipeline.tables.partial import PartialTable
from tests.support.tables import small_world
from tests.support.unreadable import unreadable

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def parts(root: Path) -> PartialTable:
    return PartialTable(manifest.FINGERPRINTS, root, "processed/parts")


READ: dict[str, tuple[str, Callable[[Path], object]]] = {  # what may not be read, and what reads it
    "what commands wrote": (RECORD, Record),
    "a finished batch": ("processed/parts/settings/00000000.arrow", lambda root: parts(root).read("settings")),
    "the finished batches": ("processed/parts/settings", lambda root: parts(root).read("settings")),
    "decisions, of which a table is made": (
        "manifests/review.jsonl",
        lambda root: provenance.inputs(manifest.DATASET, root),
    ),
    "the requests of a day": ("quota.json", lambda root: DailyQuota(root / "quota.json").spend("host", 9, NOW)),
    "whose a picture is": ("photo.jpg.json", lambda root: sidecar.read(root / "photo.jpg")),
    "keys": ("curate/keys.yaml", lambda root: api_keys.read("flickr")),
    "a contact": ("curate/contact", lambda root: contact.kept()),
    "what an export is of": (export.MARKER, lambda root: export._begin(root, "digest", [], force=False)),
    "a run's numbers": ("metrics.json", lambda root: run_tables.read_metrics(root / "metrics.json")),
    "a run's losses": ("scalars.tsv", lambda root: run_tables.read_scalars(root / "scalars.tsv")),
    "what was translated": ("processed/translated", before_after.translations),
    "what another project has made": ("manifests", project.holds_data),
    "who trains there": ("processed/runs", lambda root: list(project._locks(root))),
    "a picture": ("photo.jpg", lambda root: shards.load_bytes(root, "photo.jpg", "curate crop")),
    "shards of which one is forgotten": ("crops/ab", lambda root: shards.remove(root, "crops", {"a.png"})),
    "a folder in which a link may hide": ("folder/below", lambda root: refuse_links_out(root / "folder")),
    "a folder of the project": ("raw", refuse_project_links_out),
    "a folder": ("folder", lambda root: entries(root / "folder")),
    "a folder far down": ("folder/below", lambda root: list(files_below(root / "folder"))),
}


@pytest.mark.parametrize("what", READ)
def test_it_is_told_and_not_taken_for_nothing(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    name, read = READ[what]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}", "utf-8") if path.suffix or path.parent.name == "curate" else path.mkdir()
    with unreadable(path), pytest.raises(CurateError) as caught:
        read(tmp_path)
    assert caught.value.message == f"{path}: cannot read: {os.strerror(13)}"
    assert caught.value.hint == "mend its rights: chmod, chown, then run it again"


@pytest.mark.parametrize("kind", ["photo", "translations", "runs"])
def test_nothing_is_forgotten_without_all_that_is_to_be_read_for_it(kind: str, tmp_path: Path) -> None:
    small_world(tmp_path, 4)
    photo = next((tmp_path / "raw/images").rglob("*.png"))
    path = {
        "photo": photo,
        "translations": tmp_path / "processed/translated/by_run",
        "runs": tmp_path / "processed/runs",
    }[kind]
    path.mkdir(parents=True) if kind != "photo" else None
    with unreadable(path), pytest.raises(CurateError, match=rf"{path.name}: cannot read: Permission denied"):
        forget.run(photo.stem, tmp_path)
    assert photo.exists()
    assert forget.run(photo.stem, tmp_path).images == 1
    with Journal(tmp_path / "raw/images/journal.jsonl") as journal:
        assert len(journal.avoided) == 1, "its near copies are known"
    assert not photo.exists()


def test_what_is_forgotten_does_not_stay_in_pictures_of_pictures(tmp_path: Path) -> None:
    small_world(tmp_path, 4)
    photo = next((tmp_path / "raw/images").rglob("*.png"))
    report = tmp_path / "processed/report"
    (report / "thumbs").mkdir(parents=True)
    with unreadable(report), pytest.raises(CurateError, match="report: cannot read"):
        forget.run(photo.stem, tmp_path)
    assert forget.run(photo.stem, tmp_path).images == 1, "it is found again"
    assert not (report / "thumbs").exists()


def test_pairs_that_can_not_be_listed_are_no_bug_of_ours(tmp_path: Path) -> None:
    folder = tmp_path / manifest.PAIRS.pictures / "ab"
    folder.mkdir(parents=True)
    work = PartialTable(manifest.PAIRS, tmp_path, f"{manifest.PAIRS.pictures}/.parts")
    with unreadable(folder), pytest.raises(CurateError, match="ab: cannot read"):
        pairs._known(tmp_path, work, "work")
    shutil.rmtree(folder)
    assert pairs._known(tmp_path, work, "work") == {}
