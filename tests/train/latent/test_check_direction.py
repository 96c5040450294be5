"""Directions on seeds that they were not found on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging import codec
from curate.train.latent import check_direction
from curate.train.latent.direction_files import Direction
from tests.support.latent import LAYERS, WIDTH, tiny_run


class Brightness:
    """Measures what a direction of tests changes, and knows everybody as one person."""

    def __call__(self, picture: codec.RGB) -> dict[str, float]:
        return {"brightness": float(picture.mean())}

    def identity(self, picture: codec.RGB) -> np.ndarray:
        return np.ones(4) / 2

    def with_identity(self, picture: codec.RGB) -> tuple[dict[str, float], np.ndarray]:
        return self(picture), self.identity(picture)


def brighter(tmp_path: Path, sign: float = 1.0) -> Direction:
    """Up to where pixels are white, brightness rises along the sum of what each number adds to a picture."""
    layer = tiny_run(tmp_path).generator.synthesis.b16["conv0"]
    vector = sign * layer.affine.weight.sum(0).double().numpy()
    vector /= np.linalg.norm(vector)
    return Direction("brighter", vector, 0.1, (0, 0), {"correlations": {"brightness": 1.0}})


def test_shares_plot_and_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_direction, "FaceMeasures", Brightness)
    source, out = tiny_run(tmp_path), tmp_path / "d"
    told = check_direction.run(source, brighter(tmp_path), range(8), 1.0, out)
    assert (told.measure, told.seeds, told.faces) == ("brightness", 8, 8)
    assert told.rising == told.rising_and_same == 1.0
    assert told.identity == pytest.approx(1.0)
    assert np.all(np.diff(told.means) > 0)
    assert len(json.loads((out / "brighter-check.json").read_text())["by_seed"]) == 8
    assert codec.decode((out / "brighter-check.png").read_bytes()).shape == (400, 640, 3)
    assert check_direction.run(source, brighter(tmp_path, -1.0), range(8), 1.0, out).rising == 0.0


def test_other_amounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_direction, "FaceMeasures", Brightness)
    source, out = tiny_run(tmp_path), tmp_path / "d"
    told = check_direction.run(source, brighter(tmp_path), range(3), 1.0, out, (-2.0, 0.0, 0.5))
    assert len(told.means) == 3
    assert told.means[2] - told.means[1] < told.means[1] - told.means[0]
    assert json.loads((out / "brighter-check.json").read_text())["amounts"] == [-2.0, 0.0, 0.5]


def test_without_faces_nothing_is_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no face in all 7 pictures"):
        way = Direction("smile", np.eye(WIDTH)[0], 0.1, (0, LAYERS - 1), {"label": "smile"})
        check_direction.run(tiny_run(tmp_path), way, [0], 1.0, tmp_path / "d")
    assert not (tmp_path / "d" / "smile-check.png").exists()
