"""Every table of names: each row leads somewhere, and each file of the folder has a row."""

from __future__ import annotations

import pytest

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.registry import Registry
from curate.pipeline.export.layouts import LAYOUTS
from curate.pipeline.faces.detectors import DETECTORS
from curate.pipeline.faces.landmarkers import LANDMARKERS
from curate.pipeline.scrape.sources import SOURCES
from curate.train.evaluation.metrics import METRICS
from curate.train.recipes import RECIPES
from tests.architecture.imports import ROOT

TABLES = [DETECTORS, LANDMARKERS, SOURCES, RECIPES, LAYOUTS, METRICS]


@pytest.mark.parametrize(
    ("table", "row"), [(t, row) for t in TABLES for row in t], ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_row_leads_somewhere(table: Registry, row: str) -> None:
    assert callable(table.resolve(row))


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.kind)
def test_a_typo_names_the_nearest(table: Registry) -> None:
    known = next(iter(table))
    with pytest.raises(UsageError, match=f"did you mean '{known}'"):
        table.resolve(known + "x")


@pytest.mark.parametrize(
    ("table", "folder"),
    [
        (DETECTORS, "pipeline/faces/detectors"),
        (LANDMARKERS, "pipeline/faces/landmarkers"),
        (SOURCES, "pipeline/scrape/sources"),
        (LAYOUTS, "pipeline/export/layouts"),
        (RECIPES, "train/recipes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_row_has_a_file_or_folder_of_its_name(table: Registry, folder: str) -> None:
    there = {path.stem for path in (ROOT / folder).iterdir()}
    assert {name.partition("-")[0] for name in table} <= there
