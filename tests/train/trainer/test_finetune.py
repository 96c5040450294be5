"""Fine-tuning: what a run begins with, and what it holds."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from curate.pipeline.core.errors import UsageError
from curate.train.engine import checkpoint
from curate.train.recipes.stylegan2.config import StyleGAN2Config
from curate.train.recipes.stylegan2.recipe import StyleGAN2
from curate.train.runs.factory import build
from curate.train.trainer.finetune import freeze, load_initial
from curate.train.trainer.run import run
from curate.train.weights import exchange
from tests.support.training import RecordedProgress, dataset, tiny


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a dataset and a trained run, processed/runs/old."""
    path = tmp_path_factory.mktemp("root")
    dataset(path)
    run(tiny(run__steps=4, run__measure_every=4, model__ema=0.9), path, path / "processed/runs/old")
    return path


def state(run: Path) -> dict[str, torch.Tensor]:
    newest = checkpoint.newest(run / "checkpoints")
    assert newest is not None
    return checkpoint.read(newest)[1]


def first_weights(**flags: Any) -> Any:
    return build(tiny(model__ema=0.9, run__seed=5, **flags))


OLD = "processed/runs/old"


def test_a_run_begins_with_another_runs_networks(root: Path) -> None:
    recipe, old = first_weights(), state(root / OLD)
    report = load_initial(recipe, "cyclegan", root / OLD)
    parameters = dict(recipe.named_parameters())
    assert all(torch.equal(value, old[f"model/{name}"]) for name, value in parameters.items())
    assert recipe.pool_a.images == [], "pools begin anew"
    assert f"g_a2b: {len(list(recipe.g_a2b.parameters()))} tensors from {root / OLD}" in report
    best = next((root / OLD / "best").iterdir())
    again = first_weights()
    load_initial(again, "cyclegan", best)
    assert all(torch.equal(v, w) for v, w in zip(again.parameters(), recipe.parameters(), strict=True))


def test_a_run_begins_with_an_imported_generator(root: Path, tmp_path: Path) -> None:
    imported = exchange.read(root / OLD)
    exchange.write(imported, tmp_path, generators_only=True)
    recipe, untouched = first_weights(), first_weights()
    report = load_initial(recipe, "cyclegan", tmp_path)
    average = state(root / OLD)["model/average_a2b.network.model.1.weight"]
    assert torch.equal(recipe.g_a2b.state_dict()["model.1.weight"], average)
    assert torch.equal(recipe.average_a2b.network.state_dict()["model.1.weight"], average)
    assert torch.equal(recipe.d_a.state_dict()["model.0.weight"], untouched.d_a.state_dict()["model.0.weight"])
    assert f"d_a: not in {tmp_path}, keeps its first weights" in report


def test_a_run_begins_with_networks_that_come_with_curate() -> None:
    recipe = StyleGAN2(StyleGAN2Config(size=64, cfg="small", **StyleGAN2Config.FOLLOWS["cfg"]["small"]))
    report = load_initial(recipe, "stylegan2", Path("drawn-portrait"))
    assert any(line.startswith("generator: 80 tensors from ") for line in report)


def test_what_does_not_fit_is_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"of another shape .*: model\.1\.weight is 4x3x7x7, not 8x3x7x7"):
        load_initial(first_weights(model__width=8), "cyclegan", root / OLD)
    with pytest.raises(UsageError, match=r"missing: model\.\d+\.conv_block"):
        load_initial(first_weights(model__blocks=2), "cyclegan", root / OLD)
    with pytest.raises(UsageError, match="holds networks of cyclegan, not of ugatit"):
        load_initial(first_weights(), "ugatit", root / OLD)
    with pytest.raises(UsageError, match="there is nothing to begin with"):
        load_initial(first_weights(), "cyclegan", tmp_path / "none")
    shutil.copy(root / OLD / "config.json", tmp_path)
    with pytest.raises(UsageError, match="no checkpoint yet"):
        load_initial(first_weights(), "cyclegan", tmp_path)


def test_an_average_that_this_run_has_not_is_left(root: Path) -> None:
    report = load_initial(build(tiny()), "cyclegan", root / OLD)
    assert "average_a2b: not used" in report


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["d_a"], {"d_a.model.0.weight", "d_a.model.0.bias"}),
        (["d_*.model.0"], {"d_a.model.0.weight", "d_a.model.0.bias", "d_b.model.0.weight", "d_b.model.0.bias"}),
        (["g_a2b.model.1.weight", "*.model.1.weight"], {"g_a2b.model.1.weight", "g_b2a.model.1.weight"}),
        (["*.model.[01].bias"], {"d_a.model.0.bias", "d_b.model.0.bias", "g_a2b.model.1.bias", "g_b2a.model.1.bias"}),
    ],
)
def test_patterns_name_parameters_and_parts(patterns: list[str], expected: set[str]) -> None:
    recipe: Any = build(tiny(model__ema=0.9))
    held = set(freeze(recipe, patterns))
    assert expected <= held
    assert patterns == ["d_a"] or held == expected
    assert held == {n for n, p in recipe.named_parameters() if not p.requires_grad and "average" not in n}


def test_a_pattern_that_names_nothing_says_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"d_a\.modle\.0: names no layer; did you mean 'd_a\.model\.0"):
        freeze(build(tiny()), ["d_a.modle.0"])
    with pytest.raises(UsageError, match="nothing is left for D to train"):
        freeze(build(tiny()), ["d_*"])


def test_held_layers_stay_and_the_others_learn(root: Path, tmp_path: Path) -> None:
    flags = {"run__weights": OLD, "run__freeze": ["d_*.model.0", "g_a2b.model.1"], "model__ema": 0.9}
    progress = RecordedProgress()
    run(tiny(**flags), root, tmp_path / "run", progress=progress)  # type: ignore[arg-type]
    old, new = state(root / OLD), state(tmp_path / "run")
    assert any("held: " in note for note in progress.notes)
    held = [
        name for name in new if name.startswith(("model/d_a.model.0.", "model/d_b.model.0.", "model/g_a2b.model.1."))
    ]
    assert len(held) == 6
    assert all(torch.equal(old[name], new[name]) for name in held)
    assert not torch.equal(old["model/d_a.model.2.weight"], new["model/d_a.model.2.weight"])
    moments = sum(name.startswith("optimizer/D/") and name.endswith("/exp_avg") for name in new)
    before = sum(name.startswith("optimizer/D/") and name.endswith("/exp_avg") for name in old)
    assert moments == before - 4, "what is held has no state"


def test_a_fine_tuned_run_goes_on_as_if_it_had_never_stopped(root: Path, tmp_path: Path) -> None:
    flags = {"run__weights": OLD, "run__freeze": ["d_*.model.0"], "model__ema": 0.9}
    run(tiny(run__steps=6, **flags), root, tmp_path / "whole")
    config = tiny(run__steps=6, **flags)

    class Stop(RecordedProgress):
        def advance(self, n: int = 1, **notes: object) -> None:
            if len(self.shown) == 3:
                raise RuntimeError("killed")
            super().advance(n, **notes)

    with pytest.raises(RuntimeError):
        run(config, root, tmp_path / "run", progress=Stop())  # type: ignore[arg-type]
    run(config, root, tmp_path / "run")
    one, other = state(tmp_path / "whole"), state(tmp_path / "run")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_it_began_with_and_what_is_held_belong_to_a_run(root: Path, tmp_path: Path) -> None:
    run(tiny(run__steps=2), root, tmp_path / "run")
    with pytest.raises(UsageError, match=r'run\.weights: null -> "processed/runs/old"'):
        run(tiny(run__weights=OLD, run__steps=4), root, tmp_path / "run")
    with pytest.raises(UsageError, match=r'run\.freeze: \[\] -> \["d_a\.model\.0"\]'):
        run(tiny(run__freeze=["d_a.model.0"], run__steps=4), root, tmp_path / "run")
