"""All numbers of a way, of networks that do nothing and of networks that could do no better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from curate.pipeline.core.progress import SILENT
from curate.train.comparison import measure, rendering
from curate.train.comparison.catalogue import CATALOGUE
from curate.train.comparison.measure import Measured, Measurer
from curate.train.comparison.scores import Score
from curate.train.engine.contract import Batch
from curate.train.evaluation import held_out
from curate.train.evaluation.features import extractor
from curate.train.trainer import data_module
from tests.support.training import dataset, tiny


class Fixed(torch.nn.Module):
    """A recipe that makes `there(images)` of a, and of b the images themselves."""

    def __init__(self, there: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.there = there

    def render(self, batch: Batch) -> Batch:
        made = {"a2b": self.there(batch["a"])} if "a" in batch else {}
        return made | ({"b2a": batch["b"]} if "b" in batch else {})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("root")
    dataset(path, train=12, val=2, test=12)
    return path


def measured(root: Path, there: Callable[[Tensor], Tensor]) -> Measured:
    config = tiny()
    config = replace(config, data=data_module.build_data_module(config, root).config)
    held, training = (held_out.load(config, root, (split,), progress=SILENT) for split in ("test", "train"))
    recipe: Any = Fixed(there)
    measurer = Measurer(recipe, config, held, training, extractor.load("standin"), 20, root, SILENT)
    return measurer.measure(rendering.render(recipe, held.tasks, held.tasks["a2b"], SILENT))


def score(found: Measured, name: str) -> Score:
    one = found.scores[name]
    assert isinstance(one, Score), one
    return one


def images(root: Path, task: str, split: str) -> Tensor:
    config = tiny()
    config = replace(config, data=data_module.build_data_module(config, root).config)
    return held_out.load(config, root, (split,), progress=SILENT).tasks[task].sources(0, 99)


def test_networks_that_do_nothing_get_what_untranslated_images_get(root: Path) -> None:
    found = measured(root, lambda given: given)
    for name in ("kid", "fid", "flip_rate"):
        one = score(found, name)
        assert one.value == pytest.approx(one.reference, rel=1e-3, abs=1e-3), name
    assert score(found, "flip_rate").value < 0.2
    assert score(found, "cycle_l1").value < 1e-6
    assert score(found, "identity_l1").value < 1e-6
    assert found.scores["mask_area"] == measure.NO_MASK
    assert found.scores.keys() == CATALOGUE.keys()


def test_real_images_of_the_other_domain_are_taken_for_it(root: Path) -> None:
    """As good as it gets: held-out images of b, which the classifier knows nothing of; and it says how good it is."""
    goal = images(root, "b2a", "test")
    found = measured(root, lambda given: goal[: len(given)])
    assert score(found, "flip_rate").value > 0.8
    assert score(found, "classifier_accuracy").value > 0.8
    assert score(found, "classifier_accuracy").reference == pytest.approx(0.5)
    assert score(found, "kid").value < 0.2 * (score(found, "kid").reference or 0)
    assert score(found, "nearest").value == pytest.approx(1.0, abs=0.1), "as far from what trained as they are"
    assert score(found, "diversity").value == pytest.approx(1.0, abs=0.1)


def test_networks_that_give_training_pictures_back_are_caught(root: Path) -> None:
    copies = images(root, "b2a", "train")
    found = measured(root, lambda given: copies[: len(given)].flip(3))
    assert score(found, "nearest").value < 0.05
    assert found.nearest.index[:5].tolist() == list(range(5)), "each is known again, mirrored as it is"


def test_one_picture_for_all_is_not_diverse(root: Path) -> None:
    found = measured(root, torch.zeros_like)
    assert score(found, "diversity").value == pytest.approx(0.0, abs=1e-6)
