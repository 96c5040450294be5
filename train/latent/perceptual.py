"""How far two pictures are apart as a person sees it: the sum of squared differences of a net's features.

VGG16 is what the official projector and LPIPS (Zhang et al., The Unreasonable Effectiveness of Deep Features as a
Perceptual Metric, 2018) look with; its 553 MB of weights are used where torchvision has fetched them. Else Lite0, which
a small package brings; else no net: pixels at several sizes. A distance carries its net's name: those of two nets have
nothing in common.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.pipeline.core.errors import ModelError, UsageError
from curate.pipeline.faces import model_files
from curate.train.evaluation.features import extractor
from curate.train.evaluation.features.lite0 import Lite0
from curate.train.evaluation.features.names import LITE0, LITE0_FILE

PIXELS, VGG = "pixels", "vgg16"
NAMES = (VGG, LITE0, PIXELS)  # the first that is there is taken
SEEN = 256  # px: larger pictures are reduced to this side, by areas
VGG_FILE, VGG_DIGEST = "vgg16-397923af.pth", "397923af"  # torchvision's; the name says how its SHA-256 begins
_SMALLEST = 8  # px, of the pyramid of pixels
_EPSILON = 1e-10
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of values in [0, 1]


class Perceptual(NamedTuple):
    """Pictures [N, 3, H, W] in [-1, 1] to features [N, d], whose squared differences add up to the distance."""

    name: str
    features: Callable[[Tensor], Tensor]

    def __call__(self, pictures: Tensor) -> Tensor:
        return self.features(reduced(pictures))


def load(name: str | None, device: torch.device | str = "cpu") -> Perceptual:
    """The net `name`, or the first of NAMES that this machine has. Raises UsageError and ModelError."""
    if name is None:
        name = VGG if _vgg_file() else LITE0 if model_files.standing(LITE0_FILE).state == "ok" else PIXELS
    if name == VGG:
        return _vgg(device)
    if name == LITE0:
        network = extractor.load(LITE0, device=device).network
        assert isinstance(network, Lite0)
        return Perceptual(LITE0, lambda pictures: _together(network.stages(pictures)))
    if name == PIXELS:
        return Perceptual(PIXELS, pyramid)
    raise UsageError(f"--distance {name}: there are {', '.join(NAMES)}", "not given, the best that is here is taken")


def reduced(pictures: Tensor) -> Tensor:
    """Pictures at SEEN px at most, by the mean of areas."""
    side = pictures.shape[-1]
    return pictures if side <= SEEN else F.interpolate(pictures, size=(SEEN, SEEN), mode="area")


def pyramid(pictures: Tensor) -> Tensor:
    """The pixels at their size, at half of it and so on down to 8 px: [N, d], each size weighing the same."""
    levels = []
    while True:
        levels.append(pictures.flatten(1) / math.sqrt(pictures[0].numel()))
        if pictures.shape[-1] < 2 * _SMALLEST:
            return torch.cat(levels, 1)
        pictures = F.avg_pool2d(pictures, 2)


class Vgg16(nn.Module):
    """The convolutions of VGG16 (Simonyan and Zisserman, 2015), by torchvision's names."""

    CHANNELS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.taps, inputs = set[int](), 3
        for block in self.CHANNELS:
            layers += [nn.MaxPool2d(2)] if layers else []
            for outputs in block:
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
                inputs = outputs
            self.taps.add(len(layers) - 1)
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("spread", torch.tensor(_SPREAD)[:, None, None], persistent=False)
        self.requires_grad_(False)

    def stages(self, pictures: Tensor) -> Iterator[Tensor]:
        """The last map of each block, before it is halved; pictures [N, 3, H, W] in [-1, 1]."""
        x = ((pictures + 1) / 2 - self.get_buffer("mean")) / self.get_buffer("spread")
        for number, layer in enumerate(self.features):
            if x.shape[-1] < 2 and isinstance(layer, nn.MaxPool2d):
                return
            x = layer(x)
            if number in self.taps:
                yield x


def _vgg(device: torch.device | str) -> Perceptual:
    path = _vgg_file()
    if path is None:
        raise ModelError(
            f"{VGG}: {VGG_FILE} is not on this machine",
            "python -c 'import torchvision; torchvision.models.vgg16(weights=\"DEFAULT\")' fetches it; or --distance "
            f"{LITE0}",
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(VGG_DIGEST):
        raise ModelError(f"{path}: not the file we know: sha256 {digest[:12]}...", f"delete {path}")
    network = Vgg16()
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    network.load_state_dict({key: state[key] for key in network.state_dict()})
    network.to(device)
    weights = _lpips_weights()
    name = f"{VGG}-lpips" if weights else VGG
    roots = [weight.sqrt().to(device) for weight in weights] if weights else None
    return Perceptual(name, lambda pictures: _together(network.stages(pictures), roots))


def _together(stages: Iterator[Tensor], roots: list[Tensor] | None = None) -> Tensor:
    """Maps [N, C, H, W] as [N, d]: each place's channels at length 1, each stage by its number of places; `roots`, of
    LPIPS, are the square roots of what its channels weigh."""
    parts = []
    for number, stage in enumerate(stages):
        place = stage / (stage.square().sum(1, keepdim=True) + _EPSILON).sqrt()
        if roots:
            place = place * roots[number]
        parts.append(place.flatten(1) / math.sqrt(stage.shape[2] * stage.shape[3]))
    return torch.cat(parts, 1)


def _vgg_file() -> Path | None:
    given = os.environ.get("CURATE_MODELS")
    places = [Path(given)] if given else []
    places.append(Path(torch.hub.get_dir()) / "checkpoints")
    return next((found for place in places if (found := place / VGG_FILE).is_file()), None)


def _lpips_weights() -> list[Tensor] | None:
    """What LPIPS's channels weigh, where its package is: [1, C, 1, 1] for each stage."""
    try:
        path = Path(str(metadata.distribution("lpips").locate_file("lpips/weights/v0.1/vgg.pth")))
        state = torch.load(path, map_location="cpu", weights_only=True)
        return [state[f"lin{number}.model.1.weight"].clamp_min(0) for number in range(len(Vgg16.CHANNELS))]
    except (metadata.PackageNotFoundError, OSError, KeyError):
        return None
