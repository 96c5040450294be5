"""What becomes of a run's folder: nothing is lost by a command that is refused or ends early, and every hint works."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from curate.pipeline.core.errors import CurateError, UsageError
from curate.train.cli.train import _branch_of
from curate.train.engine import checkpoint
from curate.train.engine.meter import NotFiniteError
from curate.train.runs.claim import UNDO
from curate.train.runs.config import branched
from curate.train.runs.stored import find_in_run
from curate.train.trainer.run import run
from tests.support import ROOT
from tests.support.training import RecordedProgress, dataset, tiny


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("root")
    dataset(path)
    run(tiny(run__steps=4, run__measure_every=0), path, path / "parent")
    return path


@pytest.fixture
def old(root: Path, tmp_path: Path) -> Path:
    """A run of 4 steps in a folder of its own."""
    shutil.copytree(root / "parent", tmp_path / "run")
    return tmp_path / "run"


def state(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def tiny_(**flags: Any) -> Any:
    return tiny(**{"run__steps": 4, "run__measure_every": 0, **flags})


@pytest.mark.parametrize(
    "flags",
    [
        {"run__weights": "nowhere"},
        {"run__freeze": ["no_such_layer"]},
        {"run__features": "nowhere.pth", "run__measure_every": 2},
        {"data__domains": {"a": "long", "b": "bald"}},
        {"run__batch": 50},
    ],
)
def test_what_is_refused_moves_nothing(root: Path, old: Path, flags: dict[str, Any]) -> None:
    before = state(old)
    with pytest.raises(CurateError):
        run(tiny_(**flags), root, old, on_change="fresh")
    assert state(old) == before
    assert [p.name for p in old.parent.iterdir() if not p.name.endswith(".lock")] == ["run"]


def test_a_new_run_that_fails_before_its_first_checkpoint_is_undone(
    root: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, progress = state(old), RecordedProgress()

    def fails(*args: object) -> None:
        raise NotFiniteError("step 1: the loss x is nan")

    monkeypatch.setattr("curate.train.trainer.run.train", fails)
    with pytest.raises(NotFiniteError, match=r"the same command with --set model.lr=0.0001 begins anew"):
        run(tiny_(), root, old, on_change="fresh", progress=progress)
    assert state(old) == before
    assert [p.name for p in old.parent.iterdir() if not p.name.endswith(".lock")] == ["run"]
    assert "the old one is back" in progress.notes[-1]


def test_a_new_run_with_a_checkpoint_stays(root: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from curate.train.engine import loop

    def fails_later(recipe: Any, batches: Any, config: Any, on_tick: Any) -> None:
        def batch(step: int) -> Any:
            if step == 3:
                raise NotFiniteError("step 3: the loss x is nan")
            return batches(step)

        loop.train(recipe, batch, config, on_tick)

    monkeypatch.setattr("curate.train.trainer.run.train", fails_later)
    with pytest.raises(NotFiniteError, match=r"the same command without --fresh with .*goes on after step 2"):
        run(tiny_(), root, old, on_change="fresh")
    assert checkpoint.steps(old / "checkpoints") == [2]
    assert not (old / UNDO).exists()
    assert checkpoint.steps(old.with_name("run.1") / "checkpoints") == [2, 4]
    monkeypatch.undo()
    assert run(tiny_(model__lr=1e-4), root, old).trained == 2  # as the hint says


KILLED = """
import os, signal, sys
from pathlib import Path
from curate.train.trainer import run as training
from tests.support.training import tiny
training.train = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
training.run(tiny(run__steps=4, run__measure_every=0), Path(sys.argv[1]), Path(sys.argv[2]), on_change="fresh")
"""


def test_a_new_run_that_is_killed_is_undone_by_the_next_command(root: Path, old: Path) -> None:
    before = state(old)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(root), str(old)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert old.with_name("run.1").is_dir()
    result = run(tiny_(), root, old)
    assert result.trained == 0, "the old run, which is finished"
    assert state(old) == before
    assert not old.with_name("run.1").exists()


def test_a_kill_between_the_two_renames_is_undone_too(root: Path, old: Path) -> None:
    before = state(old)
    staged = old.with_name(".run.new")
    staged.mkdir()
    (staged / UNDO).write_text(json.dumps({"moved": "run.1", "start": 0}))
    old.rename(old.with_name("run.1"))
    assert run(tiny_(), root, old).trained == 0
    assert state(old) == before
    assert not staged.exists()


def test_a_broken_config_is_moved_aside_by_what_its_hint_says(root: Path, old: Path) -> None:
    (old / "config.json").write_text('{"recipe": "cycl')
    with pytest.raises(UsageError) as caught:
        run(tiny_(), root, old)
    assert caught.value.hint == "train anew with --fresh"
    assert run(tiny_(), root, old, on_change="fresh").trained == 4
    assert (old.with_name("run.1") / "config.json").read_text() == '{"recipe": "cycl'


@pytest.mark.parametrize("flags", [{"model__lr": 1e-4}, {"run__batch": 2}, {"run__accumulate": 3}])
def test_rate_and_batch_may_change_on_the_way_and_that_is_recorded(
    root: Path, old: Path, flags: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="holds a run with other settings"):
        run(tiny_(**flags), root, old)  # it is finished: there is nothing to go on with
    result = run(tiny_(run__steps=6, **flags), root, old)
    assert result.trained == 2
    assert "from step 4 on:" in result.note
    changes = json.loads((old / "config.json").read_text())["changes"]
    assert [change["step"] for change in changes] == [4]
    assert len(changes[0]) == 2
    run(tiny_(run__steps=8, **flags), root, old)
    assert json.loads((old / "config.json").read_text())["changes"] == changes, "kept, and no second one"
    assert checkpoint.read(old / "checkpoints/00000008.safetensors")[0]["config"]["changes"] == changes


def branch(root: Path, word: str, path: Path, **flags: Any) -> Any:
    parent = find_in_run(root / word)
    config = branched(parent.config_json, "cyclegan", {k.replace("__", "."): v for k, v in flags.items()})
    return run(config, root, path, branch_of=parent)


@pytest.mark.parametrize("place", ["processed/runs/mine", "elsewhere/mine"])
def test_the_branch_that_a_refusal_names_is_found_from_anywhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    here = Path(place)  # as a root that is the current folder names it
    shutil.copytree(root / "parent", here)
    with pytest.raises(UsageError) as caught:
        run(tiny_(model__blocks=2), root, here)
    word = re.search(r"--branch (\S+) --steps 8", caught.value.hint)
    assert word
    monkeypatch.chdir("/")
    assert _branch_of(tmp_path, word[1]).path == tmp_path / place / "checkpoints/00000004.safetensors"


@pytest.mark.parametrize("word", ["mine", "mine@4", "processed/runs/mine", "processed/runs/mine@4"])
def test_a_branch_is_named_with_its_step_or_without(root: Path, tmp_path: Path, word: str) -> None:
    shutil.copytree(root / "parent", tmp_path / "processed/runs/mine")
    assert _branch_of(tmp_path, word).path == tmp_path / "processed/runs/mine/checkpoints/00000004.safetensors"


def test_a_batch_is_to_be_lowered_only_where_that_helps(root: Path, tmp_path: Path) -> None:
    for batch, helps in ((50, True), (1, False)):
        few = tmp_path / str(batch)
        dataset(few, train=1)
        with pytest.raises(UsageError) as caught:
            run(tiny_(run__batch=batch), few, few / "run")
        assert ("lower run.batch to 2" in caught.value.hint) == helps


def test_a_branch_without_changes_is_bit_equal_to_its_parent(root: Path, tmp_path: Path) -> None:
    before = state(root / "parent")
    result = branch(root, "parent@2", tmp_path / "branch")
    assert (result.steps, result.trained) == (4, 2)
    one, other = (
        checkpoint.read(p / "checkpoints/00000004.safetensors")[1] for p in (root / "parent", tmp_path / "branch")
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert state(root / "parent") == before
    config = json.loads((tmp_path / "branch/config.json").read_text())
    assert config["branch"] == {"run": "parent", "step": 2, "changes": {}}


def test_a_branch_goes_on_with_other_settings_and_again_with_the_same_command(root: Path, tmp_path: Path) -> None:
    flags = {"model__lr": 1e-4, "model__cycle_weight": 5.0, "run__accumulate": 2, "run__steps": 6}
    assert branch(root, "parent", tmp_path / "branch", **flags).trained == 2
    origin = json.loads((tmp_path / "branch/config.json").read_text())["branch"]
    assert origin["step"] == 4
    assert origin["changes"]["model.lr"] == [2e-4, 1e-4]
    assert branch(root, "parent", tmp_path / "branch", **flags).trained == 0
    assert branch(root, "parent", tmp_path / "branch", **flags | {"run__steps": 7}).trained == 1
    with pytest.raises(UsageError, match="no branch of"):
        branch(root, "parent@2", tmp_path / "branch", **flags)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"run__steps": 4}, "4 steps are done"),
        ({"data__size": 64, "run__steps": 6}, "keeps the size"),
        ({"model__width": 8, "run__steps": 6}, "does not fit CycleGAN"),
        ({"model__no_such": 8}, "no such key"),
    ],
)
def test_a_branch_that_does_not_fit_leaves_nothing(
    root: Path, tmp_path: Path, flags: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        branch(root, "parent", tmp_path / "branch", **flags)
    assert not (tmp_path / "branch").exists()
