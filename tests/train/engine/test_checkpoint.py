"""Checkpoints: everything in them, nothing half written, nothing executed on reading."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from curate.pipeline.core.errors import CurateError, UsageError
from curate.train.engine import checkpoint, safetensors_file
from curate.train.engine.checkpoint import CheckpointManager, newest, steps
from curate.train.engine.loop import LoopConfig, train
from curate.train.engine.meter import Meter
from curate.train.recipes.cyclegan.config import CycleGANConfig
from curate.train.recipes.cyclegan.recipe import CycleGAN
from tests.support import ROOT
from tests.support.unreadable import unreadable

SMALL = {"width": 4, "discriminator_width": 4, "blocks": 1, "discriminator_layers": 2, "pool": 2}


def build(**keys: Any) -> CycleGAN:
    torch.manual_seed(0)
    return CycleGAN(CycleGANConfig(**{**SMALL, **keys}))


def batch(step: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(step)
    return {key: torch.rand(1, 3, 32, 32) * 2 - 1 for key in "ab"}


def trained(folder: Path, total: int, **keys: Any) -> CycleGAN:
    recipe = build()
    train(
        recipe,
        batch,
        LoopConfig(total, tick=2, checkpoints=CheckpointManager(folder, **keys)),
        lambda clock, scalars: None,
    )
    return recipe


def test_a_checkpoint_holds_networks_pools_optimisers_losses_and_config(tmp_path: Path) -> None:
    trained(tmp_path, 3, config_json={"recipe": "cyclegan"})
    with safe_open(tmp_path / "00000003.safetensors", framework="pt") as file:
        header = json.loads(file.metadata()["curate"])
        names = set(file.keys())
        pool = file.get_tensor("model/pool_a._extra_state")
    assert header["step"] == 3
    assert header["config"] == {"recipe": "cyclegan"}
    assert header["versions"]["torch"] == torch.__version__
    assert pool.shape == (2, 3, 32, 32)
    assert {"model/g_a2b.model.1.weight", "optimizer/G/0/exp_avg", "optimizer/D/0/exp_avg_sq"} <= names
    assert "optimizer/G/0/step" in names


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    recipe = build()
    checkpoints = CheckpointManager(tmp_path, keep_last=2)
    for step in (1, 2, 3, 10):
        checkpoints.save(step, recipe, Meter())
    assert steps(tmp_path) == [3, 10]
    assert newest(tmp_path) == tmp_path / "00000010.safetensors"


def test_none_is_written_where_those_that_stand_can_not_be_listed(tmp_path: Path) -> None:
    checkpoints, recipe = CheckpointManager(tmp_path, keep_last=1), build()
    checkpoints.save(1, recipe, Meter())
    with unreadable(tmp_path), pytest.raises(CurateError, match="cannot read: Permission denied"):
        checkpoints.save(2, recipe, Meter())
    assert steps(tmp_path) == [1], "the run goes on from there, and drops it later"


def test_a_failed_write_leaves_the_last_checkpoint_and_no_scraps(tmp_path: Path) -> None:
    checkpoints, recipe = CheckpointManager(tmp_path), build()
    checkpoints.save(1, recipe, Meter())

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # the disk is full after so many bytes of a file
    try:
        with pytest.raises(CurateError, match=r"00000002\.safetensors: cannot write: File too large"):
            checkpoints.save(2, recipe, Meter())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["00000001.safetensors"]


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_whoever_umask_lets_read_may_read_a_checkpoint(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        path = CheckpointManager(tmp_path).save(1, build(), Meter())
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("damage", ["cut", "garbage", "pickle", "foreign"])
def test_a_broken_file_is_named_with_what_to_do(tmp_path: Path, damage: str) -> None:
    trained(tmp_path, 1)
    path = tmp_path / "00000001.safetensors"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "garbage":
        path.write_bytes(os.urandom(1000))
    elif damage == "pickle":
        torch.save({"step": 1}, path)
    else:
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(1)}, path)
    broken = "broken: |not a checkpoint of curate"
    with pytest.raises(UsageError, match=rf"00000001\.safetensors: ({broken})") as caught:
        CheckpointManager(tmp_path).restore(build(), Meter())
    assert ("delete it" in caught.value.hint) == (damage != "foreign")


def test_a_flipped_bit_ends_neither_in_a_run_nor_in_networks(tmp_path: Path) -> None:
    trained(tmp_path, 2)
    path = tmp_path / "00000002.safetensors"
    whole = path.read_bytes()
    assert checkpoint.load_weights(build(), path) == 2
    for place in random.Random(1).sample(range(8 * len(whole)), 60):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(UsageError, match=r"00000002\.safetensors: broken: ") as caught:
            CheckpointManager(tmp_path).restore(build(), Meter())
        assert "delete it, and the same command goes on" in caught.value.hint
        with pytest.raises(UsageError, match="broken: "):
            checkpoint.load_weights(build(), path)


WHOLE: dict[str, Any] = {"format": 1, "step": 3, "meter": [], "config": {}}
HEADERS = {
    "no JSON": "{",
    "a list": "[]",
    "deep": '{"config":' * 900 + "1" + "}" * 900,
    **{f"no {key}": json.dumps({name: value for name, value in WHOLE.items() if name != key}) for key in WHOLE},
    "a format that is text": json.dumps(WHOLE | {"format": "1"}),
    "a step before the first": json.dumps(WHOLE | {"step": -1}),
    "a step that is text": json.dumps(WHOLE | {"step": "three"}),
    "a config that is none": json.dumps(WHOLE | {"config": [1]}),
    "a meter that is none": json.dumps(WHOLE | {"meter": {"a": 1}}),
    "counts that are none": json.dumps(WHOLE | {"meter": [["G/a", "many"]]}),
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_header_of_garbage_is_no_checkpoint(tmp_path: Path, header: str) -> None:
    path = tmp_path / "00000003.safetensors"
    safetensors_file.write(path, {"x": torch.zeros(1)}, {checkpoint.HEADER: header})
    for read in (checkpoint.read, checkpoint.read_header):
        with pytest.raises(UsageError, match=r"00000003\.safetensors: not a checkpoint of curate"):
            read(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("optimizer/G/x/exp_avg", torch.zeros(1)),
        ("optimizer/G/999/exp_avg", torch.zeros(1)),
        ("optimizer/G/-999/exp_avg", torch.zeros(1)),
        ("model/pool_a._extra_state", torch.zeros(3)),
    ],
)
def test_a_state_of_garbage_is_one_line(tmp_path: Path, name: str, value: torch.Tensor) -> None:
    path = trained(tmp_path, 1) and tmp_path / "00000001.safetensors"
    notes, tensors = safetensors_file.read(path)
    safetensors_file.write(path, {key: value.clone() for key, value in tensors.items()} | {name: value}, notes)
    with pytest.raises(UsageError, match=r"00000001\.safetensors: (broken|does not fit)"):
        CheckpointManager(tmp_path).restore(build(), Meter())


def test_losses_that_are_counted_and_not_there_are_one_line(tmp_path: Path) -> None:
    CheckpointManager(tmp_path).save(1, build(), Meter())
    path = tmp_path / "00000001.safetensors"
    notes, tensors = safetensors_file.read(path)
    header = json.loads(notes[checkpoint.HEADER]) | {"meter": [["G/none", 3]]}
    safetensors_file.write(path, {key: value.clone() for key, value in tensors.items()}, {"curate": json.dumps(header)})
    with pytest.raises(UsageError, match="broken"):
        CheckpointManager(tmp_path).restore(build(), Meter())


def test_a_checkpoint_that_may_not_be_read_is_not_called_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path, 1)

    def refused(path: Path, *rest: Any, **more: Any) -> None:  # root's tests may read everything
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(CurateError, match=r"00000001\.safetensors: cannot read: Permission denied") as caught:
        CheckpointManager(tmp_path).restore(build(), Meter())
    assert "rights" in caught.value.hint
    assert "delete" not in str(caught.value)


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    trained(tmp_path, 1)
    with pytest.raises(UsageError, match=r"does not fit CycleGAN as it is configured: .*mismatch"):
        CheckpointManager(tmp_path).restore(build(width=8), Meter())
    with pytest.raises(UsageError, match=r"does not fit CycleGAN as it is configured: Missing key.*\.\.\.\n") as told:
        CheckpointManager(tmp_path).restore(build(blocks=9), Meter())
    assert len(told.value.message) < 400 + len(str(tmp_path))


CHILD = """
import sys, torch
from pathlib import Path
from tests.train.engine.test_checkpoint import batch, build
from curate.train.engine import checkpoint, safetensors_file
from curate.train.engine.checkpoint import CheckpointManager
from curate.train.engine.loop import LoopConfig, train
torch.set_num_threads(1)
manager = CheckpointManager(Path(sys.argv[1]))
def tick(clock, scalars):
    print(clock.step, flush=True)
train(build(), batch, LoopConfig(int(sys.argv[2]), tick=1, checkpoints=manager, checkpoint_every=1), tick)
"""


@pytest.mark.slow
def test_killed_at_any_moment_a_run_ends_as_if_it_had_never_been(tmp_path: Path) -> None:
    total = 24
    command = [sys.executable, "-c", CHILD, str(tmp_path), str(total)]
    killed = 0
    for delay in (0.0, 0.02):  # somewhere in a step, in a save
        run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert run.stdout is not None
        for _ in range(4):
            run.stdout.readline()
        time.sleep(delay)
        run.send_signal(signal.SIGKILL)
        killed += run.wait() == -signal.SIGKILL
        run.stdout.close()
        assert steps(tmp_path)
    assert killed == 2
    assert 0 < steps(tmp_path)[-1] < total
    resumed, whole = trained(tmp_path, total), build()
    train(whole, batch, LoopConfig(total), lambda clock, scalars: None)
    expected = whole.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in resumed.state_dict().items())
