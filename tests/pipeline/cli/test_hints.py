"""What a hint says works: its commands are typed, on the state that made it; then the first one goes through."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curate.app import app
from curate.pipeline.core.errors import CurateError
from curate.pipeline.tables import manifest
from tests.support.tables import image_row, png

PARAMS = "crop: {align: none, size: 32, min_sharpness: 0}\nengine: {workers: 1}\n"


def typed(root: Path, line: str) -> str:
    """Types the commands of `line`, joined by &&, in `root`; returns what they say, raises what one raises."""
    said = []
    for command in line.split(" && "):
        done = CliRunner().invoke(app, [*shlex.split(command)[1:], "--root", str(root)])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, f"{command}: {done.output}"
        said.append(done.output)
    return "\n".join(said)


def commands(hint: str) -> str:
    """The commands in a hint."""
    return re.search(r"curate \w+[^;()\n]*", hint)[0].strip()  # type: ignore[index]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Six pictures, cut whole, deduped and built."""
    rows = [image_row(tmp_path, png(n), "ab"[n % 2], n) for n in range(6)]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    typed(tmp_path, "curate crop && curate dedup && curate build")
    return tmp_path


def lost(table: manifest.Table) -> Callable[[Path], None]:
    return lambda root: table.path(root).unlink()


def broken(table: manifest.Table) -> Callable[[Path], None]:
    return lambda root: table.path(root).write_bytes(b"PAR1 and no more") and None


def recut(root: Path) -> None:
    """As when crop ran again, on fewer pictures, and nothing after it."""
    images = manifest.read(manifest.IMAGES, root)
    manifest.write(manifest.IMAGES, images.slice(1), root)
    typed(root, "curate crop")


def without_a_crop(root: Path) -> None:
    next((root / "processed/crops").rglob("*.png")).unlink()


@pytest.mark.parametrize(
    ("spoil", "command"),
    [
        (lost(manifest.DEDUP), "curate build"),
        (lost(manifest.CROPS), "curate dedup"),
        (broken(manifest.CROPS), "curate build"),
        (broken(manifest.DEDUP), "curate select --keep 1"),
        (broken(manifest.DATASET), "curate export --to folders --out OUT"),
        (recut, "curate build"),
        (recut, "curate export --to folders --out OUT"),
        (without_a_crop, "curate export --to folders --out OUT"),
    ],
)
def test_the_commands_of_a_hint_help(world: Path, spoil: Callable[[Path], None], command: str) -> None:
    command = command.replace("OUT", str(world / "out"))
    spoil(world)
    with pytest.raises(CurateError) as told:
        typed(world, command)
    typed(world, commands(told.value.hint))
    typed(world, command)


def test_the_commands_of_stats_bring_all_up_to_date(world: Path) -> None:
    recut(world)
    line = next(line for line in typed(world, "curate stats").splitlines() if " older than " in line)
    typed(world, line.partition(": ")[2])
    assert "older than" not in typed(world, "curate stats")


def test_a_crop_that_runs_again_and_changes_nothing_makes_nothing_stale(world: Path) -> None:
    typed(world, "curate crop")
    assert "older than" not in typed(world, "curate stats")
