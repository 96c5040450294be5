"""Feature nets, in whose eyes images are compared. Each has a name, which goes into the name of every number."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from curate.pipeline.core.errors import ModelError, UsageError
from curate.pipeline.faces import model_files
from curate.train.data.transforms import resize
from curate.train.evaluation.features.names import LITE0, LITE0_FILE, LITE0_SIDE, STAND_IN
from curate.train.evaluation.features.random_filters import StandIn
from curate.train.weights import files
from curate.train.weights.format import StateDict, fitted
from curate.train.weights.unwrap import unwrap

NAMES = {"fid": "inception", "torchvision": "torchvision_inception"}  # by layout; the first is what papers report


class FeatureNet:
    """Images float32 [N, 3, H, W] in [-1, 1] to features float32 [N, d] on the CPU.

    `name` tells which net it is and `digest` with which weights: numbers of two nets have nothing in common.
    """

    def __init__(self, name: str, network: nn.Module, side: int, device: torch.device | str = "cpu") -> None:
        self.name, self.side, self.device = name, side, torch.device(device)
        digest = hashlib.sha256(name.encode())
        for key, value in network.state_dict().items():
            digest.update(key.encode() + value.numpy().tobytes())
        self.digest = digest.hexdigest()
        self.network = network.to(self.device)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Resized bicubically with antialiasing: Parmar et al., On Aliased Resizing (2022)."""
        features: Tensor = self.network(resize(images.to(self.device).float(), self.side))
        return features.float().cpu()


def load(features: str | None, root: Path = Path(), device: torch.device | str = "cpu") -> FeatureNet:
    """The net that `features` names: lite0, standin, or an Inception net by its file of weights, relative to `root`.

    None is lite0 where its file is on this machine, else the stand-in. An Inception may be FID's own (pt_inception) or
    torchvision's inception_v3, as torch or safetensors write it; its last layer tells which. Raises ModelError where
    lite0 is asked for and not there, and UsageError for a file that is not there, would have to be executed, or whose
    names and shapes differ, with what differs.
    """
    if features is None:
        features = LITE0 if model_files.standing(LITE0_FILE).state == "ok" else STAND_IN
    if features == STAND_IN:
        return FeatureNet(STAND_IN, StandIn(), StandIn.side, device)
    if features == LITE0:
        return _lite0(device)
    return _inception(root / features, device)


def _lite0(device: torch.device | str) -> FeatureNet:
    from curate.train.evaluation.features.lite0 import Lite0

    there = model_files.standing(LITE0_FILE)
    if there.state != "ok":
        raise ModelError(
            f"{LITE0}: the file of its weights is {there.state}: {model_files.MODELS[LITE0_FILE].file}",
            f"{there.where}; or name {STAND_IN}, which needs none",
        )
    path, network = Path(there.where), Lite0()
    (found,) = unwrap(files.read(path), path, lambda state: "_fc.weight" in state)
    network.load_state_dict(fitted(found, network, str, "EfficientNet-Lite0's"))
    return FeatureNet(LITE0, network, LITE0_SIDE, device)


def _inception(path: Path, device: torch.device | str) -> FeatureNet:
    from curate.train.evaluation.features.inception import CLASSES, SIDE, Inception

    parts = unwrap(files.read(path), path, lambda state: "fc.weight" in state)
    last = parts[0].state["fc.weight"] if len(parts) == 1 else None
    if last is None or last.ndim != 2 or len(last) not in CLASSES:
        raise UsageError(
            f"{path}: not the weights of an Inception v3: no fc.weight of {' or '.join(map(str, CLASSES))} rows",
            f"name pt_inception-2015-12-05 or torchvision's inception_v3, or {LITE0}, {STAND_IN}, or nothing at all",
        )
    network = Inception(len(last))
    network.network.load_state_dict(_fitted(parts[0], network.network))
    return FeatureNet(NAMES[CLASSES[len(last)]], network, SIDE, device)


def _fitted(found: StateDict, network: nn.Module) -> Mapping[str, Tensor]:
    """The file's tensors, without the classifier for training and with the counters that old files lack."""
    state = {name: value for name, value in found.state.items() if not name.startswith("AuxLogits.")}
    counters = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    return fitted(StateDict(found.label, found.where, {**counters, **state}), network, str, "Inception v3's")
