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

from curate.pipeline.core.errors import UsageError
from curate.train.evaluation.features.extractor import load
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
    net = load(tmp_path / "inception_v3.pth")
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
    net = load(tmp_path / "pt_inception.safetensors")
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
        load(path)
    torch.save({**fids, "Conv2d_1a_3x3.conv.weight": torch.zeros(32, 1, 3, 3)}, path)
    with pytest.raises(UsageError, match=r"Conv2d_1a_3x3\.conv\.weight is 32x1x3x3, not 32x3x3x3"):
        load(path)
    torch.save({"conv.weight": torch.zeros(3)}, path)
    with pytest.raises(UsageError, match=r"not the weights of an Inception v3"):
        load(path)
    with pytest.raises(UsageError, match=r"No such file"):
        load(tmp_path / "none.pth")


def test_the_stand_in_is_the_same_every_time() -> None:
    one, other = load(None), load(None)
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
    women, men, net = photos("women", 80), photos("men", 40), load(None)
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
