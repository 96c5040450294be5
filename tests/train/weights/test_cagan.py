"""Chainer's files of the swimwear article's networks, in and out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.pipeline.core.errors import UsageError
from curate.train.recipes.cagan.config import CAGANConfig
from curate.train.recipes.cagan.recipe import CAGAN
from curate.train.weights import exchange
from curate.train.weights.format import ImportedNetworks
from curate.train.weights.saved import save
from tests.support import cagan_numpy
from tests.support.foreign_weights import WIDTH, chainer, chainer_content

torch.set_num_threads(1)

Content = dict[str, np.ndarray]


def content(name: str = "generator") -> Content:
    return chainer_content(name, chainer()[name])


def saved(path: Path, arrays: Content) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def files(folder: Path, **shapes: int) -> list[Path]:
    """Both networks, as a trainer's snapshots are called."""
    networks = chainer(**shapes).items()
    return [saved(folder / f"{name}_iter_2940.npz", chainer_content(name, network)) for name, network in networks]


def test_both_networks_come_in_as_they_were(tmp_path: Path) -> None:
    imported = exchange.read(files(tmp_path))
    assert (imported.system, imported.side, imported.notes) == ("cagan", 64, ())
    assert imported.config == CAGANConfig(variant="chainer", width=WIDTH, size=64)
    recipe = exchange.build(imported)
    for name, network in chainer().items():
        ours = getattr(recipe, name).state_dict()
        assert all(torch.equal(value, ours[key]) for key, value in network.state_dict().items())


def test_what_comes_in_paints_like_the_formulas_on_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "gen.npz", content())
    recipe = exchange.build(exchange.read(path))
    draws = np.random.default_rng(0)
    human, worn, wanted = draws.random((3, 2, 3, 64, 64))
    theirs = {_key(name): value.astype(float) for name, value in np.load(path).items()}
    alpha, rgb = cagan_numpy.chainer_generator(theirs, human, worn, wanted)
    batch = {
        key: torch.from_numpy(picture * 2 - 1).float()
        for key, picture in (("human", human), ("article", worn), ("other", wanted))
    }
    made = recipe.render(batch)
    assert np.abs((made["swapped"].numpy() + 1) / 2 - (alpha * rgb + (1 - alpha) * human)).max() < 1e-5
    assert np.abs((made["alpha"][:, :1].numpy() + 1) / 2 - alpha).max() < 1e-5


def _key(name: str) -> str:
    for theirs, ours in (("/W", ".weight"), ("/b", ".bias"), ("/gamma", ".weight"), ("/beta", ".bias")):
        if name.endswith(theirs):
            return name.removesuffix(theirs) + ours
    raise AssertionError(name)


def test_what_comes_in_goes_out_bit_for_bit(tmp_path: Path) -> None:
    before = files(tmp_path)
    after = exchange.write(exchange.read(before), tmp_path / "out")
    assert [path.name for path in after] == ["generator.npz", "discriminator.npz"]
    for one, other in zip(before, after, strict=True):
        a, b = np.load(one, allow_pickle=False), np.load(other, allow_pickle=False)
        assert sorted(a.files) == sorted(b.files)
        assert all(a[key].tobytes() == b[key].tobytes() and a[key].dtype == b[key].dtype for key in a.files)
    again = exchange.read(tmp_path / "out")
    for role, state in exchange.read(before).networks.items():
        assert all(torch.equal(value, again.networks[role][key]) for key, value in state.items())


def test_of_a_run_the_moving_average_goes_out(tmp_path: Path) -> None:
    recipe = CAGAN(CAGANConfig(width=2, size=64))
    states = {role: dict(getattr(recipe, role).state_dict()) for role in ("generator", "discriminator")}
    imported = ImportedNetworks("cagan", recipe.config, states, 64)
    (out,) = exchange.write(imported, tmp_path, generators_only=True)
    assert out.name == "generator.npz"
    assert torch.equal(exchange.read(out).networks["generator"]["dc3.weight"], states["generator"]["dc3.weight"])


def test_a_generator_alone_takes_any_size(tmp_path: Path) -> None:
    imported = exchange.read(saved(tmp_path / "gen.npz", content()))
    assert (list(imported.networks), imported.side) == (["generator"], None)


def test_running_averages_are_left_out(tmp_path: Path) -> None:
    extra = {f"{norm}/{name}": np.ones(4, np.float32) for norm in ("bn1", "dbn0") for name in ("avg_mean", "avg_var")}
    path = saved(tmp_path / "gen.npz", {**content(), **extra, "bn1/N": np.array(0)})
    imported = exchange.read(path)
    assert "5 running averages left out" in imported.notes[0]
    assert imported.networks["generator"].keys() == chainer()["generator"].state_dict().keys()


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("generator", "dc2/W", None, "missing: dc2/W\n"),
        ("generator", "bn0/gamma", None, "missing: bn0/gamma\n"),
        ("discriminator", "c4/b", None, "missing: c4/b\n"),
        ("generator", "dc4/W", np.ones((4, 4, 4, 4), np.float32), "not known: dc4/W\n"),
        ("generator", "c1/W", np.ones((8, 9, 4, 4), np.float32), r"width 4\): c1/W is 8x9x4x4, not 8x4x4x4"),
        ("generator", "c0/W", np.ones((8, 9, 4, 4), np.float32), r"another shape \(c0/W says width 8\): c0/b is 4"),
        ("discriminator", "l4/W", np.ones((1, 33), np.float32), "l4/W has 33 columns, which are not 32 maps"),
        ("discriminator", "dc0/W", np.ones((1, 33), np.float32), "holds names of both networks"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, name: str, key: str, value: np.ndarray | None, message: str
) -> None:
    arrays = content(name)
    if value is None:
        del arrays[key]
    else:
        arrays[key] = value
    with pytest.raises(UsageError, match=message):
        exchange.read(saved(tmp_path / "net.npz", arrays))


def test_two_generators_and_two_widths_are_refused(tmp_path: Path) -> None:
    paths = [saved(tmp_path / f"{n}.npz", content()) for n in "ab"]
    with pytest.raises(UsageError, match=r"a\.npz and .*b\.npz: both are generator"):
        exchange.read(paths)
    (tmp_path / "wide").mkdir()
    wide = files(tmp_path / "wide", width=8)
    with pytest.raises(UsageError, match=r"has width 4, .*has 8: they are not of one model"):
        exchange.read([paths[0], wide[1]])


class Hostile:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> object:
        return os.system, (f"touch {self.trace}",)


def test_an_array_of_objects_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path = saved(tmp_path / "gen.npz", {**content(), "c0/W": np.array([Hostile(trace)], object)})
    with pytest.raises(UsageError, match=r"refused: c0/W holds Python objects, .* run code of its own"):
        exchange.read(path)
    assert not trace.exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_file_cut_short_is_broken(tmp_path: Path, share: float) -> None:
    path = saved(tmp_path / "gen.npz", content())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UsageError, match="broken"):
        exchange.read(path)


def test_a_damaged_member_is_broken(tmp_path: Path) -> None:
    path = saved(tmp_path / "gen.npz", content())
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 3 : len(whole) // 3 + 64] = bytes(64)
    path.write_bytes(bytes(whole))
    with pytest.raises(UsageError, match="broken"):
        exchange.read(path)


def test_arrays_of_another_byte_order_come_in_as_numbers(tmp_path: Path) -> None:
    swapped = {key: value.astype(">f4") for key, value in content().items()}
    state = exchange.read(saved(tmp_path / "gen.npz", swapped)).networks["generator"]
    assert all(torch.equal(value, state[key]) for key, value in chainer()["generator"].state_dict().items())


def test_other_variants_do_not_go_out(tmp_path: Path) -> None:
    variant = "modern"
    config = CAGANConfig(variant=variant, width=2, size=64)  # type: ignore[arg-type]
    states = {"generator": dict(CAGAN(config).generator.state_dict())}
    imported = ImportedNetworks("cagan", config, states, 64)
    with pytest.raises(UsageError, match=r"other projects would know: model\.variant is modern"):
        exchange.write(imported, tmp_path)
    again = exchange.read(save(imported, tmp_path / "own.safetensors"))  # our own file takes them all
    assert again.config == config


def test_show_knows_the_file(tmp_path: Path) -> None:
    (shown,) = exchange.show(saved(tmp_path / "gen.npz", content()))
    assert shown.system == "cagan"
    assert shown.tensors["dc3/W"] == ("float32", (WIDTH, 4, 4, 4))
    assert json.dumps(shown.tensors)
