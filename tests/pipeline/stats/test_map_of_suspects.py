"""The map in the report: every crop on it, suspects ringed, and none once the crops are others."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from curate.pipeline.review import suspects
from curate.pipeline.review.crop_features import PixelColours
from curate.pipeline.stats import map_of_suspects
from curate.pipeline.stats import stage as report
from curate.pipeline.stats.config import Stats
from curate.pipeline.tables import manifest
from curate.pipeline.tables.suspects_table import SUSPECTS
from tests.support.tables import small_world


@pytest.fixture
def world(tmp_path: Path) -> Path:
    small_world(tmp_path)
    suspects.run(PixelColours(), tmp_path)
    return tmp_path


def section(root: Path) -> BeautifulSoup | None:
    page = report.run(Stats(), root)
    return BeautifulSoup(page.read_text("utf-8"), "lxml").find(id="map")  # type: ignore[return-value]


def test_every_crop_is_on_the_map_and_the_doubtful_are_ringed(world: Path) -> None:
    rows = manifest.read(SUSPECTS, world).to_pylist()
    ranks = sorted(row["rank"] for row in rows if row["rank"] and row["score"] > 0.5)
    shown = section(world)
    assert shown is not None
    assert ranks
    assert [int(b.get_text()) for b in shown.select(".suspect b")] == ranks
    assert len(shown.select(".dot")) + len(ranks) == len(rows)
    assert shown.select(".example img")
    assert len(shown.select(".suspects .tile img")) == len(ranks)
    assert "pixels" in shown.get_text()
    row = next(row for row in rows if row["rank"] == 1)
    assert f"1: {row['domain']} → {row['voted']}" in shown.get_text()


def test_a_large_set_is_thinned_and_keeps_its_suspects(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = section(world)
    monkeypatch.setattr(map_of_suspects, "DOTS", 2)
    after = section(world)
    assert before is not None
    assert after is not None
    assert len(after.select(".dot")) == 2
    assert len(after.select(".suspect")) == len(before.select(".suspect"))


def test_the_map_of_other_crops_is_not_shown(world: Path) -> None:
    crops = manifest.read(manifest.CROPS, world)
    manifest.write(manifest.CROPS, crops.slice(1), world)
    assert section(world) is None
    SUSPECTS.path(world).unlink()
    assert section(world) is None
