"""Networks are found in whatever people wrap them in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.weights import exchange
from curate.train.weights.roles import discriminator_side, generator_role
from curate.train.weights.unwrap import parse_rename
from tests.support.foreign_weights import chainer, chainer_content, cyclegan, ugatit, ugatit_content

State = dict[str, Tensor]
NETWORKS = {name: dict(network.state_dict()) for name, network in cyclegan().items()}
A, B = NETWORKS["net_G_A"], NETWORKS["net_G_B"]
JUDGE = NETWORKS["net_D_A"]


def under(prefix: str, state: State) -> State:
    return {prefix + key: value for key, value in state.items()}


def saved(folder: Path, content: Any, name: str = "mine.pth") -> Path:
    torch.save(content, folder / name)
    return folder / name


LIGHTNING = {
    "epoch": 7,
    "pytorch-lightning_version": "2.5",
    "state_dict": {
        **under("net_G_A.", A),
        **under("net_G_B.", B),
        **under("net_D_A.", JUDGE),
        "criterion.vgg.features.0.weight": torch.ones(4, 3, 3, 3),
        "accuracy.total": torch.tensor(3),
    },
    "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": []}],
}

WRAPPED: dict[str, tuple[Any, set[str]]] = {
    "compiled": (under("_orig_mod.", A), {"g_a2b"}),
    "compiled and parallel": (under("module._orig_mod.", A), {"g_a2b"}),
    "an attribute": (under("net.", A), {"g_a2b"}),
    "an attribute called model": (under("model.", A), {"g_a2b"}),
    "two attributes deep": (under("system.generator.", A), {"g_a2b"}),
    "a trainer's state": ({"epoch": 3, "model": A, "optimizer": {"state": {}, "param_groups": []}}, {"g_a2b"}),
    "params": ({"params": A}, {"g_a2b"}),
    "by name": ({"G_A": A, "G_B": B}, {"g_a2b", "g_b2a"}),
    "by direction": ({"netG_A2B": A, "netG_B2A": B, "netD_A": JUDGE}, {"g_a2b", "g_b2a", "d_a"}),
    "the authors' letters": ({"G_A": A, "G_B": B, "D_A": JUDGE}, {"g_a2b", "g_b2a", "d_b"}),
    "a list of networks in a dict": ({"models": {"G_AtoB": A, "G_BtoA": under("module.", B)}}, {"g_a2b", "g_b2a"}),
    "our own names": ({"g_b2a": B, "d_a": JUDGE}, {"g_b2a", "d_a"}),
    "Lightning": (LIGHTNING, {"g_a2b", "g_b2a", "d_b"}),
    "a nameless discriminator beside": ({"generator": A, "discriminator": JUDGE}, {"g_a2b"}),
}


@pytest.mark.parametrize(("content", "roles"), WRAPPED.values(), ids=WRAPPED)
def test_networks_come_out_of_their_wrapping(tmp_path: Path, content: Any, roles: set[str]) -> None:
    networks = exchange.read(saved(tmp_path, content)).networks
    assert set(networks) == roles
    expected = {"g_a2b": A, "g_b2a": B}
    for role in roles & expected.keys():
        assert networks[role].keys() == A.keys()
        assert all(torch.equal(value, expected[role][key]) for key, value in networks[role].items())


@pytest.mark.parametrize(
    "content",
    [
        {"params": A, "params_ema": B},
        {"G_AB": A, "G_AB_ema": B},
        {"model": A, "ema": B},
        {"state_dict": {**under("generator.", A), **under("ema.module.", B), "ema.n_averaged": torch.tensor(5)}},
        {"net": A, "average": {"n_averaged": torch.tensor(9), **under("module.", B)}},
    ],
)
def test_of_a_network_and_its_moving_average_the_average_comes_in(tmp_path: Path, content: Any) -> None:
    (state,) = exchange.read(saved(tmp_path, content)).networks.values()
    assert state.keys() == B.keys()
    assert torch.equal(state["model.1.weight"], B["model.1.weight"])


def test_the_file_name_says_what_a_wrapping_does_not(tmp_path: Path) -> None:
    path = saved(tmp_path, {"state_dict": under("module.", B)}, "latest_net_G_B.pth")
    assert set(exchange.read(path).networks) == {"g_b2a"}


def test_six_networks_of_a_module_come_in(tmp_path: Path) -> None:
    content = ugatit_content(ugatit())
    flat = {f"model.{name}.{key}": value for name, state in content.items() for key, value in state.items()}
    assert len(exchange.read(saved(tmp_path, {"state_dict": flat}, "last.ckpt")).networks) == 6


def test_chainers_snapshot_of_a_whole_trainer_comes_in(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"updater/iteration": np.int64(9)}
    for name, link in (("generator", "gen"), ("discriminator", "dis")):
        content = chainer_content(name, chainer()[name])
        arrays |= {f"updater/model:{link}/{key}": value for key, value in content.items()}
        arrays |= {f"updater/optimizer:{link}/{key}/m": value for key, value in content.items()}
    np.savez(tmp_path / "snapshot_iter_9.npz", **arrays)
    assert set(exchange.read(tmp_path / "snapshot_iter_9.npz").networks) == {"generator", "discriminator"}


def test_names_that_nobody_knows_are_mapped(tmp_path: Path) -> None:
    strange = {**{f"enc>{key}": value for key, value in A.items()}, **under("judge.of.b.", JUDGE)}
    path = saved(tmp_path, strange)
    with pytest.raises(UsageError, match="a discriminator, but its name doesn't say"):
        exchange.read(path)
    networks = exchange.read(path, renames=[("enc>", "g_b2a."), ("judge.of.b.", "d_b.")]).networks
    assert set(networks) == {"g_b2a", "d_b"}
    assert torch.equal(networks["g_b2a"]["model.1.bias"], A["model.1.bias"])
    with pytest.raises(UsageError, match="no name begins with enk>"):
        exchange.read(path, renames=[("enk>", "")])
    with pytest.raises(UsageError, match="two weights get one name"):
        exchange.read(saved(tmp_path, {"a.x": torch.ones(1), "b.x": torch.ones(1)}), renames=[("a.", "b.")])
    with pytest.raises(UsageError, match="no FROM=TO"):
        parse_rename("netG")


@pytest.mark.parametrize(
    ("label", "role"),
    [
        ("netG_A2B", "g_a2b"),
        ("G_BA", "g_b2a"),
        ("generator_BtoA_200", "g_b2a"),
        ("g_x2y", "g_a2b"),
        ("100_net_G_B", "g_b2a"),
        ("gen_a", "g_a2b"),
        ("netG_A_latest", "g_a2b"),
        ("genB2A", "g_b2a"),
        ("latest_net_G", None),
        ("horse2zebra", None),
        ("fabric_baby", None),
        ("lab", None),
    ],
)
def test_a_generators_direction_is_in_its_name_or_not(label: str, role: str | None) -> None:
    assert generator_role(label) == role


def test_a_discriminators_letter() -> None:
    names = ("D_A", "netD_B", "discriminator_a", "disGA", "model_d")
    assert [discriminator_side(name) for name in names] == ["a", "b", "a", None, None]


def billion_laughs() -> Any:
    inner: Any = {"x": torch.ones(1)}
    for _ in range(40):
        inner = {"a": inner, "b": inner, "c": inner}
    return inner


def itself() -> Any:
    content: dict[str, Any] = {"x.weight": torch.ones(2)}
    content["again"] = content
    return content


@pytest.mark.parametrize("make", [billion_laughs, itself])
def test_dicts_within_dicts_without_end_are_refused(tmp_path: Path, make: Callable[[], Any]) -> None:
    with pytest.raises(UsageError, match=r"not the networks of a system|more than [\d,]+ names|holds no weights"):
        exchange.read(saved(tmp_path, make()))
