"""A set that somebody else made is exported, and nothing is written or read outside of the folders that were named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.confined_path import ConfinementError
from curate.pipeline.core.errors import TableError
from curate.pipeline.core.parallel import Engine
from curate.pipeline.export import stage as export
from curate.pipeline.export.config import Export
from curate.pipeline.pairs import stage as pairs
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.tables.schema import DATASET, PAIRS, Table
from tests.support.tables import small_world


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    small_world(root)
    build.run(Build(), root)
    pairs.run(Pairs(size=32, faces=False), root, engine=Engine(kind="inline"))
    return root


def poison(root: Path, made: Path, table: Table, column: str, value: str) -> None:
    """`made`, as it would come from a stranger: one accepted row of `table` has `value` in `column`."""
    for folder in ("raw", "processed"):
        (root / folder).symlink_to(made / folder)
    rows = pq.read_table(table.path(made))
    values, at = rows[column].to_pylist(), rows["status"].to_pylist().index("accepted")
    values[at] = value
    index = rows.schema.get_field_index(column)
    rows = rows.set_column(index, rows.schema.field(index), pa.array(values, pa.string()))
    table.path(root).parent.mkdir()
    pq.write_table(rows.sort_by(table.key), table.path(root))


@pytest.mark.parametrize("value", ["../../../escaped", "/{}/escaped"])
@pytest.mark.parametrize(
    ("table", "column", "to"),
    [
        (DATASET, "crop_id", "folders"),
        (DATASET, "crop_id", "huggingface"),
        (PAIRS, "pair_id", "folders"),
        (PAIRS, "pair_id", "huggingface"),
    ],
)
def test_an_id_can_not_choose_where_a_file_is_written(
    table: Table, column: str, to: str, value: str, made: Path, tmp_path: Path
) -> None:
    root, out = tmp_path / "root", tmp_path / "a" / "out"
    root.mkdir()
    poison(root, made, table, column, value.format(tmp_path))
    with pytest.raises(TableError, match=f"{table.name}.parquet: row [0-9]+, {column}: "):
        export.run(to, Export(), root, out, domains=() if table is PAIRS else ("short", "long"), pairs=table is PAIRS)
    assert not list(tmp_path.rglob("escaped*")) and not out.exists()


@pytest.mark.parametrize(("to", "link"), [("folders", True), ("webdataset", False), ("stylegan-zip", False)])
def test_a_crop_that_is_a_link_out_is_not_exported(to: str, link: bool, made: Path, tmp_path: Path) -> None:
    root, out = tmp_path / "root", tmp_path / "out"
    shutil.copytree(made, root)
    crop = next(iter((root / "processed/crops").rglob("*.png")))
    crop.rename(tmp_path / "secret.png")
    crop.symlink_to(tmp_path / "secret.png")
    with pytest.raises(ConfinementError, match="a link leads out of"):
        export.run(to, Export(link=link), root, out, domains=("short", "long"))
    assert not list(out.rglob(crop.name))
