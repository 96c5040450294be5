"""U-GAT-IT's files in and out: nothing lost, nothing swapped, nothing guessed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from curate.pipeline.core.errors import UsageError
from curate.train.recipes.ugatit.config import UGATITConfig
from curate.train.recipes.ugatit.recipe import UGATIT
from curate.train.weights import exchange
from curate.train.weights.format import ImportedNetworks
from tests.support.foreign_weights import SIDE, WIDTH, ugatit, ugatit_content

torch.set_num_threads(1)

OURS = {
    "genA2B": "g_a2b",
    "genB2A": "g_b2a",
    "disGA": "d_a_global",
    "disGB": "d_b_global",
    "disLA": "d_a_local",
    "disLB": "d_b_local",
}


def written(tmp_path: Path, light: bool = True, **shapes: int) -> tuple[Path, dict[str, torch.nn.Module]]:
    networks = ugatit(light, **shapes)
    path = tmp_path / "selfie2anime_params_0000100.pt"
    torch.save(ugatit_content(networks), path)
    return path, networks


@pytest.mark.parametrize("light", [True, False])
def test_six_networks_come_in_as_they_were(tmp_path: Path, light: bool) -> None:
    path, networks = written(tmp_path, light)
    imported = exchange.read(path)
    size = None if light else SIDE
    assert imported.config == UGATITConfig(
        size=size, width=WIDTH, blocks=2, light=light, global_layers=7, local_layers=5
    )
    assert (imported.system, imported.side, imported.notes) == ("ugatit", size, ())
    recipe = exchange.build(imported)
    x = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    for theirs, ours in OURS.items():
        side = 96 if theirs.startswith("dis") else SIDE
        x = torch.rand(1, 3, side, side) * 2 - 1
        made = getattr(recipe, ours).eval()(x)[:3]  # what comes after them, masks have alone
        for mine, reference in zip(made, networks[theirs](x)[:3], strict=True):
            assert torch.equal(mine, reference)


def read_by_the_authors(folder: Path, dataset: str) -> int:
    """The step at which the authors' test() would load what lies in `folder`, the way it finds it."""
    newest = sorted(folder.glob("*.pt"))[-1]
    step = int(newest.name.split("_")[-1].split(".")[0])
    assert newest.name == f"{dataset}_params_{step:07d}.pt"
    return step


@pytest.mark.parametrize("light", [True, False])
def test_what_comes_in_goes_out_bit_for_bit(tmp_path: Path, light: bool) -> None:
    path, _ = written(tmp_path, light, blocks=3)
    (out,) = exchange.write(exchange.read(path), tmp_path / "out")
    assert read_by_the_authors(out.parent, "curate") == 100
    before, after = (torch.load(p, weights_only=True) for p in (path, out))
    assert list(before) == list(after)
    for name, state in before.items():
        assert state.keys() == after[name].keys()
        assert all(torch.equal(value, after[name][key]) for key, value in state.items())


def test_a_run_trained_here_goes_out_and_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    recipe = UGATIT(UGATITConfig(size=96, width=2, blocks=1))
    networks = {role: dict(getattr(recipe, role).state_dict()) for role in OURS.values()}
    imported = ImportedNetworks("ugatit", recipe.config, networks)
    out = exchange.write(imported, tmp_path)
    assert read_by_the_authors(tmp_path, "curate") == 0  # of an unknown step
    again = exchange.build(exchange.read(out))
    assert recipe.state_dict().keys() == again.state_dict().keys()
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in recipe.state_dict().items())


@pytest.mark.parametrize(
    ("name", "direction", "role"),
    [
        ("generator_A2B_trained_model_cpu", "a2b", "g_a2b"),
        ("generator_B2A_trained_model_cpu", "a2b", "g_b2a"),
        ("mine", "a2b", "g_a2b"),
        ("mine", "b2a", "g_b2a"),
    ],
)
def test_a_bare_generator_is_placed_by_its_name_or_as_one_asks(
    tmp_path: Path, name: str, direction: exchange.Direction, role: str
) -> None:
    path = tmp_path / f"{name}.pth"
    torch.save(ugatit_content(ugatit(blocks=6))["genA2B"], path)
    imported = exchange.read(path, direction=direction)
    assert list(imported.networks) == [role]
    assert bool(imported.notes) == (name == "mine")
    assert imported.config == UGATITConfig(width=WIDTH, blocks=6, light=True)
    if role == "g_a2b":
        (out,) = exchange.write(imported, tmp_path / "out", "image_converter")
        assert out.name == "generator_A2B_trained_model_cpu.pth"
        before, after = (torch.load(p, weights_only=True) for p in (path, out))
        assert before.keys() == after.keys()
        assert all(torch.equal(value, after[key]) for key, value in before.items())


@pytest.mark.parametrize("keys", [{"generator": "masked"}, {"backbone": "unet"}])
def test_networks_that_the_authors_do_not_have_are_not_written_as_theirs(tmp_path: Path, keys: dict[str, str]) -> None:
    config = UGATITConfig(width=WIDTH, blocks=1, light=True, **keys)  # type: ignore[arg-type]
    imported = ImportedNetworks("ugatit", config, {}, None, ())
    with pytest.raises(UsageError, match="not networks that other projects know"):
        exchange._system("ugatit").files(imported, "image_converter")


def test_the_official_layout_wants_all_six(tmp_path: Path) -> None:
    path = tmp_path / "generator_A2B_trained_model_cpu.pth"
    torch.save(ugatit_content(ugatit())["genA2B"], path)
    with pytest.raises(UsageError, match=r"d_a_global, d_a_local, .* are missing"):
        exchange.write(exchange.read(path), tmp_path / "out")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("UpBlock1_2.norm1.rho", None, "genA2B: missing: UpBlock1_2.norm1.rho\n"),
        ("gap_fc.weight", None, "genA2B: missing: gap_fc.weight\n"),
        ("DownBlock.1.weight", None, "genA2B: missing: DownBlock.1.weight\n"),
        ("UpBlock2.4.weight", torch.ones(2), "genA2B: not known: UpBlock2.4.weight\n"),
        ("DownBlock.2.running_mean", torch.ones(4), "genA2B: not known: DownBlock.2.running_mean\n"),
        (
            "DownBlock.5.weight",
            torch.ones(16, 8, 3, 3),
            r"another shape \(DownBlock.1.weight says width 4\): DownBlock.5.weight is 16x8x3x3, not 8x4x3x3",
        ),
        ("UpBlock1_1.norm1.rho", torch.ones(()), "is a single number, not 1x16x1x1"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, key: str, value: torch.Tensor | None, message: str) -> None:
    path, networks = written(tmp_path)
    content = ugatit_content(networks)
    if value is None:
        del content["genA2B"][key]
    else:
        content["genA2B"][key] = value
    torch.save(content, path)
    with pytest.raises(UsageError, match=message):
        exchange.read(path)


def test_many_missing_keys_are_counted(tmp_path: Path) -> None:
    path, networks = written(tmp_path)
    content = ugatit_content(networks)
    content["disLB"] = {key: value for key, value in content["disLB"].items() if not re.match(r"model\.[47]\.", key)}
    torch.save(content, path)
    with pytest.raises(UsageError, match=r"disLB: missing: model\.4\.\w+, (model\.4\.\w+, ){2}model.4.\w+ and 4 more"):
        exchange.read(path)


def test_networks_of_two_widths_are_not_one_model(tmp_path: Path) -> None:
    path, networks = written(tmp_path)
    torch.save(ugatit_content({**networks, "genB2A": ugatit(width=8)["genB2A"]}), path)
    with pytest.raises(UsageError, match=r"has width 4, .*genB2A has 8: they are not of one model"):
        exchange.read(path)


def test_a_prefix_of_data_parallel_is_taken_off(tmp_path: Path) -> None:
    path, networks = written(tmp_path)
    content = ugatit_content(networks)
    prefixed = {name: {f"module.{key}": value for key, value in state.items()} for name, state in content.items()}
    torch.save(prefixed, path)
    imported = exchange.read(path)
    assert torch.equal(imported.networks["g_a2b"]["gamma.weight"], content["genA2B"]["gamma.weight"])


def test_a_nameless_discriminator_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    torch.save(ugatit_content(ugatit())["disLA"], path)
    with pytest.raises(UsageError, match="a discriminator, but its name doesn't say which"):
        exchange.read(path)
