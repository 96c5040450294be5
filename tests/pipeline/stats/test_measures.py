"""Measures of the report: how they are spread, what cuts them, and the pictures at both ends; average faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup

from curate.pipeline.core.config import as_dict
from curate.pipeline.crop.config import Crop
from curate.pipeline.imaging import codec
from curate.pipeline.pages.thumbnails import SIDE, Thumbs
from curate.pipeline.stats import averages, measures
from curate.pipeline.stats.charts import histogram
from curate.pipeline.stats.gallery import Gallery
from curate.pipeline.stats.tables import Tables
from curate.pipeline.tables import manifest
from tests.support.tables import crop_row, image_row, png


def found(root: Path) -> dict[str, measures.Measure]:
    tables = Tables(root)
    thumbs = Thumbs(root, root / "processed/report/thumbs")
    return {measure.title: measure for measure in measures.measures(tables, Gallery(root, tables, thumbs))}


def write_crops(root: Path, sharpness: list[float], refused: list[float], **rules: float) -> list[str]:
    """Crops of one domain with these values, and faces that were refused with those; the ids of the crops."""
    images = [image_row(root, png(n), "long", n) for n in range(len(sharpness) + len(refused))]
    values = [*sharpness, *refused]
    bad = {"status": manifest.REJECTED, "reason": "blurry"}
    rows = [
        crop_row(root, image, sharpness=value, **(bad if n >= len(sharpness) else {}))
        for n, (image, value) in enumerate(zip(images, values, strict=True))
    ]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, images), root)
    section = as_dict(Crop(**rules))  # type: ignore[arg-type]
    manifest.write(manifest.CROPS, manifest.from_rows(manifest.CROPS, rows), root, {"section": section})
    return [str(row["crop_id"]) for row in rows]


def test_a_measure_has_its_threshold_what_it_refused_and_the_pictures_at_both_ends(tmp_path: Path) -> None:
    values = [50.0, 90.0, 60.0, 80.0, 70.0, 100.0, 65.0, 85.0]
    write_crops(tmp_path, values, [20.0, 30.0], min_sharpness=40.0)
    (spread,) = found(tmp_path)["Sharpness"].spreads
    assert (spread.domain, spread.median, list(spread.limits)) == ("long", "75", ["crop.min_sharpness 40"])
    svg = BeautifulSoup(str(spread.svg), "lxml")
    assert svg.select(".limit") and svg.select(".refused rect")
    tables = Tables(tmp_path)
    gallery = Gallery(tmp_path, tables, Thumbs(tmp_path, tmp_path / "processed/report/thumbs"))
    by_value = {row["sharpness"]: gallery.crop(row["crop_id"]) for row in tables.crops.to_pylist() if row["path"]}

    def pictures(wanted: list[float]) -> list[str]:
        return [one.thumb.src for value in wanted if (one := by_value[value])]

    assert [one.thumb.src for one in spread.lowest] == pictures([50.0, 60.0, 65.0])
    assert [one.thumb.src for one in spread.highest] == pictures([85.0, 90.0, 100.0])


def test_a_threshold_that_is_off_or_far_away_is_not_drawn(tmp_path: Path) -> None:
    write_crops(tmp_path, [50.0, 60.0, 70.0], [])
    all_of_them = found(tmp_path)
    assert not all_of_them["Sharpness"].spreads[0].limits, "0: none"
    assert not all_of_them["Brightness"].spreads[0].limits, "from 0 to 255: none"


def test_measures_of_what_was_all_refused_are_left_out(tmp_path: Path) -> None:
    write_crops(tmp_path, [], [20.0, 30.0], min_sharpness=40.0)
    assert "Sharpness" not in found(tmp_path)


def test_a_histogram_stands_on_its_axis() -> None:
    svg = BeautifulSoup(str(histogram([1, 1, 1, 9], [], 0, 10, "n")), "lxml")
    heights = [float(str(bar["height"])) for bar in svg.select(".bars rect")]
    assert len(heights) == 2
    assert heights[0] == pytest.approx(3 * heights[1], abs=0.2)


def test_what_was_refused_stands_on_top_of_what_was_kept() -> None:
    svg = BeautifulSoup(str(histogram([1.0, 1.0], [1.0], 0, 10, "n", [5.0, 99.0])), "lxml")
    (kept,), (refused,) = svg.select(".bars rect"), svg.select(".refused rect")
    assert float(str(refused["y"])) + float(str(refused["height"])) == pytest.approx(float(str(kept["y"])), abs=0.1)
    assert float(str(kept["height"])) == pytest.approx(2 * float(str(refused["height"])), abs=0.2)
    assert [line["x1"] for line in svg.select(".limit")] == ["120.0"], "the other lies outside"


def test_the_average_face_is_the_mean_of_its_crops(tmp_path: Path) -> None:
    ids = write_crops(tmp_path, [50.0] * averages.FEWEST, [])
    tables = Tables(tmp_path)
    for n, crop_id in enumerate(ids):
        row = tables.crop(crop_id)
        assert row is not None
        grey = np.full((SIDE, SIDE, 3), 100 + 10 * (n % 2), np.uint8)
        (tmp_path / row["path"]).write_bytes(codec.encode_png(grey))
    thumbs = Thumbs(tmp_path, tmp_path / "processed/report/thumbs")
    face = averages.averages(tables.crops, tmp_path, thumbs)["long"]
    shown = codec.decode((tmp_path / "processed/report" / face.src).read_bytes())
    assert shown.shape == (SIDE, SIDE, 3) and abs(int(shown.mean()) - 105) <= 1
    thumbs.sweep()
    assert (tmp_path / "processed/report" / face.src).is_file(), "it belongs to the page"
    few = tables.crops.slice(0, averages.FEWEST - 1)
    assert not averages.averages(few, tmp_path, thumbs)
