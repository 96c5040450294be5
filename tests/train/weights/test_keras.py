"""The CAGAN notebook's files: Keras' .h5, and get_weights in an .npz, in and out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from curate.pipeline.core.errors import UsageError
from curate.train.recipes.cagan.config import CAGANConfig
from curate.train.recipes.cagan.networks import BatchNormPatch, ConditionedUNet
from curate.train.weights import exchange
from curate.train.weights.format import ImportedNetworks
from tests.support.cagan_numpy import keras_generator
from tests.support.foreign_weights import perturbed

WIDTH = 4

# What the notebook's session writes, layer by layer: the discriminator was made first, and numbering goes on.
GENERATOR = [
    ("conv2d_6", ["down1"]),
    *[(f"conv2d_{6 + n}", [f"down{n + 1}.0"]) for n in (1, 2, 3)],
    *[(f"instance_normalization_{n}", [f"down{n + 1}.1"]) for n in (1, 2, 3)],
    *[(f"conv2d_transpose_{n}", [f"up{5 - n}.0"]) for n in (1, 2, 3, 4)],
    *[(f"instance_normalization_{n + 3}", [f"up{5 - n}.1"]) for n in (1, 2, 3, 4)],
    ("conv2d_10", ["out"]),
]
DISCRIMINATOR = [
    ("conv2d_1", ["conv1"]),
    *[(f"conv2d_{n}", [f"conv{n}.0"]) for n in (2, 3, 4)],
    *[(f"batch_normalization_{n - 1}", [f"conv{n}.1"]) for n in (2, 3, 4)],
    ("conv2d_5", ["conv5"]),
]


def networks() -> dict[str, Any]:
    torch.manual_seed(0)
    return {"generator": perturbed(ConditionedUNet(WIDTH), 0), "discriminator": perturbed(BatchNormPatch(WIDTH), 1)}


def kernel(value: np.ndarray) -> np.ndarray:
    """[out, in, h, w] as [h, w, in, out], and [in, out, h, w] as [h, w, out, in], element by element."""
    made = np.empty((*value.shape[2:], value.shape[1], value.shape[0]), np.float32)
    for first in range(value.shape[0]):
        for second in range(value.shape[1]):
            made[:, :, second, first] = value[first, second]
    return made


def content(role: str) -> dict[str, dict[str, np.ndarray]]:
    """Layers by Keras' names."""
    state = {key: value.numpy() for key, value in networks()[role].state_dict().items()}
    layers: dict[str, dict[str, np.ndarray]] = {}
    for name, (ours,) in GENERATOR if role == "generator" else DISCRIMINATOR:
        weight, bias = state[f"{ours}.weight"], state.get(f"{ours}.bias")
        if weight.ndim == 4:
            layers[name] = {"kernel:0": kernel(weight)} | ({} if bias is None else {"bias:0": bias})
        else:
            assert bias is not None
            layers[name] = {"gamma:0": weight, "beta:0": bias}
            if name.startswith("batch"):
                layers[name] |= {"moving_mean:0": 0 * bias + 3, "moving_variance:0": 0 * bias + 2}
    return layers


def h5(path: Path, layers: Mapping[str, Mapping[str, np.ndarray]], below: str = "") -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "a") as file:
        for layer, weights in layers.items():
            for name, array in weights.items():
                file[f"{below}{layer}/{layer}/{name}"] = array
        file["optimizer_weights/Adam/iterations:0"] = 7
    return path


def npz(path: Path, role: str) -> Path:
    """What np.savez makes of model.get_weights(): arrays in the order in which layers run."""
    layers, kind = content(role), {"generator": ConditionedUNet, "discriminator": BatchNormPatch}[role]
    names = {ours: name for name, (ours,) in (GENERATOR if role == "generator" else DISCRIMINATOR)}
    order = dict.fromkeys(key.rpartition(".")[0] for key in kind(WIDTH).state_dict())
    np.savez(path, *[array for ours in order for array in layers[names[ours]].values()])
    return path


def check(imported: ImportedNetworks, *roles: str) -> None:
    assert imported.system == "cagan"
    assert imported.config == CAGANConfig(variant="keras", width=WIDTH)
    assert list(imported.networks) == list(roles)
    for role in roles:
        expected = networks()[role].state_dict()
        assert imported.networks[role].keys() == expected.keys()
        assert all(torch.equal(value, expected[key]) for key, value in imported.networks[role].items())


def test_both_networks_come_in_as_they_were(tmp_path: Path) -> None:
    paths = [h5(tmp_path / "netG.h5", content("generator")), h5(tmp_path / "netD.h5", content("discriminator"))]
    check(exchange.read(paths), "generator", "discriminator")
    check(exchange.read(tmp_path), "generator", "discriminator")
    check(exchange.read(h5(tmp_path / "whole model", content("generator"), "model_weights/")), "generator")


def test_arrays_of_get_weights_come_in(tmp_path: Path) -> None:
    check(exchange.read(npz(tmp_path / "g.npz", "generator")), "generator")
    check(exchange.read([tmp_path / "g.npz", npz(tmp_path / "d.npz", "discriminator")]), "generator", "discriminator")


def test_arrays_by_name_come_in(tmp_path: Path) -> None:
    layers = content("discriminator")
    named = {f"{layer}/{name}": array for layer, weights in layers.items() for name, array in weights.items()}
    np.savez(tmp_path / "d.npz", **named)
    check(exchange.read(tmp_path / "d.npz"), "discriminator")


def test_what_comes_in_paints_like_the_formulas_on_the_file(tmp_path: Path) -> None:
    recipe: Any = exchange.build(exchange.read(npz(tmp_path / "g.npz", "generator")))
    rng = np.random.default_rng(0)
    human, worn, wanted = rng.uniform(-1, 1, (3, 1, 3, 48, 32))
    weights = {key: value.double().numpy() for key, value in networks()["generator"].state_dict().items()}
    alpha, rgb = keras_generator(weights, human, worn, wanted)
    batch = {"human": human, "article": worn, "other": wanted}
    made = recipe.generator(torch.tensor(np.concatenate(list(batch.values()), 1), dtype=torch.float32))
    np.testing.assert_allclose(made[0].detach().numpy(), alpha, atol=1e-5)
    np.testing.assert_allclose(made[1].detach().numpy(), rgb, atol=1e-5)


@pytest.mark.parametrize(("layout", "suffix"), [(None, "h5"), ("keras", "h5"), ("keras-npz", "npz")])
def test_what_goes_out_comes_in_again(tmp_path: Path, layout: str | None, suffix: str) -> None:
    if suffix == "h5":
        pytest.importorskip("h5py")
    states = {role: dict(network.state_dict()) for role, network in networks().items()}
    imported = ImportedNetworks("cagan", CAGANConfig(variant="keras", width=WIDTH), states)
    written = exchange.write(imported, tmp_path / "out", layout)
    assert [path.name for path in written] == [f"generator.{suffix}", f"discriminator.{suffix}"]
    check(exchange.read(tmp_path / "out"), "generator", "discriminator")
    if suffix == "npz":
        theirs = np.load(npz(tmp_path / "d.npz", "discriminator"))
        ours = np.load(written[1])
        assert [ours[name].shape for name in ours] == [theirs[name].shape for name in theirs]


def test_keras_finds_its_names_in_what_goes_out(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    states = {"discriminator": dict(networks()["discriminator"].state_dict())}
    imported = ImportedNetworks("cagan", CAGANConfig(variant="keras", width=WIDTH), states)
    (path,) = exchange.write(imported, tmp_path)
    with h5py.File(path) as file:
        layers = [name.decode() for name in file.attrs["layer_names"]]
        assert layers[:3] == ["conv2d_1", "conv2d_2", "batch_normalization_1"]
        names = [name.decode() for name in file["batch_normalization_1"].attrs["weight_names"]]
        assert [name.rpartition("/")[2] for name in names] == [
            "gamma:0",
            "beta:0",
            "moving_mean:0",
            "moving_variance:0",
        ]
        assert file["conv2d_1"][names[0].replace("batch_normalization_1/gamma", "conv2d_1/kernel")].shape == (
            4,
            4,
            6,
            4,
        )


def test_other_variants_and_layouts_do_not_go_out(tmp_path: Path) -> None:
    for variant, layout in (("modern", None), ("modern", "keras"), ("keras", "chainer"), ("chainer", "keras")):
        config = CAGANConfig(variant=variant, width=WIDTH)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=f"model.variant is {variant}"):
            exchange.write(ImportedNetworks("cagan", config, {}), tmp_path, layout)


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    layers = content("discriminator")
    flat = {f"{layer}/{name}": array for layer, weights in layers.items() for name, array in weights.items()}
    for changed, message in (
        ({key: array for key, array in flat.items() if "conv2d_5" not in key}, "missing: a layer conv2d, our conv5"),
        ({**flat, "conv2d_9/kernel:0": flat["conv2d_5/kernel:0"]}, "more layers of conv2d"),
        ({**flat, "conv2d_1/kernel:0": np.ones((4, 4, 3, 4), np.float32)}, "takes 3 channels"),
        ({**flat, "conv2d_3/kernel:0": np.ones((4, 4, 9, 4), np.float32)}, r"conv3\.0\.weight is 4x9x4x4"),
    ):
        np.savez(tmp_path / "d.npz", **changed)
        with pytest.raises(UsageError, match=message):
            exchange.read(tmp_path / "d.npz")


def test_a_broken_or_lying_h5_is_one_line(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = h5(tmp_path / "netD.h5", content("discriminator"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="broken"):
        exchange.read(path)
    secret = tmp_path / "secret"
    secret.write_bytes(b"\0" * 4096)
    for make in (
        lambda file: file.create_dataset("conv2d_1/kernel:0", (1 << 44,), "f4"),
        lambda file: file.create_dataset("conv2d_1/kernel:0", (4,), "f4", external=[(str(secret), 0, 16)]),
    ):
        with h5py.File(tmp_path / "lie.h5", "w") as file:
            make(file)
        with pytest.raises(UsageError, match=r"claims to be|lies in another file"):
            exchange.read(tmp_path / "lie.h5")
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["conv2d_1"] = h5py.ExternalLink(str(path), "conv2d_1")
    with pytest.raises(UsageError, match="holds no weights"):
        exchange.read(tmp_path / "link.h5")
