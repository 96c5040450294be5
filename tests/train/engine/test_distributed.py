"""Several processes, started by torchrun and talking by gloo: together they are one process with the whole batch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.engine import checkpoint
from curate.train.engine.distributed import ALONE, _buckets
from curate.train.engine.rng import BatchSlice, rand, rand_all_ranks, using_batch_slice
from curate.train.gan.image_pool import ImagePool
from curate.train.runs.run_dir import RunDir
from tests.support.training import dataset

STEPS = 4
CONFIG: dict[str, Any] = {  # with all that draws, keeps or averages
    "data": {"size": 32, "load": 36},
    "model": {
        "width": 4,
        "discriminator_width": 4,
        "blocks": 1,
        "discriminator_layers": 2,
        "pool": 3,
        "ema": 0.9,
        "augment": ["color", "cutout"],
        "generator": "masked",
        "cycle_noise": 0.1,
    },
    "run": {
        "steps": STEPS,
        "batch": 2,
        "tick": 2,
        "samples": 1,
        "sample_every": 2,
        "checkpoint_every": 1,
        "keep_last": 9,
        "device": "cpu",
        "threads": 1,
        "measure_every": 0,
    },
}


def curate(root: Path, *arguments: str, processes: int = 1) -> subprocess.CompletedProcess[str]:
    together = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)] if processes > 1 else []
    return subprocess.run(
        [sys.executable, *together, "-m", "curate", "--", "train", "cyclegan", *arguments],
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
        capture_output=True,
        timeout=400,
        check=False,
    )


def state(run: Path, step: int = STEPS) -> dict[str, Tensor]:
    return checkpoint.read(run / "checkpoints" / f"{step:08}.safetensors")[1]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    dataset(root)
    (root / "params.yaml").write_text(yaml.safe_dump({"train": {"cyclegan": CONFIG}}))
    done = curate(root, "--run", "two", processes=2)
    assert done.returncode == 0, done.stderr
    return root


def test_two_processes_are_one_with_the_doubled_batch(root: Path) -> None:
    done = curate(root, "--run", "one", "--batch", "4")
    assert done.returncode == 0, done.stderr
    two, one = state(root / "two"), state(root / "one")
    assert two.keys() == one.keys()
    for name, value in one.items():
        if name.endswith("bias") or "optimizer" in name:
            continue  # a bias before a norm has rounding for a gradient, which Adam makes a whole step of
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=2e-5, msg=name)
    pools = [name for name in one if "pool" in name]
    assert len(pools) == 2 and all(len(one[name]) == 3 for name in pools)
    lines = [(root / run / "scalars.jsonl").read_text().count("\n") for run in ("two", "one")]
    assert lines == [2, 2]  # only the first process writes


def test_a_run_of_two_goes_on_bit_for_bit_where_it_stopped(root: Path) -> None:
    again = root / "again"
    shutil.copytree(root / "two", again)
    for step in range(3, STEPS + 1):
        (again / "checkpoints" / f"{step:08}.safetensors").unlink()
    done = curate(root, "--run", "again", processes=2)
    assert done.returncode == 0, done.stderr
    whole, resumed = state(root / "two"), state(again)
    assert whole.keys() == resumed.keys() and all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert (again / "scalars.jsonl").read_text() == (root / "two" / "scalars.jsonl").read_text()


def test_the_draws_of_a_slice_are_its_rows_of_the_whole() -> None:
    torch.manual_seed(0)
    whole = rand(8, 2)
    for part in range(2):
        for rank in range(2):
            torch.manual_seed(0)
            with using_batch_slice(BatchSlice(part, 2, rank, 2)):
                own = rand(2, 2)
            first = (part * 2 + rank) * 2
            assert torch.equal(own, whole[first : first + 2])
        torch.manual_seed(0)
        everyone = rand(8)
        torch.manual_seed(0)
        with using_batch_slice(BatchSlice(part, 2, 1, 2)):
            assert torch.equal(rand_all_ranks(2), everyone[4 * part : 4 * part + 4])


def test_positions_of_all_slices_are_those_of_one_process_with_the_whole_batch() -> None:
    for step in range(3):
        spread = [BatchSlice(parts=2, rank=rank, ranks=2).positions(step, 3) for rank in range(2)]
        assert sorted(spread[0] + spread[1]) == BatchSlice().positions(step, 12)
        parts = [positions[first : first + 3] for first in (0, 3) for positions in spread]
        assert [p for part in parts for p in part] == BatchSlice().positions(step, 12)  # by part, then by process


def test_a_shared_pool_gives_each_process_its_rows() -> None:
    torch.manual_seed(0)
    images = torch.rand(6, 4, 3, 2, 2)  # six steps of four
    alone, shared = ImagePool(3), [ImagePool(3), ImagePool(3)]
    for step, batch in enumerate(images):
        torch.manual_seed(step)
        whole = alone(batch)
        for rank, pool in enumerate(shared):
            torch.manual_seed(step)
            with using_batch_slice(BatchSlice(rank=rank, ranks=2, gather=lambda own, all_of_it=batch: all_of_it)):
                assert torch.equal(pool(batch[2 * rank : 2 * rank + 2]), whole[2 * rank : 2 * rank + 2])
    assert all(torch.equal(torch.stack(pool.images), torch.stack(alone.images)) for pool in shared)


def test_buckets_hold_every_tensor_once_in_order() -> None:
    tensors = [torch.empty(2**22), torch.empty(2**23), torch.empty(3), torch.empty(2**25), torch.empty(2).half()]
    buckets = list(_buckets(tensors))
    assert [id(tensor) for bucket in buckets for tensor in bucket] == [id(tensor) for tensor in tensors]
    assert [len(bucket) for bucket in buckets] == [3, 1, 1]


def test_alone_nothing_is_asked() -> None:
    assert ALONE.any(True) and not ALONE.any(False)
    images = torch.rand(2)
    assert ALONE.gather(images) is images


def test_two_trainings_in_one_folder_are_refused(root: Path) -> None:
    run_dir = RunDir(root / "two")
    with run_dir.locked():
        with pytest.raises(UsageError, match=rf"two: process {os.getpid()} .*is at work there"), run_dir.locked():
            pass
        refused = curate(root, "--run", "two")
        assert refused.returncode == 2
        assert f"two: process {os.getpid()} " in refused.stderr
    with run_dir.locked():
        pass


def test_more_processes_than_gpus_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from curate.train.engine.distributed import init_distributed

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="more processes here than there are GPUs"), init_distributed("auto"):
        pass
