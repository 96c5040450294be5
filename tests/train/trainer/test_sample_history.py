"""The same preview images through every resume, and the strip of what became of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from curate.train.trainer.previews import Preview, translation_grid
from curate.train.trainer.run import run
from curate.train.trainer.sample_history import COLUMNS, GRIDS, NEWEST, History, pin_preview, thin_samples, thinned
from tests.support.training import dataset, tiny


def preview(count: int = 2, side: int = 16) -> Preview:
    rng = torch.Generator().manual_seed(count)
    batch = {key: torch.rand(count, 3, side, side, generator=rng) * 2 - 1 for key in "ab"}
    return Preview(batch, translation_grid, {"a2b": ("a", slice(None)), "b2a": ("b", slice(None))})


class Grey(torch.nn.Module):
    """Makes every image one grey."""

    level = 0.0

    def render(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"a2b": torch.full_like(batch["a"], self.level), "b2a": torch.full_like(batch["b"], self.level)}


def test_previews_stay_what_they_were(tmp_path: Path) -> None:
    first = pin_preview(preview(), tmp_path / "previews.safetensors")
    other = Preview({k: -v for k, v in first.batch.items()}, translation_grid, first.rows)
    again = pin_preview(other, tmp_path / "previews.safetensors")
    assert all(torch.equal(again.batch[key], first.batch[key]) for key in "ab")
    assert all((again.batch[key] - preview().batch[key]).abs().max() < 1 / 127 for key in "ab")
    more = pin_preview(preview(3), tmp_path / "previews.safetensors")
    assert len(more.batch["a"]) == 3
    (tmp_path / "previews.safetensors").write_bytes(b"torn")
    assert len(pin_preview(preview(), tmp_path / "previews.safetensors").batch["a"]) == 2


def test_masks_come_back_between_0_and_1(tmp_path: Path) -> None:
    made = preview()
    made = Preview({**made.batch, "face_a": torch.rand(2, 1, 16, 16)}, translation_grid, made.rows)
    for _ in range(2):
        kept = pin_preview(made, tmp_path / "previews.safetensors").batch["face_a"]
        assert kept.shape == (2, 1, 16, 16)
        assert (kept - made.batch["face_a"]).abs().max() < 1 / 255


def test_the_strip_is_thinned_and_stays_even(tmp_path: Path) -> None:
    assert thinned([5, 10, 15], 5) == [5, 10, 15]
    steps: list[int] = []
    for step in range(5, 5001, 5):
        steps = thinned([*steps, step], 5)
        assert len(steps) <= COLUMNS
    assert steps == thinned(list(range(5, 5001, 5)), 5), "what was thinned on the way is what is thinned at once"
    gaps = np.diff(steps[:-1])
    assert gaps.min() == gaps.max()
    assert steps[-1] == 5000


def test_grids_are_thinned_and_the_newest_stay(tmp_path: Path) -> None:
    for step in range(500, 200_001, 500):
        (tmp_path / f"step-{step:06}.png").write_bytes(b"")
        thin_samples(tmp_path, 500)
    (tmp_path / "latest.png").write_bytes(b"")
    steps = sorted(int(path.stem[5:]) for path in tmp_path.glob("step-*.png"))
    assert len(steps) <= GRIDS + NEWEST
    assert steps[-NEWEST:] == [198_500, 199_000, 199_500, 200_000]
    assert len(set(np.diff(steps[:20]))) == 1, "evenly spread"
    assert (tmp_path / "latest.png").exists()


def test_a_column_for_each_sample_after_the_images_themselves(tmp_path: Path) -> None:
    grey, shown = Grey(), preview()
    history = History(tmp_path, shown, 10, 0, 30)
    for step, level in ((10, -1.0), (20, 0.0), (30, 1.0)):
        grey.level = level
        history.add(grey, step)  # type: ignore[arg-type]
    strip = np.asarray(Image.open(tmp_path / "history.png"))
    assert strip.shape == (14 + 4 * 18 + 4, 4 * 18, 3), "the two ways are set apart"
    rows = np.delete(strip[14:], slice(36, 40), 0).reshape(4, 18, 4, 18, 3)[:, :16, :, :16]
    assert np.abs(rows[0, :, 0].astype(int) / 127.5 - 1 - shown.batch["a"][0].permute(1, 2, 0).numpy()).max() < 0.01
    assert [int(np.median(rows[:, :, column])) for column in (1, 2, 3)] == [0, 128, 255]
    # killed, and back at step 10: what came after it is drawn again
    again = History(tmp_path, shown, 10, 10, 30)
    assert [path.name for path in sorted((tmp_path / "history").iterdir())] == ["00000010.png"]
    again.add(grey, 20)  # type: ignore[arg-type]
    assert np.asarray(Image.open(tmp_path / "history.png")).shape[1] == 3 * 18


def test_a_column_that_is_broken_is_left_out(tmp_path: Path) -> None:
    history = History(tmp_path, preview(), 10, 0, 30)
    history.add(Grey(), 10)  # type: ignore[arg-type]
    (column,) = (tmp_path / "history").iterdir()
    column.write_bytes(column.read_bytes()[:40])
    History(tmp_path, preview(), 10, 10, 30).add(Grey(), 20)  # type: ignore[arg-type]
    assert [path.name for path in (tmp_path / "history").iterdir()] == ["00000020.png"]


def test_large_pictures_are_drawn_small(tmp_path: Path) -> None:
    History(tmp_path, preview(1, 256), 10, 0, 10).add(Grey(), 10)  # type: ignore[arg-type]
    assert Image.open(tmp_path / "history.png").size == (2 * 130, 14 + 2 * 130 + 4)


@pytest.mark.parametrize("stop", [4, 8])
def test_a_resumed_run_has_the_strip_of_one_that_never_stopped(tmp_path: Path, stop: int) -> None:
    dataset(tmp_path)
    config = tiny(run__steps=12, run__sample_every=2)
    run(config, tmp_path, tmp_path / "whole")
    run(tiny(run__steps=stop, run__sample_every=2), tmp_path, tmp_path / "run")
    crops = tmp_path / "processed/crops/long-006.png"  # the first held-out image of its domain
    crops.write_bytes((tmp_path / "processed/crops/long-000.png").read_bytes())
    run(config, tmp_path, tmp_path / "run")
    one, other = (np.asarray(Image.open(tmp_path / name / "samples/history.png")) for name in ("whole", "run"))
    assert one.shape == other.shape
    assert np.array_equal(one[:, :34], other[:, :34]), "the images stay, whatever happened to the files"
    assert np.array_equal(one[14:, 34 : 34 * 2], other[14:, 34 : 34 * 2])
    films = [Image.open(tmp_path / name / "samples/history.gif") for name in ("whole", "run")]
    assert [film.n_frames for film in films] == [1 + 12 // 2] * 2, "untrained first, then each sample"
