"""One domain, or several that are classes: each image once in an epoch, with its class."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from curate.pipeline.core.errors import UsageError
from curate.train.data.config import DataConfig
from curate.train.data.single import SingleBatches, latents, resolve_single
from curate.train.data.transforms import to_uint8
from curate.train.engine.rng import BatchSlice
from tests.support.training import dataset
from tests.train.data.test_unpaired import numbered

CONFIG = DataConfig(size=16, flip=0.0)


def test_an_epoch_shows_each_image_of_each_class_once() -> None:
    three, two = numbered("x", 3), numbered("y", 2)
    two.images[:] += 100
    batches = SingleBatches([three, two], CONFIG, batch=5, seed=0)
    assert batches.epoch == 5
    for step in range(2):
        batch = batches(step)
        assert batch["a"].shape == (5, 3, 16, 16)
        shown = to_uint8(batch["a"])[:, 0, 0, 0].tolist()
        assert sorted(shown) == [0, 1, 2, 100, 101]
        assert batch["labels"].argmax(1).tolist() == [int(value >= 100) for value in shown]
    assert "labels" not in SingleBatches([three], CONFIG, batch=1, seed=0)(0)


def test_processes_share_what_one_would_see() -> None:
    whole = SingleBatches([numbered("x", 9)], CONFIG, batch=4, seed=0)(1)["a"]
    parts = [
        SingleBatches([numbered("x", 9)], CONFIG, batch=2, seed=0, batch_slice=BatchSlice(rank=rank, ranks=2))(1)["a"]
        for rank in range(2)
    ]
    assert torch.equal(whole, torch.cat(parts))


def test_noise_of_a_seed_is_the_authors() -> None:
    drawn = latents([600, 2599], 512)
    assert drawn.dtype == torch.float32
    assert drawn.shape == (2, 512)
    assert torch.equal(drawn[1:], latents([2599], 512))
    assert latents([0], 3).tolist()[0] == pytest.approx([1.764052, 0.400157, 0.978738], abs=1e-6)  # numpy's seed 0


def test_the_domain_has_to_be_said_where_there_are_several(tmp_path: Path) -> None:
    dataset(tmp_path)
    with pytest.raises(UsageError, match="has 2 domains"):
        resolve_single(tmp_path, DataConfig())
    with pytest.raises(UsageError, match="must name a alone"):
        resolve_single(tmp_path, DataConfig(domains={"a": "long", "b": "short"}))
    assert resolve_single(tmp_path, DataConfig(domains={"a": "long"})) == ({"a": "long"}, ("long",))
    assert resolve_single(tmp_path, DataConfig(classes=("long", "short"))) == ({"a": "long"}, ("long", "short"))
