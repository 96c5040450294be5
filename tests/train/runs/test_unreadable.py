"""What may not be read of a run is never taken for what is not there: it would be trained anew, or another one used."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from curate.pipeline.core.errors import CurateError
from curate.train.engine import checkpoint, safetensors_file
from curate.train.runs import claim, find, stored
from curate.train.runs.run_dir import RunDir
from curate.train.trainer.logger import ScalarLogger
from tests.support.unreadable import unreadable

READ: dict[str, tuple[str, Callable[[Path], object]]] = {  # what may not be read, and what reads it
    "the checkpoints": ("checkpoints", lambda run: checkpoint.newest(run / "checkpoints")),
    "the best": ("best", lambda run: stored._best(run / "best", "kid")),
    "the settings": ("config.json", lambda run: RunDir(run).read()),
    "the settings of one of several": ("config.json", find._keys_of),
    "the losses": ("scalars.jsonl", lambda run: ScalarLogger(run, 1)),
    "the runs": ("", find.run_folders),
    "a new run that was undone": ("checkpoints", lambda run: claim.settle(RunDir(run))),
}


@pytest.mark.parametrize("what", READ)
def test_it_is_told_and_not_taken_for_nothing(what: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    for folder in ("checkpoints", "best"):
        (run / folder).mkdir(parents=True)
        (run / folder / "00000001.safetensors").touch()
    for file in ("config.json", "scalars.jsonl"):
        (run / file).write_text("{}\n", "utf-8")
    (run / claim.UNDO).write_text(json.dumps({"moved": "run.1", "start": 0}), "utf-8")
    name, read = READ[what]
    before = sorted(run.rglob("*"))
    with unreadable(run / name), pytest.raises(CurateError) as caught:
        read(run)
    assert caught.value.message == f"{run / name}: cannot read: Permission denied"
    assert caught.value.hint == "mend its rights: chmod, chown, then run it again"
    assert sorted(run.rglob("*")) == before


def test_a_checkpoint_whose_disk_fails_is_not_called_broken_or_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "00000001.safetensors"
    safetensors_file.write(path, {"a": torch.zeros(3)}, {})

    def fails(*given: object, **named: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(safetensors_file, "_verify", fails)
    with pytest.raises(CurateError) as caught:
        safetensors_file.read(path)
    assert str(caught.value) == f"{path}: cannot read: Input/output error\n  look at the disk, then run it again"
