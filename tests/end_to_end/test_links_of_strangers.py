"""A project folder of a stranger: no command reads, writes or deletes through a link that leads out of it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curate.app import app
from curate.pipeline.core.confined_path import LINKS, ConfinementError

PLACES = (
    *("raw", "processed", "manifests"),
    *("processed/translated", "processed/runs", "processed/crops", "processed/report", "raw/images"),
    *("manifests/review.jsonl", "manifests/faces.jsonl", "manifests/crops.parquet"),
)


def every_command() -> Iterator[tuple[str, Any]]:
    groups = [("", app), *((f"{group.name} ", group.typer_instance) for group in app.registered_groups)]
    for prefix, group in groups:
        for command in group.registered_commands:  # type: ignore[union-attr]
            yield f"{prefix}{command.name or command.callback.__name__}", command.callback  # type: ignore[union-attr]


COMMANDS = dict(every_command())


def call(callback: Any, root: Path) -> None:
    """As the command line would, every option and argument of its own missing: the gate is before all of them."""
    given: dict[str, Any] = dict.fromkeys(inspect.signature(callback).parameters)
    callback(**given | {"root": root, "quiet": True, "verbose": False, "json": False, "debug": False})


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_works_behind_a_link_out_of_the_project(name: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.png").write_bytes(b"mine")
    for number, place in enumerate(PLACES):
        link = tmp_path / f"root{number}" / place
        link.parent.mkdir(parents=True)
        link.symlink_to(outside / "precious.png" if link.suffix else outside)
        with pytest.raises(ConfinementError, match="a link leads out of"):
            call(COMMANDS[name], tmp_path / f"root{number}")
    assert [path.name for path in outside.iterdir()] == ["precious.png"]
    assert (outside / "precious.png").read_bytes() == b"mine"


def test_links_that_a_person_allowed_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (root / "raw").symlink_to(outside)
    monkeypatch.setenv(LINKS, str(outside))
    call(COMMANDS["stats"], root)
