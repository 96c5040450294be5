"""StyleGAN2's pickles, written as its authors write them, read without running what they name."""

from __future__ import annotations

import collections
import os
import pickle
import re
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.recipes.stylegan2.networks import Generator
from curate.train.recipes.stylegan2.residual_discriminator import Discriminator
from curate.train.weights import exchange, inert_pickle, saved
from curate.train.weights.stylegan2 import SYSTEM

SHAPE = {"channel_base": 128, "channel_max": 8, "conv_clamp": 256.0}


class EasyDict(dict[str, Any]): ...


class Persistent:
    """A module as torch_utils.persistence pickles it: its source, its class's name and its attributes."""

    source = "raise SystemError('the source of a module was run')"

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        self.attributes = attributes

    def __reduce__(self) -> tuple[Any, ...]:
        meta = {"type": "class", "version": 6, "module_src": self.source, "class_name": "G", "state": self.attributes}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,), None


def module(state: Mapping[str, Tensor], buffers: tuple[str, ...], **numbers: Any) -> Persistent:
    children: dict[str, dict[str, Tensor]] = {}
    own: dict[str, Tensor] = {}
    for key, value in state.items():
        child, _, rest = key.partition(".")
        (children.setdefault(child, {}) if rest else own)[rest or key] = value
    kinds = {name: {k: v for k, v in own.items() if (k in buffers) == (name == "_buffers")} for name in KINDS}
    kinds["_parameters"] = {key: torch.nn.Parameter(value) for key, value in kinds["_parameters"].items()}
    found = {} if "weight" not in own else {"bias_gain": 1, **numbers}
    modules = {
        name: module(part, buffers, **{**numbers, **({"bias_gain": 0.01} if re.fullmatch(r"fc\d+", name) else {})})
        for name, part in children.items()
    }
    hooks: Any = collections.OrderedDict()
    return Persistent({**kinds, "_modules": modules, "_forward_hooks": hooks, "training": False, **found})


KINDS = ("_parameters", "_buffers")
BUFFERS = ("w_avg", "noise_const", "resample_filter")


@pytest.fixture
def authors(monkeypatch: pytest.MonkeyPatch) -> None:
    """The authors' modules, as far as pickle wants to see them while it writes."""
    for name, content in {"torch_utils.persistence": "_reconstruct_persistent_obj", "dnnlib.util": "EasyDict"}.items():
        monkeypatch.setitem(sys.modules, name.partition(".")[0], types.ModuleType(name.partition(".")[0]))
        made = types.ModuleType(name)
        value: Any = EasyDict if content == "EasyDict" else types.FunctionType((lambda meta: meta).__code__, {})
        value.__module__, value.__qualname__, value.__name__ = name, content, content
        setattr(made, content, value)
        monkeypatch.setitem(sys.modules, name, made)


def networks() -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    made: dict[str, torch.nn.Module] = {
        name: Generator(16, z_dim=6, w_dim=6, mapping_layers=2, **SHAPE)  # type: ignore[arg-type]
        for name in ("G", "G_ema")
    }
    return made | {"D": Discriminator(16, group_size=2, **SHAPE)}  # type: ignore[arg-type]


def write(path: Path, made: Mapping[str, torch.nn.Module], protocol: int = 4) -> Path:
    content: dict[str, Any] = {"training_set_kwargs": EasyDict(path="x.zip"), "augment_pipe": None}
    for name, network in made.items():
        state = dict(network.state_dict())
        filters = {key: torch.outer(TAPS, TAPS) for key in ("b16.resample_filter", "synthesis.b8.resample_filter")}
        state |= {key: value for key, value in filters.items() if f"{key.rpartition('.')[0]}." in "".join(state)}
        content[name] = module(state, BUFFERS, conv_clamp=256)
    content["D"].attributes["_modules"]["b4"].attributes["_modules"]["mbstd"] = Persistent(
        {"_parameters": {}, "_buffers": {}, "_modules": {}, "group_size": 2, "num_channels": 1}
    )
    path.write_bytes(pickle.dumps(content, protocol))
    return path


TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


@pytest.mark.usefixtures("authors")
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_the_authors_pickles_are_read_value_for_value(tmp_path: Path, protocol: int) -> None:
    made = networks()
    imported = exchange.read(write(tmp_path / "network.pkl", made, protocol))
    assert imported.side == 16
    config: Any = imported.config
    assert (config.z_dim, config.w_dim, config.mapping_layers, config.group_size) == (6, 6, 2, 2)
    assert (config.channel_base, config.channel_max, config.conv_clamp, config.labels) == (128, 8, 256.0, 0)
    recipe: Any = exchange.build(imported)
    for name, network in (("G", recipe.generator), ("D", recipe.discriminator), ("G_ema", recipe.average.network)):
        theirs = made[name].state_dict()
        assert theirs.keys() == network.state_dict().keys()
        assert all(torch.equal(value, theirs[key]) for key, value in network.state_dict().items())
    z = torch.randn(2, 6)
    assert torch.equal(recipe.render({"z": z})["image"], made["G_ema"](z))


@pytest.mark.usefixtures("authors")
def test_what_is_read_goes_round(tmp_path: Path) -> None:
    imported = exchange.read(write(tmp_path / "network.pkl", networks()))
    again = exchange.read(saved.save(imported, tmp_path / "x.safetensors"))
    [exported] = exchange.write(imported, tmp_path / "out")
    third = exchange.read(exported)
    assert again.networks.keys() == imported.networks.keys()
    for role, state in imported.networks.items():
        assert all(torch.equal(again.networks[role][key], value) for key, value in state.items())
    before, after = (exchange.build(one).state_dict() for one in (imported, again))
    assert all(torch.equal(after[key], value) for key, value in before.items() if not key.startswith("ada."))
    average = imported.networks["average"]  # which is taken where a file of weights has both
    assert all(torch.equal(value, average[f"network.{key}"]) for key, value in third.networks["generator"].items())
    filters = [key for key in torch.load(exported, weights_only=True)["D"] if key.endswith("resample_filter")]
    assert len(filters) == 2 * 4 + 1 + 1  # of each block: its own, conv0, conv1, skip; fromrgb; the last convolution
    assert any("conv_clamp: not in the file" in note for note in third.notes)


@pytest.mark.usefixtures("authors")
def test_other_networks_of_the_same_names_are_refused(tmp_path: Path) -> None:
    made = networks()
    path = write(tmp_path / "network.pkl", made)
    [found, *_] = [part for part in exchange._parts(path, SYSTEM.recognises) if part.label == "G"]
    for key, value, reason in (
        ("synthesis.b8.resample_filter", torch.ones(4, 4) / 16, "is not \\(1, 3, 3, 1\\)"),
        ("mapping.fc0.bias_gain", torch.tensor(1.0), "is 1, not 0.01"),
        ("synthesis.b8.conv0.conv_clamp", torch.tensor(2.0), "several conv_clamp"),
    ):
        part = type(found)(found.label, found.where, {**found.state, key: value})
        with pytest.raises(UsageError, match=reason):
            SYSTEM.read([part], "a2b")


class Calls:
    """An object that a pickle makes by calling `function`."""

    def __init__(self, function: Callable[..., Any], *args: Any, state: Any = None) -> None:
        self.made = (function, args, state) if state is not None else (function, args)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.made


def hostile(kind: str, mark: Path) -> Any:
    evil = Calls(os.system, f"touch {mark}")
    plain = torch.tensor([1.0])
    return {
        "called": evil,
        "within a dict": {"G": evil},
        "eval": Calls(eval, f"open({str(mark)!r}, 'w')"),
        "getattr": Calls(getattr, evil, "x"),
        "in a storage": Calls(torch.storage._load_from_bytes, pickle.dumps(evil)),
        "as an attribute": Persistent({"_parameters": {"weight": evil}}),
        "as a state": Calls(collections.OrderedDict, state={"items": evil}),
        "a dict with a state": Calls(collections.OrderedDict, state={"items": 1}),
        "a tensor with a state": Calls(
            torch._utils._rebuild_tensor_v2, plain.untyped_storage(), 0, (1,), (1,), False, {}, state=(1, 2, 3, 4)
        ),
        "a function of torch": Calls(torch.load, str(mark)),
        "numpy's objects": Calls(sys.modules["numpy"].dtype, "O"),
    }[kind]


KINDS_OF_HARM = (
    *("called", "within a dict", "eval", "getattr", "in a storage", "as an attribute", "as a state"),
    *("a dict with a state", "a tensor with a state", "a function of torch", "numpy's objects"),
)


@pytest.mark.usefixtures("authors")
@pytest.mark.parametrize("kind", KINDS_OF_HARM)
def test_a_hostile_pickle_is_refused_and_has_done_nothing(tmp_path: Path, kind: str) -> None:
    mark, path = tmp_path / "mark", tmp_path / "network.pkl"
    path.write_bytes(pickle.dumps(hostile(kind, mark), 2))
    with pytest.raises(UsageError, match=r"refused|broken"):
        exchange.read(path)
    assert not mark.exists()
    if kind not in ("a tensor with a state", "in a storage"):
        with pytest.raises(UsageError, match="refused: loading it would run code"):
            inert_pickle.read(path)


@pytest.mark.usefixtures("authors")
def test_broken_pickles_say_so(tmp_path: Path) -> None:
    whole = write(tmp_path / "network.pkl", networks()).read_bytes()
    for number, content in enumerate((whole[:1000], b"\x80\x04", b"\x80\x04r\xff\xff\xff\xff.", b"no pickle", b"")):
        path = tmp_path / f"{number}.pkl"
        path.write_bytes(content)
        with pytest.raises(UsageError, match="broken"):
            exchange.read(path)
    nothing = tmp_path / "nothing.pkl"
    nothing.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(UsageError, match="holds no networks"):
        exchange.read(nothing)
