"""CycleGAN's files in and out, and the look-alikes that must not come in."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from curate.pipeline.core.errors import UsageError
from curate.train.recipes.cyclegan.config import CycleGANConfig
from curate.train.recipes.cyclegan.recipe import CycleGAN
from curate.train.runs.trained import load_run
from curate.train.trainer.run import run
from curate.train.weights import exchange, saved
from curate.train.weights.format import ImportedNetworks
from tests.support.foreign_weights import WIDTH, cyclegan, cyclegan_files
from tests.support.training import dataset, tiny

torch.set_num_threads(1)

OURS = {"net_G_A": "g_a2b", "net_G_B": "g_b2a", "net_D_A": "d_b", "net_D_B": "d_a"}


def one(tmp_path: Path, state: dict[str, Tensor], name: str = "latest_net_G_A") -> Path:
    path = tmp_path / f"{name}.pth"
    torch.save(state, path)
    return path


def generator(blocks: int = 2) -> dict[str, Tensor]:
    return dict(cyclegan(blocks)["net_G_A"].state_dict())


@pytest.mark.parametrize("blocks", [2, 6, 9])
def test_the_authors_files_come_in_as_they_were(tmp_path: Path, blocks: int) -> None:
    networks = cyclegan(blocks)
    imported = exchange.read(cyclegan_files(tmp_path, networks, "200"))
    assert imported.config == CycleGANConfig(
        width=WIDTH, discriminator_width=WIDTH, blocks=blocks, discriminator_layers=3
    )
    assert imported.notes == ()
    recipe = exchange.build(imported)
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    for theirs, ours in OURS.items():  # their D_A judges images of b
        assert torch.equal(getattr(recipe, ours).eval()(x), networks[theirs](x))


def test_the_keys_are_those_of_the_tables() -> None:
    networks = cyclegan(9)
    places = [1, 4, 7, *(f"{block}.conv_block.{at}" for block in range(10, 19) for at in (1, 5)), 19, 22, 26]
    assert set(networks["net_G_A"].state_dict()) == {f"model.{p}.{leaf}" for p in places for leaf in ("weight", "bias")}
    assert len(networks["net_G_A"].state_dict()) == 48
    judge = {f"model.{place}.{leaf}" for place in (0, 2, 5, 8, 11) for leaf in ("weight", "bias")}
    assert set(networks["net_D_A"].state_dict()) == judge


@pytest.mark.parametrize("layout", ["official", "compact"])
def test_what_comes_in_goes_out_bit_for_bit(tmp_path: Path, layout: str) -> None:
    networks = cyclegan()
    imported = exchange.read(cyclegan_files(tmp_path, networks))
    exchange.write(imported, tmp_path / "out", layout)
    names = {
        "official": {name: f"latest_{name}" for name in OURS},
        "compact": {"net_G_A": "netG_A2B", "net_G_B": "netG_B2A", "net_D_A": "netD_B", "net_D_B": "netD_A"},
    }
    assert {path.stem for path in (tmp_path / "out").glob("[!.]*")} == set(names[layout].values())
    for theirs, stem in names[layout].items():
        after = torch.load(tmp_path / "out" / f"{stem}.pth", weights_only=True)
        before = networks[theirs].state_dict()
        assert list(after) == list(before)
        assert all(torch.equal(value, after[key]) for key, value in before.items())
    again = exchange.read(tmp_path / "out")
    assert {role: list(state) for role, state in again.networks.items()} == {
        role: list(state) for role, state in imported.networks.items()
    }
    assert torch.equal(again.networks["d_a"]["model.0.weight"], networks["net_D_B"].state_dict()["model.0.weight"])


@pytest.mark.parametrize(
    ("name", "direction", "role"),
    [
        ("latest_net_G_A", "b2a", "g_a2b"),
        ("iter_1000_net_G_B", "a2b", "g_b2a"),
        ("netG_A2B", "b2a", "g_a2b"),
        ("netG_B2A", "a2b", "g_b2a"),
        ("latest_net_G", "a2b", "g_a2b"),
        ("horse2zebra", "b2a", "g_b2a"),
    ],
)
def test_a_generator_is_placed_by_its_name_or_as_one_asks(
    tmp_path: Path, name: str, direction: exchange.Direction, role: str
) -> None:
    imported = exchange.read(one(tmp_path, generator(), name), direction=direction)
    assert list(imported.networks) == [role]
    assert bool(imported.notes) == (name in {"latest_net_G", "horse2zebra"})


def test_of_a_folder_with_many_epochs_the_latest_comes_in(tmp_path: Path) -> None:
    cyclegan_files(tmp_path, cyclegan(3), "100")
    cyclegan_files(tmp_path, cyclegan(2))
    assert exchange.read(tmp_path).config == CycleGANConfig(width=WIDTH, discriminator_width=WIDTH, blocks=2)


def test_two_epochs_of_one_network_are_refused(tmp_path: Path) -> None:
    paths = [one(tmp_path, generator(), f"{epoch}_net_G_A") for epoch in (100, 200)]
    with pytest.raises(UsageError, match=r"100_net_G_A\.pth and .*200_net_G_A\.pth: both are g_a2b"):
        exchange.read(paths)


def test_old_running_statistics_are_left_out(tmp_path: Path) -> None:
    state = generator()
    for place in (2, 5, 8):
        width = WIDTH * 2 ** ((place - 2) // 3)
        state[f"model.{place}.running_mean"] = torch.randn(width)
        state[f"model.{place}.running_var"] = torch.rand(width)
        state[f"model.{place}.num_batches_tracked"] = torch.tensor(7)
    imported = exchange.read(one(tmp_path, state))
    assert imported.networks["g_a2b"].keys() == generator().keys()
    assert "9 running statistics left out" in imported.notes[0]


def test_a_prefix_of_data_parallel_is_taken_off(tmp_path: Path) -> None:
    state = {f"module.{key}": value for key, value in generator().items()}
    assert exchange.read(one(tmp_path, state)).networks["g_a2b"].keys() == generator().keys()


class Antialiased(nn.Module):
    """Where CUT's generator has its blur: buffers named filt among the layers."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Identity(), nn.Conv2d(3, WIDTH, 7), nn.Identity())
        self.model[2].register_buffer("filt", torch.ones(WIDTH, 1, 3, 3))


def test_cuts_antialiased_generator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="refused: antialiased layers"):
        exchange.read(one(tmp_path, dict(Antialiased().state_dict())))


def test_a_generator_that_resizes_and_convolves_is_refused(tmp_path: Path) -> None:
    state = generator(2)
    for place in (12, 15):
        state[f"model.{place}.weight"] = state[f"model.{place}.weight"].transpose(0, 1).contiguous()
    with pytest.raises(UsageError, match="refused: it upsamples by resizing"):
        exchange.read(one(tmp_path, state))


def test_batch_norm_is_refused(tmp_path: Path) -> None:
    state = {**generator(), "model.2.weight": torch.ones(WIDTH), "model.2.running_mean": torch.ones(WIDTH)}
    with pytest.raises(UsageError, match="refused: batch norm"):
        exchange.read(one(tmp_path, state))


def test_a_unet_is_refused(tmp_path: Path) -> None:
    state = {"model.model.0.weight": torch.ones(WIDTH, 3, 4, 4), "model.model.1.model.1.weight": torch.ones(8, 4, 4, 4)}
    with pytest.raises(UsageError, match="refused: a U-Net generator"):
        exchange.read(one(tmp_path, state))


@pytest.mark.parametrize("key", ["model.1.weight", "model.4.bias", "model.11.conv_block.5.weight", "model.19.weight"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    state = generator(9)
    del state[key]
    with pytest.raises(UsageError, match=f"missing: {key}"):
        exchange.read(one(tmp_path, state))


def test_an_extra_key_is_named(tmp_path: Path) -> None:
    state = {**generator(), "model.40.bias": torch.ones(3)}
    with pytest.raises(UsageError, match=r"not known: model\.40\.bias"):
        exchange.read(one(tmp_path, state))


def test_a_wrong_width_is_named(tmp_path: Path) -> None:
    state = {**generator(), "model.4.weight": torch.ones(16, 8, 3, 3)}
    with pytest.raises(UsageError, match=r"width 4\): model\.4\.weight is 16x8x3x3, not 8x4x3x3"):
        exchange.read(one(tmp_path, state))


def test_networks_of_two_widths_are_not_one_model(tmp_path: Path) -> None:
    paths = cyclegan_files(tmp_path, {"net_G_A": cyclegan()["net_G_A"], "net_G_B": cyclegan(width=8)["net_G_B"]})
    with pytest.raises(UsageError, match=r"latest_net_G_A.pth has width 4, .*latest_net_G_B.pth has 8"):
        exchange.read(paths)


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    judge = dict(cyclegan()["net_D_A"].state_dict())
    with pytest.raises(UsageError, match="holds a discriminator"):
        exchange.read(one(tmp_path, judge, "latest_net_G_A"))
    with pytest.raises(UsageError, match="a discriminator, but its name doesn't say of which domain"):
        exchange.read(one(tmp_path, judge, "mine"))


@pytest.mark.parametrize(
    ("model", "generators_too"),
    [({"discriminator": "dual", "discriminator_norm": "spectral"}, False), ({"upsampling": "nearest"}, True)],
)
def test_networks_that_others_do_not_know_do_not_go_out(
    tmp_path: Path, model: dict[str, str], generators_too: bool
) -> None:
    torch.manual_seed(0)
    config = CycleGANConfig(width=2, discriminator_width=2, blocks=1, **model)
    recipe = CycleGAN(config)
    roles = ("g_a2b", "g_b2a", "d_a", "d_b")
    states = {role: dict(getattr(recipe, role).state_dict()) for role in roles}
    imported = ImportedNetworks("cyclegan", config, states)
    with pytest.raises(UsageError, match="not networks that other projects know"):
        exchange.write(imported, tmp_path / "all")
    if generators_too:
        with pytest.raises(UsageError, match="upsamples by resizing"):
            exchange.write(imported, tmp_path / "some", generators_only=True)
    else:
        written = exchange.write(imported, tmp_path / "some", generators_only=True)
        assert [path.stem for path in written] == ["latest_net_G_A", "latest_net_G_B"]
    again = exchange.read(saved.save(imported, tmp_path / "own.safetensors"))  # our own file takes them all
    assert again.config == config
    assert exchange.build(again).state_dict().keys() == recipe.state_dict().keys()


def test_of_a_run_with_a_moving_average_the_average_goes_out(tmp_path: Path) -> None:
    dataset(tmp_path)
    run(tiny(run__steps=3, run__samples=0, model__ema=0.9, model__lr=0.1), tmp_path, tmp_path / "run")
    imported = exchange.read(tmp_path / "run")
    assert set(imported.networks) == {"g_a2b", "g_b2a", "d_a", "d_b"}
    recipe = load_run(tmp_path / "run").recipe
    photo = torch.rand(1, 3, 32, 32) * 2 - 1
    rendered = recipe.render({"a": photo})["a2b"]
    exchange.write(imported, tmp_path / "files")
    assert torch.equal(exchange.build(exchange.read(tmp_path / "files")).render({"a": photo})["a2b"], rendered)
    assert not torch.equal(recipe.g_a2b(photo), rendered)
