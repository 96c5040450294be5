"""Every column of every table, damaged in every way, before the commands that read it.

Quick: four damages of each table before one command each. All of them before all commands, 17,000 tries: -m deep, which
takes more than an hour of a core.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from curate.pipeline.tables import manifest
from curate.pipeline.tables.schema import FINGERPRINTS, TABLES, Table
from curate.pipeline.tables.suspects_table import SUSPECTS
from tests.support.command import curate
from tests.support.strangers import Damage, Ground, damages, plant
from tests.support.tables import small_world
from tests.support.training import TINY

TRAINING = {"steps": 1, "tick": 1, "samples": 2, "features": "standin", "device": "cpu", "measure_every": 0}
PARAMS = {
    "crop": {"closer_look": False, "detect_side": 200, "scale_factor": 1.3},
    "engine": {"kind": "inline"},
    "train": {"cyclegan": {**TINY, "run": TRAINING}},
}
EXPORTS = [f"export --to {layout} --out out" for layout in ("folders", "webdataset", "stylegan-zip", "huggingface")]
EXPORTS_OF_PAIRS = [f"export --to {layout} --pairs --out out" for layout in ("folders", "webdataset", "huggingface")]
LOOKS = ["select --keep 2", "sort --by hue --json", "list several", "review --export out", "keep {crop}"]
REPORTS = ["stats --html", "stats --json", "credits"]
READERS: Mapping[Table, list[str]] = {
    TABLES["images"]: ["crop -v", "pairs --size 32 -v", "build", *REPORTS, "list no-face", "forget {image} --yes",
                       "forget ann --dry-run", *EXPORTS[-1:], *EXPORTS_OF_PAIRS[:1], "review --export out"],
    TABLES["crops"]: ["crop -v", "dedup -v", "build", *REPORTS[:2], *LOOKS, "suspects --features pixels",
                      "forget {image} --yes"],
    TABLES["dedup"]: ["dedup -v", "build", "stats --html", "sort --by hue", "select --keep 2", "review --export out",
                      "suspects --features pixels", "forget {image} --yes"],
    TABLES["pairs"]: ["pairs --size 32 -v", *REPORTS, "review --export out", "keep {pair}", "forget {image} --yes",
                      *EXPORTS_OF_PAIRS, "export --to viton-hd --out out"],
    TABLES["dataset"]: ["build", *REPORTS, "train cyclegan", "forget {image} --yes", *EXPORTS],
    SUSPECTS: ["suspects --keep 1", "suspects --move 1-2", "stats --html", "review --export out"],
    FINGERPRINTS: ["dedup"],
}  # fmt: skip
TRIES = [(table, command) for table, commands in READERS.items() for command in commands]


def world_of_tables(root: Path) -> None:
    """Every table, with its pictures."""
    small_world(root, portraits=8)
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS), "utf-8")
    for command in ("build", "pairs --size 32", "suspects --features pixels"):
        curate(*command.split(), "--root", root)
    kept = TABLES["dedup"].path(root).read_bytes()
    curate("dedup", "--root", root)  # leaves its fingerprints
    TABLES["dedup"].path(root).write_bytes(kept)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    folder = tmp_path_factory.mktemp("ground")
    (folder / "world").mkdir()
    world_of_tables(folder / "world")
    return Ground(folder / "world", tmp_path_factory.mktemp("tries"))


def words(root: Path) -> dict[str, str]:
    """What stands for ids in commands."""
    crop = manifest.accepted(manifest.read(TABLES["dataset"], root)).to_pylist()[0]
    pair = manifest.accepted(manifest.read(TABLES["pairs"], root)).to_pylist()[0]
    return {"crop": crop["crop_id"], "image": Path(crop["source_path"]).stem, "pair": pair["pair_id"]}


def every_try(table: Table, commands: list[str]) -> list[tuple[str, Damage, str]]:
    """Each damage of `table` before each of `commands`."""
    guarded = {*table.paths, *table.ids, "domain", "voted", "split", "status", "reason"}
    return [(name, damage, one) for name, damage in damages(table.schema, guarded) for one in commands]


def wrong(ground: Ground, table: Table, tries: Iterable[tuple[str, Damage, str]]) -> Iterator[str]:
    """What is wrong with how the commands of `tries` end."""
    named = words(ground.world)
    for name, damage, command in tries:
        root = ground.fresh()
        plant(table.path(root), damage, ground.outside)
        yield from (f"{table.name}.{name}: {command}: {found}" for found in ground.wrong(command, named))


@pytest.mark.parametrize("table", READERS, ids=lambda table: table.name)
def test_some_damages_of_each_table_end_well_or_in_a_line(ground: Ground, table: Table) -> None:
    tries = every_try(table, [command for command in READERS[table] if not command.startswith("train")])
    assert list(wrong(ground, table, tries[:: len(tries) // 3])) == []


@pytest.mark.deep
@pytest.mark.parametrize(("table", "command"), TRIES, ids=[f"{t.name} {c.split(' --')[0]}" for t, c in TRIES])
def test_whatever_a_table_holds_a_command_ends_well_or_says_so(ground: Ground, table: Table, command: str) -> None:
    assert list(wrong(ground, table, every_try(table, [command]))) == []
