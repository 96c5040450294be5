"""Whole runs of a tiny CycleGAN: what they leave behind, how they go on, what they refuse."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate.pipeline.core.config import Params
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.progress import SILENT
from curate.pipeline.tables import manifest
from curate.train.engine import checkpoint
from curate.train.engine.contract import Clock
from curate.train.runs.config import read
from curate.train.runs.factory import build, parameter_counts
from curate.train.runs.run_dir import RunDir
from curate.train.trainer.callback import TrainingCallback
from curate.train.trainer.estimate import duration
from curate.train.trainer.run import prepare, run
from tests.support.training import dataset, tiny


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a dataset, whose runs the tests put elsewhere."""
    path = tmp_path_factory.mktemp("root")
    dataset(path)
    return path


def weights(run: Path) -> dict[str, Any]:
    path = checkpoint.newest(run / "checkpoints")
    assert path is not None
    return {name: value for name, value in checkpoint.read(path)[1].items() if not name.startswith("meter/")}


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)


def test_a_run_leaves_everything_that_its_folder_promises(root: Path, tmp_path: Path) -> None:
    result = run(tiny(), root, tmp_path / "run")
    assert (result.steps, result.trained, result.note) == (6, 6, "")
    assert sorted(p.name for p in (tmp_path / "run/checkpoints").iterdir()) == [
        "00000004.safetensors",
        "00000006.safetensors",
    ]
    lines = [json.loads(line) for line in (tmp_path / "run/scalars.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert {"G/cycle_a", "G/identity_b", "D/d_a", "G/lr", "D/lr"} <= lines[0].keys()
    assert (tmp_path / "run/scalars.tsv").read_text().count("\n") == 4
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["steps"] == 6
    assert metrics["images_per_second"] > 0
    assert metrics["G"]["cycle_a"] == lines[-1]["G/cycle_a"]
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["data"]["domains"] == {"a": "long", "b": "short"}
    assert config["crop"]["a"]["size"] == 256
    assert not list((tmp_path / "run").rglob("*.tmp"))


def test_sample_grids_show_the_same_held_out_images(root: Path, tmp_path: Path) -> None:
    run(tiny(), root, tmp_path / "run")
    grids = sorted((tmp_path / "run/samples").glob("step-*.png"))
    assert [grid.name for grid in grids] == ["step-000004.png", "step-000006.png"]
    first, last = (np.asarray(Image.open(grid)) for grid in grids)
    assert first.shape == (
        14 + 2 * 36,
        6 * 36 + 8,
        3,
    )  # a heading, two rows; input, translated and back, for each domain
    assert np.array_equal(first[:, :36], last[:, :36])
    assert not np.array_equal(first[:, 36:72], last[:, 36:72])
    assert (tmp_path / "run/samples/latest.png").read_bytes() == grids[-1].read_bytes()


def test_one_slow_tick_does_not_throw_the_time_left_about(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("curate.train.trainer.callback.time.monotonic", lambda: now[0])
    callback = TrainingCallback(
        recipe=build(tiny()),
        config=tiny(run__samples=0).run,
        data_module=prepare(tiny(), root).data_module,
        run_dir=RunDir(tmp_path),
        logger=None,  # type: ignore[arg-type]
        best_checkpoint=None,
        progress=SILENT,
        progress_task=SILENT.task("train", 100),
        start=0,
        steps=100,
    )
    for step, seconds in ((10, 10), (20, 10), (30, 100)):
        now[0] += seconds
        callback._note(Clock(step, 100), {})
        callback.before = (step, now[0])
    assert callback.notes["left"] == duration(120 / 30 * 70)


def test_a_finished_run_is_left_as_it_is(root: Path, tmp_path: Path) -> None:
    run(tiny(), root, tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*")}
    result = run(tiny(), root, tmp_path / "run")
    assert result.trained == 0
    assert result.metrics["steps"] == 6
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*")}


def test_more_steps_go_on(root: Path, tmp_path: Path) -> None:
    run(tiny(), root, tmp_path / "run")
    result = run(tiny(run__steps=8), root, tmp_path / "run")
    assert (result.steps, result.trained) == (8, 2)
    assert json.loads((tmp_path / "run/config.json").read_text())["run"]["steps"] == 8


def test_what_does_not_change_the_result_may_change_on_the_way(root: Path, tmp_path: Path) -> None:
    run(tiny(), root, tmp_path / "run")
    assert run(tiny(run__keep_last=1, run__samples=1, run__steps=7), root, tmp_path / "run").trained == 1


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ({"model__lr": 0.001}, "model.lr: 0.0002 -> 0.001"),
        ({"run__batch": 2}, "run.batch * accumulate * processes: 1 -> 2"),
        ({"model__cycle_weight": 2.0, "run__steps": 8}, "model.cycle_weight: 10.0 -> 2.0"),
        ({"run__seed": 5}, "run.seed: 0 -> 5"),
        ({"run__steps": 4}, "run.steps: 6 are done -> 4"),
        ({"data__domains": {"a": "short", "b": "long"}}, 'data.domains.a: "long" -> "short"'),
    ],
)
def test_another_config_is_refused_with_what_differs(
    root: Path, tmp_path: Path, flags: dict[str, Any], line: str
) -> None:
    run(tiny(), root, tmp_path / "run")
    before = weights(tmp_path / "run")
    with pytest.raises(UsageError) as caught:
        run(tiny(**flags), root, tmp_path / "run")
    assert line in caught.value.message
    assert "--fresh" in caught.value.hint
    assert same(before, weights(tmp_path / "run"))


def test_another_recipes_run_is_refused_with_two_ways_out(root: Path, tmp_path: Path) -> None:
    run(tiny(), root, tmp_path / "run")
    sizes = {"data": {"size": 32}, "model": {"width": 4, "blocks": 1}}
    other = read(Params({"train": {"ugatit": sizes}}, None), "ugatit", {"run.steps": 8})
    with pytest.raises(UsageError) as caught:
        run(other, root, tmp_path / "run")
    assert 'recipe: "cyclegan" -> "ugatit"' in caught.value.message
    assert "put them back" in caught.value.hint
    assert "--fresh" in caught.value.hint


def test_another_recipes_checkpoint_in_a_runs_folder_is_named(root: Path, tmp_path: Path) -> None:
    run(tiny(), root, tmp_path / "run")
    wider = tiny(model__width=8)
    newest = checkpoint.newest(tmp_path / "run/checkpoints")
    assert newest is not None
    with pytest.raises(UsageError, match=r"does not fit CycleGAN as it is configured: size mismatch for g_a2b"):
        checkpoint.load_weights(build(wider), newest)


def test_other_data_are_refused(tmp_path: Path) -> None:
    dataset(tmp_path)
    run(tiny(), tmp_path, tmp_path / "run")
    dataset(tmp_path, train=7)
    with pytest.raises(UsageError, match=r"dataset\.a\.images: 6 -> 7"):
        run(tiny(), tmp_path, tmp_path / "run")


def test_a_fresh_run_keeps_the_old_one_beside_it(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    run(tiny(), root, path)
    result = run(tiny(model__lr=0.001), root, path, on_change="fresh-if-changed")
    assert (result.trained, (tmp_path / "run.1/metrics.json").is_file()) == (6, True)
    assert "model.lr: 0.0002 -> 0.001" in result.note
    assert run(tiny(model__lr=0.001), root, path, on_change="fresh-if-changed").trained == 0
    assert run(tiny(model__lr=0.001), root, path, on_change="fresh").trained == 6
    assert (tmp_path / "run.2").is_dir()


def test_a_key_that_came_later_does_not_end_an_old_run(root: Path, tmp_path: Path) -> None:
    run(tiny(), root, tmp_path / "run")
    config = json.loads((tmp_path / "run/config.json").read_text())
    del config["model"]["beta2"], config["run"]["tick"]
    (tmp_path / "run/config.json").write_text(json.dumps(config))
    assert run(tiny(run__steps=7), root, tmp_path / "run").trained == 1


def test_a_key_without_end_is_cut_in_what_differs(root: Path, tmp_path: Path) -> None:
    run(tiny(), root, tmp_path / "run")
    config = json.loads((tmp_path / "run/config.json").read_text())
    config["model"]["x" * 4000] = config["model"].pop("beta2")
    (tmp_path / "run/config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match=r"model\.xxx.*\.\.\.: 0\.999 -> null") as told:
        run(tiny(), root, tmp_path / "run")
    assert max(map(len, told.value.message.splitlines())) < 300 + len(str(tmp_path))


def test_scraps_of_a_killed_run_are_cleared_away(root: Path, tmp_path: Path) -> None:
    run(tiny(), root, tmp_path / "run")
    names = ("samples/.step-000007.png.123.tmp", "checkpoints/.00000007.safetensors.123.tmp", "best/.tmpAbC123")
    scraps = [tmp_path / "run" / name for name in names]
    for steps in (6, 7):  # finished, and on its way
        for scrap in scraps:
            scrap.parent.mkdir(exist_ok=True)
            scrap.write_bytes(b"half")
        run(tiny(run__steps=steps), root, tmp_path / "run")
        assert not any(scrap.exists() for scrap in scraps)


def test_a_folder_that_holds_no_run_is_left_alone(root: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    run(tiny(run__steps=1), root, tmp_path / "run")  # an empty one will do
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.jpg").write_bytes(b"cat")
    for on_change in ("refuse", "fresh", "fresh-if-changed"):
        with pytest.raises(UsageError, match="not a run folder"):
            run(tiny(), root, tmp_path / "photos", on_change=on_change)  # type: ignore[arg-type]
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


def test_ctrl_c_saves_and_the_same_call_ends_as_if_nothing_had_happened(root: Path, tmp_path: Path) -> None:
    class Impatient:
        """Progress that sends Ctrl-C to its own process after three steps."""

        done = 0

        def task(self, name: str, total: int | None) -> Any:
            return self if name.startswith("train") else SILENT.task(name, total)  # else what is decoded counts, too

        def note(self, text: str) -> None: ...

        def advance(self, n: int = 1, **notes: object) -> None:
            self.done += n
            if self.done == 3:
                os.kill(os.getpid(), signal.SIGINT)

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *error: object) -> None: ...

    run(tiny(), root, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tiny(), root, tmp_path / "run", progress=Impatient())
    assert 3 <= checkpoint.steps(tmp_path / "run/checkpoints")[-1] <= 4
    assert run(tiny(), root, tmp_path / "run").trained in {2, 3}
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "run"))
    for name in ("scalars.jsonl", "scalars.tsv", "samples/latest.png"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()


def test_a_domain_that_is_too_small_is_refused(tmp_path: Path) -> None:
    dataset(tmp_path, train=1)
    with pytest.raises(UsageError, match=r"'long'.*: 1 .*to train on"):
        run(tiny(), tmp_path, tmp_path / "run")
    dataset(tmp_path, train=3)
    with pytest.raises(UsageError, match=r"'long'.*: 3 .*to train on, 4"):
        run(tiny(run__batch=4), tmp_path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_held_out_images_the_samples_are_training_images(tmp_path: Path) -> None:
    dataset(tmp_path, val=0, test=0)
    run(tiny(run__steps=1), tmp_path, tmp_path / "run")
    assert (tmp_path / "run/samples/latest.png").is_file()


def test_steps_follow_from_epochs_and_the_larger_domain(root: Path) -> None:
    assert prepare(tiny(run__steps=None), root).steps == 200 * 7
    assert prepare(tiny(run__steps=None, run__epochs=3, run__batch=2), root).steps == 11  # 21 images


def test_the_first_weights_follow_from_the_seed(root: Path) -> None:
    once, again, other = (build(tiny(run__seed=seed)).state_dict() for seed in (1, 1, 2))
    assert all(value.equal(again[name]) for name, value in once.items())
    assert any(not value.equal(other[name]) for name, value in once.items())
    assert set(parameter_counts(build(tiny()))) == {"g_a2b", "g_b2a", "d_a", "d_b"}


def test_without_a_dataset_the_message_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(manifest.TableError, match=r"dataset\.parquet: not there yet"):
        run(tiny(), tmp_path, tmp_path / "run")
