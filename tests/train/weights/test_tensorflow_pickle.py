"""StyleGAN2's pickles of 2019 and 2020: three networks as TensorFlow's arrays, read without building anything."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from curate.pipeline.core.errors import UsageError
from curate.train.weights import exchange

SIDES, WIDTH, STYLE = (4, 8, 16), 8, 6
Arrays = dict[str, NDArray[np.float32]]


class Network:
    """What dnnlib.tflib.network.Network gives a pickle."""

    def __init__(self, name: str, variables: Arrays, **more: Any) -> None:
        about = {"version": 4, "name": name, "build_module_src": "raise SystemError('the source was run')"}
        self.state = about | {"static_kwargs": {}, "components": {}, "variables": list(variables.items())} | more

    def __getstate__(self) -> Mapping[str, Any]:
        return self.state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.state = dict(state)


@pytest.fixture(autouse=True)
def authors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The authors' module, as far as pickle wants to see it while it writes."""
    for name in ("dnnlib", "dnnlib.tflib", "dnnlib.tflib.network"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setattr(Network, "__module__", "dnnlib.tflib.network")
    monkeypatch.setattr(sys.modules["dnnlib.tflib.network"], "Network", Network, raising=False)


def triple(settings: Mapping[str, Any] | None = None, **more: Any) -> tuple[Network, Network, Network]:
    rng = np.random.default_rng(0)

    def numbers(*shape: int) -> NDArray[np.float32]:
        return rng.standard_normal(shape).astype(np.float32)

    def generator() -> Network:
        mapping = {
            f"Dense{n}/{leaf}": numbers(*shape)
            for n in range(2)
            for leaf, shape in (("weight", (STYLE, STYLE)), ("bias", (STYLE,)))
        }
        synthesis = {"4x4/Const/const": numbers(1, WIDTH, 4, 4)}
        for side in SIDES:
            layers = [("Conv1", WIDTH, 3), ("ToRGB", 3, 1)] if side > 4 else [("Conv", WIDTH, 3), ("ToRGB", 3, 1)]
            for layer, outputs, kernel in [("Conv0_up", WIDTH, 3), *layers] if side > 4 else layers:
                name = f"{side}x{side}/{layer}"
                synthesis[f"{name}/weight"] = numbers(kernel, kernel, WIDTH, outputs)
                synthesis[f"{name}/mod_weight"] = numbers(STYLE, WIDTH)
                synthesis[f"{name}/mod_bias"] = numbers(WIDTH)
                synthesis[f"{name}/bias"] = numbers(outputs)
                if outputs == WIDTH:
                    synthesis[f"{name}/noise_strength"] = np.float32(0.1)
        for number in range(2 * len(SIDES) - 1):
            side = 2 ** ((number + 5) // 2)
            synthesis[f"noise{number}"] = numbers(1, 1, side, side)
        parts = {"mapping": Network("G_mapping", mapping), "synthesis": Network("G_synthesis", synthesis)}
        mean = {"lod": np.float32(0.0), "dlatent_avg": numbers(STYLE)}
        return Network("G", mean, components=parts, static_kwargs=dict(settings or {}), **more)

    judge = {"16x16/FromRGB/weight": numbers(1, 1, 3, WIDTH), "16x16/FromRGB/bias": numbers(WIDTH)}
    for side in SIDES[:0:-1]:
        for layer, kernel in (("Conv0", 3), ("Conv1_down", 3), ("Skip", 1)):
            judge[f"{side}x{side}/{layer}/weight"] = numbers(kernel, kernel, WIDTH, WIDTH)
            if layer != "Skip":
                judge[f"{side}x{side}/{layer}/bias"] = numbers(WIDTH)
    for layer, shape in {"4x4/Conv": (3, 3, WIDTH + 1, WIDTH), "4x4/Dense0": (16 * WIDTH, WIDTH)}.items():
        judge |= {f"{layer}/weight": numbers(*shape), f"{layer}/bias": numbers(WIDTH)}
    judge |= {"Output/weight": numbers(WIDTH, 1), "Output/bias": numbers(1)}
    return generator(), Network("D", judge, build_func_name="D_stylegan2"), generator()


def write(path: Path, content: Any) -> Path:
    path.write_bytes(pickle.dumps(content, 4))
    return path


def test_every_array_is_where_the_torch_code_has_it(tmp_path: Path) -> None:
    g, d, average = triple()
    imported = exchange.read(write(tmp_path / "ffhq.pkl", (g, d, average)))
    config: Any = imported.config
    assert (imported.side, config.z_dim, config.mapping_layers, config.labels) == (16, STYLE, 2, 0)
    assert (config.channel_base, config.channel_max, config.conv_clamp, config.group_size) == (128, WIDTH, None, 4)
    recipe: Any = exchange.build(imported)
    arrays = dict(average.state["components"]["synthesis"].state["variables"])
    network = recipe.average.network
    block = network.synthesis.b8

    def equal(ours: torch.Tensor, theirs: NDArray[Any]) -> bool:
        return np.array_equal(ours.detach().numpy(), theirs)

    assert equal(network.mapping.w_avg, dict(average.state["variables"])["dlatent_avg"])
    assert equal(block.conv0.weight, arrays["8x8/Conv0_up/weight"][::-1, ::-1].transpose(3, 2, 0, 1))
    assert equal(block.conv1.weight, arrays["8x8/Conv1/weight"].transpose(3, 2, 0, 1))
    assert equal(block.conv1.affine.weight, arrays["8x8/Conv1/mod_weight"].T)
    assert equal(block.conv1.affine.bias, arrays["8x8/Conv1/mod_bias"] + 1)
    assert equal(block.torgb.weight, arrays["8x8/ToRGB/weight"].transpose(3, 2, 0, 1))
    noises = (network.synthesis.b4.conv1, block.conv0, block.conv1, network.synthesis.b16.conv0)
    for number, layer in enumerate(noises):
        assert equal(layer.noise_const, arrays[f"noise{number}"][0, 0])
    judged = dict(d.state["variables"])
    assert equal(recipe.discriminator.b4.fc.weight, judged["4x4/Dense0/weight"].T)
    assert equal(recipe.discriminator.b16.skip.weight, judged["16x16/Skip/weight"].transpose(3, 2, 0, 1))
    assert recipe.render({"z": torch.zeros(1, STYLE)})["image"].isfinite().all()


@pytest.mark.parametrize(
    ("settings", "more", "reason"),
    [
        ({"architecture": "orig"}, {}, "built with architecture 'orig'"),
        ({"resample_kernel": None}, {}, "built with resample_kernel None"),
        ({"resample_kernel": np.ones(4, np.float32)}, {}, "built with resample_kernel"),
        ({"wings": 2}, {}, "built with wings 2"),
        ({}, {"version": 3}, "a network of StyleGAN, not of StyleGAN2"),
    ],
)
def test_other_architectures_are_refused_by_name(
    tmp_path: Path, settings: Mapping[str, Any], more: Mapping[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        exchange.read(write(tmp_path / "network.pkl", triple(settings, **more)))


def test_what_changes_nothing_may_be_said(tmp_path: Path) -> None:
    settings = {"resample_kernel": (1, 3, 3, 1), "truncation_psi": 0.5, "architecture": "skip"}
    assert exchange.read(write(tmp_path / "network.pkl", triple(settings))).side == 16


def test_arrays_of_another_shape_are_broken(tmp_path: Path) -> None:
    g, d, average = triple()
    synthesis = average.state["components"]["synthesis"].state
    for name, array in (("4x4/Const/const", np.zeros((2, WIDTH, 4, 4), np.float32)), ("noise0", "x")):
        kept = list(synthesis["variables"])
        synthesis["variables"] = [(key, array if key == name else value) for key, value in kept]
        with pytest.raises(UsageError, match=f"{name}: broken"):
            exchange.read(write(tmp_path / "network.pkl", (g, d, average)))
        synthesis["variables"] = kept


def test_a_network_that_calls_something_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (print, ("run",))

    g, d, average = triple()
    average.state["static_kwargs"] = {"architecture": Evil()}
    with pytest.raises(UsageError, match="refused: loading it would run code"):
        exchange.read(write(tmp_path / "network.pkl", (g, d, average)))
