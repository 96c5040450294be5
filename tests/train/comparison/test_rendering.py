"""What is measured from pixels, of recipes whose answer is known: there and back, left alone, painted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec import structs

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.progress import SILENT
from curate.train.comparison import rendering
from curate.train.engine.contract import Batch
from curate.train.evaluation import held_out
from curate.train.evaluation.held_out import HeldOut
from curate.train.runs.config import TrainConfig
from curate.train.trainer import data_module
from tests.support.training import dataset, pair_dataset, tiny, tiny_cagan


class Shifting(torch.nn.Module):
    """A way there that makes all lighter by `there`, a way back that makes it darker by `back`, and half a mask."""

    def __init__(self, there: float, back: float) -> None:
        super().__init__()
        self.there, self.back = there, back

    def render(self, batch: Batch) -> Batch:
        made = {}
        if "a" in batch:
            made = {"a2b": batch["a"] / 2 + self.there, "a2b_mask": torch.ones_like(batch["a"][:, :1])}
            made["a2b_mask"][..., :8] = 0.0
        return made | ({"b2a": (batch["b"] - self.back) * 2} if "b" in batch else {})


class Repainting(torch.nn.Module):
    """People get the other article's colour in the upper quarter of the picture."""

    def render(self, batch: Batch) -> Batch:
        swapped, alpha = batch["human"].clone(), -torch.ones_like(batch["human"])
        swapped[:, :, :8], alpha[:, :, :8] = batch["other"][:, :, 12:20], 1.0
        return {"swapped": swapped, "alpha": alpha}


def held(config: TrainConfig, root: Path, split: str = "test") -> HeldOut:
    built = data_module.build_data_module(config, root)
    opened = TrainConfig(config.recipe, built.config, config.run, config.model)
    return held_out.load(opened, root, (split,), progress=SILENT)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("root")
    dataset(path, train=4, val=2, test=5)
    pair_dataset(path, train=3, val=4)
    return path


def test_there_and_back_left_alone_and_painted(root: Path) -> None:
    tasks = held(tiny(), root).tasks
    recipe: Any = Shifting(0.25, 0.25)
    there = rendering.render(recipe, tasks, tasks["a2b"], SILENT)
    assert there.cycle is not None
    assert there.identity is not None
    assert there.mask is not None
    assert there.cycle.abs().max() < 1e-6, "the way back undoes the way there"
    assert there.mask.tolist() == pytest.approx([0.75] * 5), "8 of 32 px are left alone"
    goal = tasks["b2a"].sources(0, 5)
    assert there.identity.tolist() == pytest.approx((goal - goal / 2 - 0.25).abs().mean((1, 2, 3)).div(2).tolist())
    one_sided: Any = Shifting(0.25, 0.15)
    lossy = rendering.render(one_sided, tasks, tasks["a2b"], SILENT).cycle
    assert lossy is not None
    assert lossy.max().item() == pytest.approx(0.1, abs=1e-5), "2 * 0.1 of a range of 2, where nothing is clipped"
    assert there.made.shape == there.sources.shape == (5, 32, 32, 3)
    assert rendering.render(recipe, tasks, tasks["b2a"], SILENT).mask is None


def test_a_config_that_lacks_a_domain_is_told(root: Path) -> None:
    lacking = replace(tiny(), data=structs.replace(tiny().data, domains={"b": "short"}))
    with pytest.raises(UsageError, match=r"train\.cyclegan\.data\.domains: no a"):
        held_out.load(lacking, root, ("test",), progress=SILENT)


def test_people_get_their_own_article_back(root: Path) -> None:
    tasks = held(tiny_cagan(), root, "val").tasks
    recipe: Any = Repainting()
    found = rendering.render(recipe, tasks, tasks["repainted"], SILENT)
    assert found.mask is not None
    assert found.cycle is not None
    assert found.identity is not None
    assert found.mask.tolist() == pytest.approx([0.25] * 4)
    batch = tasks["repainted"].batch(0, 4)
    own = (batch["human"][:, :, :8] - batch["article"][:, :, 12:20]).abs().mean((1, 2, 3)) / 2 / 4
    assert found.cycle.tolist() == pytest.approx(own.tolist(), abs=1e-6), "the article worn, where there was white"
    assert found.identity.tolist() == pytest.approx(own.tolist(), abs=1e-6)
    assert found.articles is not None
    assert found.boxes == [(0, 16, 0, 32)] * 4, "of 8 px, enlarged to the least that is measured"


def test_test_is_what_it_says_and_gives_way_to_val_where_it_is_empty(root: Path, tmp_path: Path) -> None:
    tasks = held(tiny(), root).tasks
    assert list(tasks["a2b"].ids) == [f"long-{n:03}" for n in range(6, 11)]
    dataset(tmp_path, train=3, val=2, test=1)
    config = tiny()
    built = data_module.build_data_module(config, tmp_path)
    opened = TrainConfig(config.recipe, built.config, config.run, config.model)
    assert held_out.load(opened, tmp_path, ("test", "val", "train"), progress=SILENT).split == "val"
