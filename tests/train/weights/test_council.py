"""Council-GAN's files in and out: each member's, in either direction, with what the authors keep and never use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from curate import load
from curate.pipeline.core.errors import UsageError
from curate.train.recipes.council.config import CouncilConfig
from curate.train.recipes.council.recipe import Council
from curate.train.weights import exchange, saved

torch.set_num_threads(1)

CONFIG = CouncilConfig(direction="b2a", members=2, width=4, blocks=2, style=3, hidden=5, masks=1, discriminator_width=2)
KINDS = {"g": "gen", "d": "dis", "dc": "dis_council"}


def folder_of(tmp_path: Path, step: int = 1000) -> tuple[Path, Any]:
    """A folder as the authors' code leaves it, and the recipe whose networks are in it."""
    torch.manual_seed(0)
    recipe: Any = Council(CONFIG)
    for n in range(2):
        for kind, theirs in KINDS.items():
            state = {key: value + 0.1 for key, value in getattr(recipe, f"{kind}_{n}").state_dict().items()}
            getattr(recipe, f"{kind}_{n}").load_state_dict(state)
            for key in [key for key in state if re.fullmatch(r"dec\.model\.(0\..*|[2356])\.conv\.bias", key)]:
                norm = key.replace("conv.bias", "norm.running_")
                state[f"{norm}mean"], state[f"{norm}var"] = torch.zeros(len(state[key])), torch.ones(len(state[key]))
            torch.save({"b2a": state}, tmp_path / f"b2a_{theirs}_{n}_{step:08}.pt")
        optimizers = {k: torch.optim.Adam(getattr(recipe, f"{kind}_{n}").parameters()) for kind, k in KINDS.items()}
        torch.save({k: optimizer.state_dict() for k, optimizer in optimizers.items()}, tmp_path / f"optimizer_{n}.pt")
    return tmp_path, recipe


def test_members_come_in_as_they_were(tmp_path: Path) -> None:
    folder, recipe = folder_of(tmp_path)
    imported = exchange.read(folder)
    assert (imported.system, imported.config, imported.step) == ("council", CONFIG, 1000)
    assert list(imported.networks) == ["g_0", "d_0", "dc_0", "g_1", "d_1", "dc_1"]
    assert len(imported.notes) == 2
    assert all("left out: optimisers' states" in note for note in imported.notes)
    built: Any = exchange.build(imported)
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    batch = {"b": images, "z": torch.randn(2, 3), "member": torch.tensor([1])}
    assert torch.equal(built.render(batch)["b2a"], recipe.render(batch)["b2a"])
    assert torch.equal(built.d_1(images)[1], recipe.d_1(images)[1])


def test_what_comes_in_goes_out_bit_for_bit(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    folder, _ = folder_of(tmp_path / "in")
    exchange.write(exchange.read(folder), tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").glob("*.pt"))
    assert names == sorted(path.name for path in folder.glob("b2a_*.pt"))
    for name in names:
        before, after = (torch.load(part / name, weights_only=True)["b2a"] for part in (folder, tmp_path / "out"))
        assert before.keys() == after.keys()
        assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_a_safe_file_holds_the_same(tmp_path: Path) -> None:
    folder, _ = folder_of(tmp_path)
    imported = saved.without_discriminators(exchange.read(folder))
    again = exchange.read(saved.save(imported, tmp_path / "council.safetensors"))
    assert again.config == CouncilConfig(**{**{f: getattr(CONFIG, f) for f in CONFIG.__struct_fields__}})
    assert again.networks.keys() == {"g_0", "g_1"}
    trained = exchange.trained(again, "council.safetensors")
    assert (trained.directions, trained.members, trained.usual_direction) == (("b2a",), 2, "b2a")


def test_of_several_checkpoints_the_last_counts(tmp_path: Path) -> None:
    folder_of(tmp_path)
    folder, recipe = folder_of(tmp_path, 20000)
    imported = exchange.read(folder)
    assert imported.step == 20000
    assert sum("there is a later one" in note for note in imported.notes) == 6
    assert torch.equal(imported.networks["g_0"]["mlp.model.0.fc.weight"], recipe.g_0.mlp.model[0].fc.weight)


def test_a_lone_member_is_the_only_one(tmp_path: Path) -> None:
    folder, recipe = folder_of(tmp_path)
    translate = load(folder / "b2a_gen_1_00001000.pt", system="council")
    assert translate.direction == "b2a"
    images, z = torch.rand(1, 3, 32, 32), torch.randn(1, 3)
    wanted = recipe.render({"b": images, "z": z, "member": torch.tensor([1])})
    assert torch.equal(translate.recipe.render({"b": images, "z": z})["b2a"], wanted["b2a"])


def test_of_one_member_all_files_are_a_council_of_one(tmp_path: Path) -> None:
    folder, recipe = folder_of(tmp_path)
    imported = exchange.read([folder / f"b2a_{kind}_1_00001000.pt" for kind in KINDS.values()])
    assert list(imported.networks) == ["g_0", "d_0"]
    assert any("a council of one" in note for note in imported.notes)
    assert "member 1 of the files is member 0 here" in imported.notes
    translate = load(saved.save(imported, tmp_path / "one.safetensors"), "council")
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(translate.recipe.d_0(images)[0], recipe.d_1(images)[0])


def test_a_member_without_a_generator_is_left_out(tmp_path: Path) -> None:
    folder, _ = folder_of(tmp_path)
    (folder / "b2a_gen_0_00001000.pt").unlink()
    imported = exchange.read(folder)
    assert list(imported.networks) == ["g_0", "d_0"]
    assert imported.config == CouncilConfig(
        **{**{f: getattr(CONFIG, f) for f in CONFIG.__struct_fields__}, "members": 1}
    )
    assert sum("its member has no generator" in note for note in imported.notes) == 2


def test_networks_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    folder, recipe = folder_of(tmp_path)
    path = folder / "a2b_gen_1_00001000.pt"
    torch.save({"a2b": recipe.g_1.state_dict()}, path)
    for number in (0, 1):
        with pytest.raises(UsageError, match=r"the direction .*: a council goes one way"):
            exchange.read([folder / f"b2a_gen_{number}_00001000.pt", path])
    state = dict(recipe.g_1.state_dict())
    state.pop("dec.model.8.conv.bias")
    torch.save({"a2b": state}, path)
    with pytest.raises(UsageError, match=r"a2b: missing: dec\.model\.8\.conv\.bias"):
        exchange.read(path)


def test_what_their_code_does_not_know_is_not_written(tmp_path: Path) -> None:
    folder, _ = folder_of(tmp_path)
    imported = exchange.read(folder)
    config = CouncilConfig(**{**{f: getattr(CONFIG, f) for f in CONFIG.__struct_fields__}, "mask_gain": 2.0})
    other = type(imported)(imported.system, config, imported.networks)
    with pytest.raises(UsageError, match=r"mask_gain is 2\.0"):
        exchange.write(other, tmp_path / "out")


def test_who_judges_a_lone_member_alone_is_refused(tmp_path: Path) -> None:
    """There would be nobody to compare it with, and a file of it that nothing reads."""
    folder, _ = folder_of(tmp_path)
    with pytest.raises(UsageError, match=r"dis_council_1.*a council of one compares nobody"):
        exchange.read(folder / "b2a_dis_council_1_00001000.pt")
    with pytest.raises(UsageError, match="no generator among d_0"):
        saved.without_discriminators(exchange.read(folder / "b2a_dis_1_00001000.pt"))
