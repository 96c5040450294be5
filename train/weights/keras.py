"""The names and the layout that Keras gives the weights of the CAGAN notebook's two networks.

Keras numbers layers of a kind as they are made, from wherever a session had come to: conv2d_7/kernel:0. What counts is
their order. Kernels of convolutions are [height, width, in, out], of transposed ones [height, width, out, in]; torch
has both the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.weights.format import State, StateDict

CONV, DECONV, INSTANCE, BATCH = "conv2d", "conv2d_transpose", "instance_normalization", "batch_normalization"

# Our layers in the order in which the notebook runs them, each with its kind.
GENERATOR: Sequence[tuple[str, str]] = (
    ("down1", CONV),
    *((f"down{level}.{part}", kind) for level in (2, 3, 4) for part, kind in ((0, CONV), (1, INSTANCE))),
    *((f"up{level}.{part}", kind) for level in (4, 3, 2, 1) for part, kind in ((0, DECONV), (1, INSTANCE))),
    ("out", CONV),
)
DISCRIMINATOR: Sequence[tuple[str, str]] = (
    ("conv1", CONV),
    *((f"conv{level}.{part}", kind) for level in (2, 3, 4) for part, kind in ((0, CONV), (1, BATCH))),
    ("conv5", CONV),
)
LAYERS = {"generator": GENERATOR, "discriminator": DISCRIMINATOR}
BIASED = ("conv1", "conv5")  # of the discriminator's convolutions, those without a norm

RUNNING = {"moving_mean": np.zeros, "moving_variance": np.ones}  # kept by Keras, never used: the batch's own are

NAME = re.compile(r"(?:.*/)?(?P<kind>[a-z][a-z0-9_]*?)(?:_(?P<number>\d{1,6}))?/(?P<leaf>[a-z_]+)(?::0)?$")
LEAVES = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}


def recognises(state: State) -> bool:
    """Whether these are a Keras model's names, or numbered arrays of get_weights, that begin with a 4x4 convolution."""
    if any(re.match(r"conv2d(_\d+)?/(?:.*/)?kernel(:0)?$", key) for key in state):
        return True
    first = state.get("arr_0")
    return first is not None and first.ndim == 4 and tuple(first.shape[:3]) in ((4, 4, 9), (4, 4, 6))


def renamed(found: StateDict) -> tuple[str, StateDict]:
    """Which network `found` is, and it under our names, in torch's layout. Raises UsageError for missing layers."""
    layers = _numbered(found) if "arr_0" in found.state else _named(found)
    first = next((layer["kernel"] for kind, layer in layers if kind == CONV and "kernel" in layer), None)
    inputs = 0 if first is None or first.ndim != 4 else int(first.shape[2])
    if inputs not in (9, 6):
        raise UsageError(
            f"{found.where}: its first convolution takes {inputs} channels: a generator's takes 9, a discriminator's 6",
            "save each network in a file of its own: netG.save_weights, netD.save_weights",
        )
    role = "generator" if inputs == 9 else "discriminator"
    state: dict[str, Tensor] = {}
    waiting = {kind: [layer for other, layer in layers if other == kind] for kind in (CONV, DECONV, INSTANCE, BATCH)}
    for ours, kind in LAYERS[role]:
        if not waiting[kind]:
            raise UsageError(
                f"{found.where}: missing: a layer {kind}, our {ours}", "curate weights show FILE lists all"
            )
        for leaf, value in waiting[kind].pop(0).items():
            if leaf in LEAVES:
                state[f"{ours}.{LEAVES[leaf]}"] = value.permute(3, 2, 0, 1) if value.ndim == 4 else value
    if left := [kind for kind, rest in waiting.items() if rest]:
        raise UsageError(
            f"{found.where}: not known: more layers of {', '.join(left)} than the notebook's", "see its text"
        )
    return role, StateDict(found.label, found.where, state)


Layer = tuple[str, dict[str, Tensor]]  # its kind, and its weights by Keras' word


def _named(found: StateDict) -> list[Layer]:
    """The layers by the number that Keras gave them."""
    layers: dict[tuple[str, int], dict[str, Tensor]] = {}
    for key, value in found.state.items():
        name = NAME.match(key)
        if name is None:
            raise UsageError(f"{found.where}: not known: {key}", "see all names and shapes: curate weights show FILE")
        layers.setdefault((name["kind"], int(name["number"] or 0)), {})[name["leaf"]] = value
    return [(kind, layers[kind, number]) for kind, number in sorted(layers)]


def _numbered(found: StateDict) -> list[Layer]:
    """The layers of model.get_weights(), which np.savez calls arr_0, arr_1, ...: what each is, its place says."""
    arrays = [found.state[key] for key in sorted(found.state, key=lambda key: (len(key), key))]
    order = GENERATOR if arrays[0].ndim == 4 and arrays[0].shape[2] == 9 else DISCRIMINATOR
    layers: list[Layer] = []
    for ours, kind in order:
        words = weights_of(ours, kind)
        if len(arrays) < len(words):
            raise UsageError(f"{found.where}: missing: arrays from our {ours} on", "save all of model.get_weights()")
        layers.append((kind, dict(zip(words, arrays, strict=False))))
        arrays = arrays[len(words) :]
    if arrays:
        raise UsageError(f"{found.where}: not known: {len(arrays)} arrays more than the notebook's network has", "")
    return layers


def weights_of(ours: str, kind: str) -> tuple[str, ...]:
    """Keras' words for the weights of a layer, in its order."""
    if kind in (CONV, DECONV):
        return ("kernel", "bias") if ours in BIASED else ("kernel",)
    return ("gamma", "beta", *RUNNING) if kind == BATCH else ("gamma", "beta")


def layers_of(role: str, state: State) -> Mapping[str, Mapping[str, Any]]:
    """A network's arrays by Keras' layer and weight, in order."""
    count: dict[str, int] = {}
    layers = {}
    for ours, kind in LAYERS[role]:
        count[kind] = count.get(kind, 0) + 1
        weights: dict[str, Any] = {}
        for word in weights_of(ours, kind):
            if word in RUNNING:
                weights[word] = RUNNING[word](len(weights["gamma"]), np.float32)
            else:
                value = state[f"{ours}.{LEAVES[word]}"]
                weights[word] = (
                    torch.permute(value, (2, 3, 1, 0)).contiguous().numpy() if value.ndim == 4 else value.numpy()
                )
        layers[f"{kind}_{count[kind]}"] = weights
    return layers
