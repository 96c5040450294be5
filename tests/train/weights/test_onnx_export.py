"""Generators as ONNX: what they are given and give, and that onnxruntime computes what torch does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging.photo import Photo
from curate.train.recipes import RECIPES
from curate.train.runs.trained import Trained
from curate.train.translate import onnx_networks
from curate.train.translate.translator import Translator
from curate.train.weights import onnx_export
from curate.train.weights.onnx_export import OneWay
from tests.support import drawn_people, onnx_painter

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "unet": ("cyclegan", {"width": 8, "backbone": "unet", "generator": "masked"}),
    "faces": ("cyclegan", {"width": 4, "blocks": 1, "face_branch": True, "upsampling": "nearest"}),
    "masked": ("cyclegan", {"width": 4, "blocks": 1, "generator": "masked"}),
    "ugatit": ("ugatit", {"width": 4, "blocks": 1, "light": True}),
    "council": ("council", {"width": 4, "members": 2}),
    "cagan": ("cagan", {"width": 2, "variant": "modern"}),
    "stylegan2": (
        "stylegan2",
        {"size": 16, "z_dim": 8, "w_dim": 8, "mapping_layers": 1, "channel_base": 64, "channel_max": 4},
    ),
}


def trained(name: str) -> Trained:
    torch.manual_seed(3)
    system, given = MODELS[name]
    kind: Any = RECIPES.resolve(system)
    config = kind.Config(**given)
    recipe = kind(config)
    for parameter in recipe.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)  # as trained ones, which paint something
    keys = frozenset(kind.keys(config))
    ways = tuple(way for way in config.directions if way == "a2b")
    rules = dict.fromkeys("ab", CropRules(size=32))
    return Trained(
        recipe=recipe,
        source="here",
        step=1,
        side=32,
        domains={"a": "long", "b": "short"},
        rules=rules,
        directions=ways,
        keys=keys,
        members=getattr(config, "members", 0),
    )


@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        ("faces", ["image", "face"], ["translated"]),
        ("unet", ["image"], ["translated", "mask", "paint"]),
        ("ugatit", ["image"], ["translated", "attention"]),
        ("council", ["image", "z"], ["translated", "mask", "paint"]),
    ],
)
def test_a_generator_is_a_function_of_tensors_that_gives_what_render_does(
    name: str, inputs: list[str], outputs: list[str]
) -> None:
    one = trained(name)
    network = OneWay(one.recipe, "a2b", 32, member=1 if one.members else None, face=name == "faces")
    given = network.examples(3)
    with torch.no_grad():
        assert (list(given), list(network.parts)) == (inputs, outputs)
        made = dict(zip(outputs, network(*given.values()), strict=True))
    batch = {"a": given["image"]}
    batch |= {"face_a": given["face"]} if "face" in given else {}
    batch |= {"member": torch.tensor([1]), "style": torch.arange(3)} if "z" in given else {}
    wanted = one.recipe.render(batch)
    assert torch.equal(made.pop("translated"), wanted["a2b"])
    assert all(torch.equal(value, wanted[f"a2b_{part}"]) for part, value in made.items())


@pytest.mark.parametrize("name", ["masked", "faces"])
def test_onnxruntime_translates_eight_photos_as_torch_does(name: str, tmp_path: Path) -> None:
    one = trained(name)
    (path,) = onnx_export.write(one, tmp_path)
    assert path.name == "a2b.onnx"
    both = [Translator(networks, "a2b") for networks in (one, onnx_networks.load(path))]
    seen = 0
    for seed in range(8):
        photo = Photo.of(drawn_people.photo(seed))
        by_torch, by_onnx = (each.on_photo(photo).photo.shown.astype(int) for each in both)
        assert np.abs(by_torch - by_onnx).max() <= 1
        seen += bool(np.abs(by_torch - photo.shown).max() > 20)
    assert seen >= 6


class Attention(torch.nn.Module):
    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.scaled_dot_product_attention(query, key, value)


def test_attention_over_places_is_translated_by_us(tmp_path: Path) -> None:
    import onnxruntime

    given = [torch.randn(2, places, channels) for places, channels in ((9, 8), (4, 8), (4, 3))]
    shapes, table = tuple({0: "batch"} for _ in given), onnx_export.TRANSLATIONS
    program = torch.onnx.export(
        Attention(), tuple(given), dynamic_shapes=shapes, custom_translation_table=table, dynamo=True, verbose=False
    )
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    names = [one.name for one in session.get_inputs()]
    more = [torch.cat([one, one + 1]) for one in given]
    (made,) = session.run(None, {name: one.numpy() for name, one in zip(names, more, strict=True)})
    assert np.allclose(made, Attention()(*more).numpy(), atol=1e-5)


class Median(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.median(2).values


def test_the_median_is_translated_by_us() -> None:
    given, shapes = torch.randn(2, 3, 8), ({0: "batch"},)
    program = torch.onnx.export(
        Median(), (given,), dynamic_shapes=shapes, custom_translation_table=onnx_export.TRANSLATIONS,
        dynamo=True, verbose=False,
    )  # fmt: skip
    assert program is not None
    more = torch.randn(5, 3, 8)
    (made,) = computed(program.model_proto.SerializeToString(), {"x": more})
    assert np.array_equal(made, more.median(2).values.numpy())


def test_what_computes_something_else_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = onnx_painter.write(tmp_path / "other.onnx")
    network = OneWay(trained("ugatit").recipe, "a2b", onnx_painter.SIDE, member=None, face=False)
    network.parts = ("translated",)
    with pytest.raises(CurateError, match="ONNX gives another translated"):
        onnx_export.check(network, path.read_bytes(), "here")


class SwappedColours(torch.nn.Module):
    """What onnx_painter's file computes, with another paint at one px."""

    parts = ("translated", "mask", "paint")

    def __init__(self, row: int) -> None:
        super().__init__()
        self.row = row

    def examples(self, count: int) -> dict[str, torch.Tensor]:
        side = onnx_painter.SIDE
        return {"image": torch.linspace(-1, 1, count * 3 * side * side).view(count, 3, side, side)}

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        mask, paint = torch.zeros_like(image[:, :1]), image[:, [1, 2, 0]].clone()
        mask[..., 16:48, 16:48] = 1
        made = mask * paint + (1 - mask) * image
        paint[..., self.row, 30] += 1
        return made, mask, paint


def test_paint_is_compared_where_it_shows(tmp_path: Path) -> None:
    data = onnx_painter.write(tmp_path / "a2b.onnx").read_bytes()
    onnx_export.check(SwappedColours(2), data, "here")  # type: ignore[arg-type]
    with pytest.raises(CurateError, match=r"ONNX gives another paint, by 12[78]"):
        onnx_export.check(SwappedColours(30), data, "here")  # type: ignore[arg-type]


def test_networks_without_a_generator_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no generator"):
        onnx_export.write(replace(trained("unet"), directions=()), tmp_path)
    assert not list(tmp_path.iterdir())


def computed(path: Path | bytes, inputs: dict[str, torch.Tensor]) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    return [*session.run(None, {name: value.numpy() for name, value in inputs.items()})]


def test_a_person_puts_on_an_article_without_torch(tmp_path: Path) -> None:
    one = trained("cagan")
    (path,) = onnx_export.write(one, tmp_path)
    people = {name: torch.rand(3, 3, 32, 32) * 2 - 1 for name in ("human", "article", "worn")}
    with torch.no_grad():
        wanted = one.recipe.render({"human": people["human"], "article": people["worn"], "other": people["article"]})
    translated, mask = computed(path, people)
    assert path.name == "swap.onnx"
    assert np.abs(translated - wanted["swapped"].numpy()).max() < 1e-4
    assert np.abs(mask * 2 - 1 - wanted["alpha"][:, :1].numpy()).max() < 1e-4
    with pytest.raises(UsageError, match="a generator of CAGAN, for other runtimes"):
        onnx_networks.load(path)


def test_pictures_come_of_noise_without_torch(tmp_path: Path) -> None:
    one = trained("stylegan2")
    mapping, synthesis = onnx_export.write(one, tmp_path)
    assert (mapping.name, synthesis.name) == ("mapping.onnx", "synthesis.onnx")
    z = torch.randn(3, 8)
    for psi in (1.0, 0.5):
        with torch.no_grad():
            wanted = one.recipe.render({"z": z, "psi": torch.tensor(psi)})
        (w,) = computed(mapping, {"z": z, "psi": torch.full((3,), psi)})
        (image,) = computed(synthesis, {"w": torch.from_numpy(w)})
        assert np.abs(w - wanted["w"].numpy()).max() < 1e-4
        assert np.abs(image - wanted["image"].numpy()).max() < 1e-3
    assert float(wanted["image"].std()) > 0.01
