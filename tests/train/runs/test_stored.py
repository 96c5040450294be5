"""A run's checkpoints by the words that people have for them, and every command takes the same ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from curate.pipeline.core.errors import UsageError
from curate.train.engine import checkpoint, safetensors_file
from curate.train.runs.run_dir import RunDir
from curate.train.runs.stored import find, find_in_run
from curate.train.runs.trained import load_run
from curate.train.trainer.run import run
from curate.train.translate.api import load
from curate.train.weights import exchange
from tests.support.training import dataset, tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 6 steps with checkpoints after 4 and 6, measured on the way."""
    root = tmp_path_factory.mktemp("stored")
    dataset(root, val=8, test=8)
    run(tiny(run__tick=3, run__measure_every=3, run__keep_best=2), root, root / "run")
    return root / "run"


def words(trained: Path) -> dict[str, int]:
    """Words for a checkpoint, and the step of it."""
    best = min((trained / "best").glob("*.safetensors"), key=lambda path: checkpoint.read(path)[0]["value"])
    step = int(best.stem.rpartition("-")[2])
    newest = {"": 6, "@6": 6, "@4": 4, f"@{step}": step, "/checkpoints": 6, "/checkpoints/00000004.safetensors": 4}
    return {**newest, "@best": step, "@kid": step, "@kid_standin": step, "/best": step, f"/best/{best.name}": step}


def test_a_checkpoint_is_found_by_every_word(trained: Path) -> None:
    for word, step in words(trained).items():
        found = find(f"{trained}{word}")
        assert found is not None, word
        assert checkpoint.read(found.path)[0]["step"] == step, word
        assert found.config_json["recipe"] == "cyclegan"


def test_every_reader_takes_every_word(trained: Path) -> None:
    generators = {}
    for word, step in words(trained).items():
        path = Path(f"{trained}{word}")
        imported = exchange.read(path)
        assert list(imported.networks) == ["g_a2b", "g_b2a", "d_b", "d_a"]
        loaded = load(path, device="cpu")
        assert (loaded.trained.step, loaded.trained.domains) == (step, {"a": "long", "b": "short"})
        listed = exchange.show(path)
        assert {part.system for part in listed} == {"cyclegan"}
        weight = imported.networks["g_a2b"]["model.1.weight"]
        assert torch.equal(weight, loaded.recipe.state_dict()["g_a2b.model.1.weight"])
        generators[step] = weight
    assert not torch.equal(generators[4], generators[6])
    assert load_run(Path(f"{trained}@4"), "cpu").step == 4


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("@5", "no checkpoint after step 5: there are .*4, 6"),
        ("@fid", "no best by 'fid': there are kid_standin"),
        ("/checkpoints/00000005.safetensors", "No such file"),
    ],
)
def test_what_is_not_there_says_what_is(trained: Path, word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        exchange.read(Path(f"{trained}{word}"))


def test_options_that_a_run_has_no_use_for_are_refused(trained: Path) -> None:
    with pytest.raises(UsageError, match="holds networks of cyclegan, not of ugatit"):
        exchange.read(trained, "ugatit")
    with pytest.raises(UsageError, match="--map: its names are known"):
        exchange.read(trained, renames=[("x", "y")])
    with pytest.raises(UsageError, match="name it alone"):
        exchange.read([trained, trained])


def test_a_run_whose_own_name_has_an_at_sign(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "anna@home")
    assert find(tmp_path / "anna@home") is not None
    found = find_in_run(tmp_path / "anna@home@4")
    assert found.path.stem == "00000004"


def test_another_projects_folder_with_a_config_of_its_own_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["X"]}')
    assert not RunDir(tmp_path).is_run
    assert find(tmp_path) is None


def test_a_checkpoint_without_its_run_is_enough_and_a_lying_one_is_refused(trained: Path, tmp_path: Path) -> None:
    whole = trained / "checkpoints/00000006.safetensors"
    alone = shutil.copy(whole, tmp_path / "sent by mail.safetensors")
    assert load(alone, device="cpu").trained.step == 6
    header, tensors = checkpoint.read(whole)
    for changed, message in (
        ({"config": {}}, "does not say of which run it is"),
        ({"config": {**header["config"], "model": {**header["config"]["model"], "blocks": 10**6}}}, "asks for blocks"),
        ({"config": {**header["config"], "model": {**header["config"]["model"], "width": 3000}}}, "asks for width"),
    ):
        path = tmp_path / "lie.safetensors"
        safetensors_file.write(path, tensors, {checkpoint.HEADER: json.dumps({**header, **changed})})
        with pytest.raises(UsageError, match=message):
            load(path, device="cpu")
