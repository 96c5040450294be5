"""Directions of a set of pictures: found, named, kept apart, written and read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.outputs import OutputPlan
from curate.train.latent import direction_files, find_directions, generate, picture_set
from curate.train.latent.direction_files import parse_layers
from curate.train.latent.find_directions import Asked
from curate.train.latent.generate import GenerateSettings
from curate.train.latent.picture_set import LABELS, PictureSet
from tests.support.latent import LAYERS, WIDTH, tiny_run

COUNT = 120


@pytest.fixture
def pictures(tmp_path: Path) -> PictureSet:
    """A set whose label is w's third number, and whose measured yaw is its fifth, the other way round."""
    generate.run(tiny_run(tmp_path), range(COUNT), tmp_path / "out", GenerateSettings())
    found = picture_set.read(tmp_path / "out")
    w = found.codes()[:, 0].numpy()
    columns = {"seed": found.seeds, "smile": w[:, 2] > np.median(w[:, 2]), "yaw": -10.0 * w[:, 4].astype(float)}
    columns |= {"smile_measure": w[:, 2].astype(float), "rare": np.arange(COUNT) < 5}
    with OutputPlan([]) as plan:
        picture_set.write_table(found.folder / LABELS, pa.table(columns), found.settings, plan)
    return found


@pytest.mark.parametrize("method", ["mean", "svm"])
def test_by_a_label(pictures: PictureSet, tmp_path: Path, method: find_directions.Method) -> None:
    (found,) = find_directions.run(pictures, Asked(method, "smile", layers="0-1"), tmp_path / "d")
    assert found.name == "smile"
    assert found.about["held_out_accuracy"] > 0.8
    assert found.about["held_out"] == 24
    assert next(iter(found.about["correlations"])) == "smile"
    read = direction_files.read("smile", tmp_path / "d")
    assert read.vector == pytest.approx(found.vector, abs=1e-6)
    assert (read.step, read.layers) == (pytest.approx(found.step), (0, 1))
    assert json.loads((tmp_path / "d/smile.json").read_text())["label"] == "smile"
    ws = pictures.codes()[:2]
    moved = read.added(ws, 2.0)
    assert torch.equal(moved[:, 2:], ws[:, 2:])
    torch.testing.assert_close((moved - ws)[0, 1], torch.from_numpy(2 * read.step * read.vector).float())


def test_without_labels_they_are_named_by_what_they_change(pictures: PictureSet, tmp_path: Path) -> None:
    found = find_directions.run(pictures, Asked("pca", count=WIDTH), tmp_path / "d")
    assert len(found) == WIDTH
    names = [one.name for one in found]
    assert any(name.endswith("-yaw") for name in names)
    for one in found:
        strongest, value = next(iter(one.about["correlations"].items()))
        assert one.name.endswith(f"-{strongest}") == (value >= find_directions.NAMED_FROM)
    (pictures.folder / LABELS).unlink()
    assert find_directions.run(pictures, Asked("pca", count=1), tmp_path / "e")[0].name == "pca1"


def test_sefa_looks_at_the_layers_asked_for(pictures: PictureSet, tmp_path: Path) -> None:
    source = tiny_run(tmp_path)
    layer = source.generator.synthesis.b16["conv2"]
    layer.affine.weight[:, 3] *= 50
    (found,) = find_directions.run(pictures, Asked("sefa", count=1, layers="2"), tmp_path / "d", source)
    assert abs(found.vector[3]) > 0.95
    (other,) = find_directions.run(pictures, Asked("sefa", count=1, layers="3"), tmp_path / "e", source)
    assert abs(other.vector[3]) < 0.9


def test_made_orthogonal_to_others(pictures: PictureSet, tmp_path: Path) -> None:
    (smile,) = find_directions.run(pictures, Asked("mean", "smile"), tmp_path / "d")
    asked = Asked("mean", "yaw", orthogonal_to=(smile,), name="turn")
    (turned,) = find_directions.run(pictures, asked, tmp_path / "d")
    assert turned.vector @ smile.vector == pytest.approx(0, abs=1e-9)
    assert turned.about["orthogonal_to"] == ["smile"]


def test_what_cannot_be_found_is_said(pictures: PictureSet, tmp_path: Path) -> None:
    for asked, why in (
        (Asked("svm"), "by which label"),
        (Asked("svm", "rare"), "5 pictures have it and 115 have not"),
        (Asked("svm", "smlie"), "did you mean 'smile'"),
        (Asked("pca", count=WIDTH + 1), "1 to 8"),
        (Asked("svm", "smile", layers="4"), "0 to 3"),
    ):
        with pytest.raises(UsageError, match=why):
            find_directions.run(pictures, asked, tmp_path / "d")
    with pytest.raises(UsageError, match="there are mean"):
        find_directions.parse_method("lda")
    assert not (tmp_path / "d").exists()


def test_a_direction_of_other_networks_and_one_that_is_none(pictures: PictureSet, tmp_path: Path) -> None:
    (found,) = find_directions.run(pictures, Asked("mean", "smile"), tmp_path / "d")
    found.check(WIDTH, LAYERS, "this")
    for w_dim, num_ws in ((512, LAYERS), (WIDTH, 2)):
        with pytest.raises(UsageError, match="for w's of 8 numbers and layers up to 3"):
            found.check(w_dim, num_ws, "that")
    with pytest.raises(UsageError, match="did you mean 'smile'"):
        direction_files.read("smiel", tmp_path / "d")
    with pytest.raises(UsageError, match="holds no direction"):
        direction_files.read(str(pictures.folder / picture_set.CODES), tmp_path)


def test_layers_as_people_write_them() -> None:
    assert [parse_layers(text, 14) for text in (None, "3", "2-5", "coarse", "mid", "fine")] == [
        (0, 13), (3, 3), (2, 5), (0, 3), (4, 7), (8, 13)
    ]  # fmt: skip
    for wrong in ("14", "5-2", "x", "1-", "fine "):
        with pytest.raises(UsageError, match="--layers"):
            parse_layers(wrong, 14)
