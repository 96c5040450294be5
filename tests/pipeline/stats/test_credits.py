"""Credits: every table of them that is written, by the report, by `curate credits` and by an export."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.parallel import Engine
from curate.pipeline.export import stage as export
from curate.pipeline.export.config import Export
from curate.pipeline.pairs import stage as pairs
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.stats import credits as crediting
from curate.pipeline.stats import stage as report
from curate.pipeline.stats.config import Stats
from curate.pipeline.tables import attribution, manifest
from tests.support.tables import small_world

FORMULAS = ('=HYPERLINK("https://example.org","you won")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "a\n=1;\x1b")


def _report(root: Path) -> Path:
    report.run(Stats(), root)
    return root / report.FOLDER / "attribution.csv"


def _credits(root: Path) -> Path:
    return root / crediting.run(root).table


def _export(root: Path) -> Path:
    export.run("folders", Export(), root, root / "out", domains=("short", "long"))
    return root / "out" / "ATTRIBUTION.csv"


WRITERS = (_report, _credits, _export)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    small_world(tmp_path)
    build.run(Build(val=0.2, test=0.2), tmp_path)
    pairs.run(Pairs(size=32), tmp_path, engine=Engine(kind="inline"))
    return tmp_path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("writer", WRITERS)
def test_no_writer_leaves_a_cell_that_a_spreadsheet_evaluates(world: Path, writer: Callable[[Path], Path]) -> None:
    images, names = manifest.read(manifest.IMAGES, world), ("title", "creator", "page_url", "license_url")
    for shift, name in enumerate(names):
        texts = [FORMULAS[(shift + n) % len(FORMULAS)] for n in range(images.num_rows)]
        images = images.set_column(images.schema.get_field_index(name), name, pa.array(texts, pa.string()))
    manifest.write(manifest.IMAGES, images, world)
    cells = {row[name] for row in read(writer(world)) for name in names}
    assert cells == {
        *(f"'{formula}".replace("\r", " ").replace("\t", " ") for formula in FORMULAS[:-1]),
        r"a =1;\x1b",
    }


def test_the_page_of_credits_runs_nothing_and_leads_to_web_addresses_alone(world: Path) -> None:
    images = manifest.read(manifest.IMAGES, world)
    given = {
        "title": "<script>1</script>\x1b[2J\u202e",
        "creator": "<img src=x onerror=1>",
        "page_url": "http://[bad",
        "license_url": "javascript:1",
    }
    for name, value in given.items():
        column = pa.array([value] * images.num_rows, pa.string())
        images = images.set_column(images.schema.get_field_index(name), name, column)
    manifest.write(manifest.IMAGES, images, world)
    done = crediting.run(world)
    page = (world / done.page).read_text("utf-8")
    assert page.count(r"&lt;script&gt;1&lt;/script&gt;\x1b[2J\u202e") == done.pictures > 0
    assert "&lt;img src=x onerror=1&gt;" in page
    assert not [tag for tag in ("<script", "<img", "<a ", "\x1b", "\u202e") if tag in page]
    report.run(Stats(), world)  # its gallery names the same addresses


def test_the_report_credits_what_trains_by_domain_and_order_of_discovery(world: Path) -> None:
    rows = read(_report(world))
    images = {row["path"]: row for row in manifest.read(manifest.IMAGES, world).to_pylist()}
    places = [(images[row["path"]]["domain"], images[row["path"]]["rank"]) for row in rows]
    assert places == sorted(places)
    trains = {row["source_path"] for row in manifest.accepted(manifest.read(manifest.DATASET, world)).to_pylist()}
    assert trains <= {row["path"] for row in rows}
    assert list(rows[0]) == "title creator license license_url page_url image_url source path".split()


def test_what_a_photo_trains_in(world: Path) -> None:
    dataset, pairs_ = (manifest.read(table, world) for table in (manifest.DATASET, manifest.PAIRS))
    used = attribution.uses(dataset, pairs_)
    assert set(used.values()) == {"dataset", "pairs"}
    assert all(used[row["human_image_id"]] == "pairs" for row in manifest.accepted(pairs_).to_pylist())


def test_without_a_table_nobody_is_known(tmp_path: Path) -> None:
    assert attribution.read_photos(tmp_path, required=False).num_rows == 0
