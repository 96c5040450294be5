"""What a run is measured by on the way: when, on what, and which networks are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from curate.pipeline.core.config import Params
from curate.pipeline.core.errors import UsageError
from curate.train.engine import checkpoint
from curate.train.engine.contract import Batch
from curate.train.evaluation.evaluator import Evaluator, cut_out, due, painted_boxes
from curate.train.evaluation.features import extractor
from curate.train.runs.config import read
from curate.train.runs.factory import build
from curate.train.runs.trained import load_run
from curate.train.trainer import data_module
from curate.train.trainer.best_checkpoint import PATIENCE, BestCheckpoint
from curate.train.trainer.run import prepare, run
from tests.support.training import RecordedProgress, dataset, pair_dataset, tiny, tiny_cagan


class Fixed(torch.nn.Module):
    """A recipe of a kind that makes `make(images)` of every image."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.make = make

    def render(self, batch: Batch) -> Batch:
        return {"a2b": self.make(batch["a"])} if "a" in batch else {"b2a": self.make(batch["b"])}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("root")
    dataset(path, train=4, val=10, test=6)
    return path


def evaluator(root: Path, **flags: Any) -> Evaluator:
    held_out = data_module.build_data_module(tiny(**flags), root).held_out
    return Evaluator(held_out, extractor.load("standin"), ("kid", "fid"), root)


def pair_evaluator(root: Path) -> Evaluator:
    held_out = data_module.build_data_module(tiny_cagan(), root).held_out
    return Evaluator(held_out, extractor.load("standin"), ("kid",), root)


def test_intervals_grow_and_depend_on_the_step_alone() -> None:
    measured = [step for step in range(50, 20001, 50) if due(step, 50, 500)]
    assert measured[:6] == [500, 1000, 1500, 2000, 2500, 3000]
    assert measured[6:9] == [3600, 4350, 5200]
    assert len(measured) < 20
    assert not any(due(step, 50, 0) for step in range(0, 2000, 50))
    assert [step for step in range(300, 3001, 300) if due(step, 300, 500)] == [600, 1200, 1500, 2100, 2700, 3000]


def test_the_goals_own_images_are_near_and_the_inputs_are_far(root: Path) -> None:
    measure = evaluator(root)
    idle = measure.measure(Fixed(lambda images: images))  # type: ignore[arg-type]
    untranslated = measure.untranslated()
    for task in ("a2b", "b2a"):
        assert idle[f"val/kid_standin_{task}"] == pytest.approx(untranslated[f"val/kid_standin_{task}"])
        assert idle[f"val/structure_{task}"] == pytest.approx(1.0, abs=1e-4)
        assert idle[f"val/change_{task}"] == 0.0
    goal = measure.tasks["b2a"].sources(0, 16)
    perfect = Fixed(lambda images: goal[: len(images)])
    found = measure.measure(perfect)  # type: ignore[arg-type]
    error = idle["val/kid_std_standin_a2b"]
    assert found["val/kid_standin_a2b"] < idle["val/kid_standin_a2b"] - 2 * error
    assert found["val/structure_a2b"] < 0.95
    assert measure.measure(Fixed(torch.zeros_like))["val/diversity_standin_a2b"] < 0.05  # type: ignore[arg-type]


def test_only_images_that_do_not_train_are_measured(root: Path) -> None:
    prepared = data_module.build_data_module(tiny(), root)
    held = prepared.held_out.tasks["a2b"].sources(0, 16)
    trained = torch.cat([prepared.batches(step)["a"] for step in range(40)])
    assert prepared.held_out.split == "val"
    assert prepared.held_out.count == 10
    distance = torch.cdist(held.flatten(1), torch.cat([trained, trained.flip(3)]).flatten(1)).min()
    assert distance > 1.0
    assert data_module.build_data_module(tiny(run__held_out=3), root).held_out.count == 3


def test_real_features_are_computed_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluator(root)
    expected = first.untranslated()
    cached = sorted((root / "processed/cache").glob("features-standin-*"))
    again = evaluator(root)
    monkeypatch.setattr(type(again.net), "__call__", lambda self, images: pytest.fail("computed again"))
    assert again.untranslated() == expected
    monkeypatch.undo()
    whole = cached[0].read_bytes()
    for damage in (b"torn", b"", whole[:-4], whole + b"more", whole.replace(b"<f4", b"<i4")):
        cached[0].write_bytes(damage)
        assert evaluator(root).untranslated() == expected
    assert sorted((root / "processed/cache").glob("features-standin-*")) == cached


def test_a_run_is_measured_kept_and_reported(root: Path, tmp_path: Path) -> None:
    progress = RecordedProgress()
    config = tiny(run__steps=8, run__measure_every=2, run__metrics=["kid", "fid"], run__keep_best=2)
    result = run(config, root, tmp_path / "run", progress=progress)  # type: ignore[arg-type]
    rows = [json.loads(line) for line in (tmp_path / "run/scalars.jsonl").read_text().splitlines()]
    for metric in ("kid", "fid"):
        values = {r["step"]: (r[f"val/{metric}_standin_a2b"] + r[f"val/{metric}_standin_b2a"]) / 2 for r in rows}
        assert len(values) == 4
        ranked = sorted(values, key=lambda step: values[step])
        kept = {int(path.stem[-8:]) for path in (tmp_path / "run/best").glob(f"{metric}_standin-*")}
        assert kept == set(ranked[:2])
        assert result.metrics["best"][f"{metric}_standin"]["step"] == ranked[0]
    assert (tmp_path / "run/scores.tsv").read_text().count("\n") == 5
    assert "val/" not in (tmp_path / "run/scalars.tsv").read_text()
    assert any("kid_standin a2b" in note and "untranslated" in note for note in progress.notes)
    assert {"images/s", "left", "G", "D", "health"} <= progress.shown[-1].keys()


def test_the_best_networks_are_those_of_their_step(root: Path, tmp_path: Path) -> None:
    run(tiny(run__steps=4, run__measure_every=4), root, tmp_path / "run")
    (best,) = (tmp_path / "run/best").iterdir()
    header, tensors = checkpoint.read(best)
    newest = checkpoint.newest(tmp_path / "run/checkpoints")
    assert newest is not None
    whole = checkpoint.read(newest)[1]
    assert (header["step"], header["metric"]) == (4, "kid_standin")
    assert tensors.keys() == {name for name in whole if name.startswith("model/")}
    assert all(torch.equal(tensors[name], whole[name]) for name in tensors)
    assert checkpoint.load_weights(build(tiny()), best) == 4


def test_the_best_of_a_run_translates(root: Path, tmp_path: Path) -> None:
    config = tiny(run__steps=8, run__measure_every=2, run__metrics=["kid", "fid"], run__keep_best=2)
    steps = run(config, root, tmp_path / "run").metrics["best"]
    for metric in ("kid", "kid_standin", "fid"):
        step = steps[f"{metric.removesuffix('_standin')}_standin"]["step"]
        assert load_run(tmp_path / "run", best=metric).step == step
    with pytest.raises(UsageError, match=r"no best by 'kdi': there are fid_standin, kid_standin"):
        load_run(tmp_path / "run", best="kdi")
    other = next((tmp_path / "run/best").glob("kid_*"))
    other.with_name("kid_inception-00000002.safetensors").write_bytes(other.read_bytes())
    with pytest.raises(UsageError, match=r"more than one best by 'kid': there are kid_inception, kid_standin"):
        load_run(tmp_path / "run", best="kid")


def test_measuring_changes_nothing_that_is_learnt(root: Path, tmp_path: Path) -> None:
    for name, every in (("with", 2), ("without", 0)):
        run(tiny(run__measure_every=every), root, tmp_path / name)
    one, other = (checkpoint.read(tmp_path / n / "checkpoints/00000006.safetensors")[1] for n in ("with", "without"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not (tmp_path / "without/best").exists()


def test_swapped_articles_are_measured_too(tmp_path: Path) -> None:
    pair_dataset(tmp_path, train=4, val=6)
    sizes = {"data": {"size": 32}, "model": {"variant": "modern", "width": 4}}
    flags = {"run.steps": 1, "run.batch": 2, "run.samples": 2, "run.measure_every": 1}
    config = read(Params({"train": {"cagan": sizes}}, None), "cagan", flags)
    run(config, tmp_path, tmp_path / "run")
    (row,) = [json.loads(line) for line in (tmp_path / "run/scalars.jsonl").read_text().splitlines()]
    assert {"val/structure_repainted", "val/colour_repainted", "val/change_repainted"} <= row.keys()
    task = data_module.build_data_module(config, tmp_path).held_out.tasks["repainted"]
    batch = task.batch(0, 6)
    assert not any(torch.equal(worn, other) for worn, other in zip(batch["article"], batch["other"], strict=True))


def test_only_what_was_painted_is_compared(tmp_path: Path) -> None:
    """People with an own garment: kept, painted as the next one's, or painted black; all else is their own pixels."""
    pair_dataset(tmp_path, train=4, val=12)
    measure = pair_evaluator(tmp_path)

    def painted(paint: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], where: slice) -> dict[str, float]:
        class Painter(torch.nn.Module):
            def render(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
                alpha = torch.full_like(batch["human"], -1.0)
                alpha[..., where, where] = 1.0
                made = torch.where(alpha > 0, paint(batch["human"], batch["other"]), batch["human"])
                return {"swapped": made, "alpha": alpha}

        return measure.measure(Painter())  # type: ignore[arg-type]

    middle, nowhere = slice(8, 24), slice(0, 0)
    key = "val/kid_standin_repainted"
    right = painted(lambda human, other: human.roll(1, 0), middle)[key]
    wrong = painted(lambda human, other: torch.full_like(human, -1.0), middle)[key]
    assert right < 0.1 * wrong
    assert key not in painted(lambda human, other: other, nowhere), "an empty mask is not the best one"


def test_boxes_are_around_what_is_painted_and_never_outside() -> None:
    masks = torch.full((4, 1, 20, 40), -1.0)
    masks[0, :, 2:19, 5:30] = 1.0
    masks[1, :, 19, 39] = 1.0
    masks[2, :, 0, 0] = 1.0
    assert list(painted_boxes(masks)) == [(2, 19, 5, 30), (4, 20, 24, 40), (0, 16, 0, 16), None]
    images = torch.rand(4, 3, 20, 40)
    assert cut_out(images, list(painted_boxes(masks))).shape == (3, 3, 20, 40)


@pytest.mark.parametrize(("val", "test", "split"), [(0, 0, "train"), (1, 3, "train"), (2, 3, "val")])
def test_the_best_is_chosen_on_val_and_never_on_test(tmp_path: Path, val: int, test: int, split: str) -> None:
    dataset(tmp_path, val=val, test=test)
    progress = RecordedProgress()
    held_out = prepare(tiny(run__steps=2), tmp_path).data_module.held_out
    counts = {"train": 6, "val": val}
    assert held_out.split == split
    assert held_out.count == counts[split]
    run(tiny(run__steps=2), tmp_path, tmp_path / "run", progress=progress)  # type: ignore[arg-type]
    assert any("on train, which flatters it" in note for note in progress.notes) == (split == "train")
    assert list((tmp_path / "run/best").glob("kid*"))


def test_stopping_is_reasonable_once_nothing_has_got_better_for_long(root: Path, tmp_path: Path) -> None:
    measure = evaluator(root)
    best = BestCheckpoint(tmp_path, {}, measure, ("kid",), 0)
    keys = [measure.key("kid", task) for task in ("a2b", "b2a")]
    rows = [{"step": float(step), **dict.fromkeys(keys, value)} for step, value in enumerate([0.3, 0.1, *[0.2] * 9], 1)]
    recipe = build(tiny())
    assert "the best so far" in best.add(recipe, rows[:2])
    assert "the best was 0.1 after step 2" in best.add(recipe, rows[:4])
    assert "stopping" not in best.add(recipe, rows[: 1 + PATIENCE])
    assert "6 measurements ago: stopping is reasonable" in best.add(recipe, rows[: 2 + PATIENCE])
