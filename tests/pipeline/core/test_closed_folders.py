"""The folders that stages write, sweep and delete in: none of them does so through a link out of the root."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.confined_path import ConfinementError, closed_folder
from curate.pipeline.core.parallel import Engine
from curate.pipeline.export import stage as export
from curate.pipeline.export.config import Export
from curate.pipeline.pages import contact_sheet
from curate.pipeline.pairs import stage as pairs
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.scrape.raw_store import open_store
from curate.pipeline.stats import stage as stats
from curate.pipeline.stats.config import Stats
from curate.pipeline.tables.partial import PartialTable
from curate.pipeline.tables.schema import FINGERPRINTS
from tests.support.tables import small_world


def store(root: Path) -> None:
    with open_store(root) as opened:
        opened.put(b"a", "ab" * 32, "png")


def report(root: Path) -> None:
    stats.run(Stats(), root)


def pair(root: Path) -> None:
    pairs.run(Pairs(size=32, faces=False), root, engine=Engine(kind="inline"))


def part(root: Path) -> None:
    PartialTable(FINGERPRINTS, root, "processed/dedup/parts").add("settings", [])


def sheet(root: Path) -> None:
    contact_sheet.write(root, "name", heading="a", lead="a", header=("path",), rows=[("a",)], shown=[])


LINKS = [
    (sheet, "processed/views"),
    (sheet, "processed/views/name.html"),
    *((store, f"raw/{name}") for name in ("images", "images/ab", ".tmp", ".hosts", ".pages")),
    *((report, name) for name in ("processed/report", "processed/report/thumbs", "processed/runs/cyclegan/samples")),
    *((pair, name) for name in ("processed/pairs", "processed/pairs/.parts")),
    *((part, name) for name in ("processed", "processed/dedup", "processed/dedup/parts/settings")),
]


@pytest.mark.parametrize(("work", "link"), LINKS, ids=[f"{work.__name__}-{link}" for work, link in LINKS])
def test_nothing_is_written_or_deleted_behind_a_link(work: Callable[[Path], object], link: str, tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.png").write_bytes(b"mine")
    if work in (report, pair):
        small_world(root)
    (root / link).parent.mkdir(parents=True, exist_ok=True)
    (root / link).symlink_to(outside)
    with pytest.raises(ConfinementError, match="a link leads out of"):
        work(root)
    assert [path.name for path in outside.iterdir()] == ["precious.png"]


def test_an_export_goes_on_through_no_link(tmp_path: Path) -> None:
    root, out = tmp_path / "root", tmp_path / "out"
    small_world(root)
    build.run(Build(), root)
    export.run("folders", Export(), root, out, domains=("short", "long"))
    inner = next(path for path in out.iterdir() if path.is_dir())
    inner.rename(tmp_path / "outside")
    inner.symlink_to(tmp_path / "outside")
    for path in inner.iterdir():
        path.unlink()
    with pytest.raises(ConfinementError):
        export.run("folders", Export(), root, out, domains=("short", "long"), force=True)
    assert not list((tmp_path / "outside").iterdir())


def test_links_to_a_cache_below_the_root_are_followed(tmp_path: Path) -> None:
    cached = tmp_path / ".dvc/cache/files"
    cached.mkdir(parents=True)
    (tmp_path / "processed/runs").mkdir(parents=True)
    (tmp_path / "processed/runs/a").symlink_to(cached)
    assert closed_folder(tmp_path, "processed/runs") == tmp_path / "processed/runs"
