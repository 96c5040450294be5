"""Small networks with weights that hide nothing, in the layouts in which other projects save them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from curate.train.networks.patchgan import PatchDiscriminator
from curate.train.networks.resnet import ResnetGenerator
from curate.train.recipes.cagan.networks import AdditiveUNet, GlobalDiscriminator
from curate.train.recipes.ugatit.networks import AttentionDiscriminator, AttentionGenerator

SIDE = 32  # px of the full generators here
WIDTH = 4


def _norm(prefix: str, *leaves: str) -> list[str]:
    return [f"{prefix}.{leaf}" for leaf in leaves]


def generator_keys(blocks: int) -> list[str]:
    """A U-GAT-IT generator's keys as its authors' files list them."""
    keys = ["gap_fc.weight", "gmp_fc.weight", "conv1x1.weight", "conv1x1.bias", "gamma.weight", "beta.weight"]
    keys += [f"DownBlock.{place}.weight" for place in (1, 5, 9)]
    for block in range(blocks):
        keys += [f"DownBlock.{12 + block}.conv_block.{place}.weight" for place in (1, 5)]
        for half in (1, 2):
            keys += [f"UpBlock1_{block + 1}.conv{half}.weight", f"UpBlock1_{block + 1}.norm{half}.rho"]
    keys += ["FC.0.weight", "FC.2.weight", *(f"UpBlock2.{place}.weight" for place in (2, 7, 11))]
    return keys + [key for place in (3, 8) for key in _norm(f"UpBlock2.{place}", "rho", "gamma", "beta")]


def discriminator_keys(layers: int) -> list[str]:
    """A U-GAT-IT discriminator's keys as its authors' files list them."""
    normalised = ("weight_orig", "weight_u", "weight_v")
    keys = [key for part in ("gap_fc", "gmp_fc", "conv") for key in _norm(part, *normalised)]
    keys += [key for place in range(layers - 1) for key in _norm(f"model.{1 + 3 * place}", "bias", *normalised)]
    return [*keys, "conv1x1.weight", "conv1x1.bias"]


def perturbed(network: nn.Module, seed: int) -> nn.Module:
    """`network` with no bias at zero and no norm at its start; equal first weights make wrong code pass."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=rng))
    return network.eval()


def ugatit(light: bool = True, blocks: int = 2, width: int = WIDTH) -> dict[str, nn.Module]:
    """Six networks by the names of the authors' file."""
    networks: dict[str, nn.Module] = {
        name: AttentionGenerator(width, blocks, light=light, size=SIDE) for name in ("genA2B", "genB2A")
    }
    networks |= {name: AttentionDiscriminator(width, 7) for name in ("disGA", "disGB")}
    networks |= {name: AttentionDiscriminator(width, 5) for name in ("disLA", "disLB")}
    return {name: perturbed(network, seed) for seed, (name, network) in enumerate(networks.items())}


def ugatit_content(networks: dict[str, nn.Module]) -> dict[str, dict[str, Tensor]]:
    """What the authors save: our values in our modules' order, under their keys, written out by hand."""
    renamed = {}
    for name, network in networks.items():
        state = network.state_dict()
        if name.startswith("gen"):
            blocks = sum(".norm1.rho" in key for key in state)
            renamed[name] = {_theirs(key): value for key, value in state.items()}
            assert sorted(renamed[name]) == sorted(generator_keys(blocks))
        else:
            layers = 1 + sum(key.startswith("body.") and key.endswith(".u") for key in state)
            renamed[name] = {_normalised(key): value for key, value in state.items()}
            assert sorted(renamed[name]) == sorted(discriminator_keys(layers))
    return renamed


def _theirs(key: str) -> str:
    for ours, theirs in (("down.", "DownBlock."), ("cam.", ""), ("fc.", "FC.")):
        if key.startswith(ours):
            return theirs + key.removeprefix(ours)
    if key.startswith("up."):
        _, place, rest = key.split(".")
        return f"UpBlock2.{dict(zip('01347', (2, 3, 7, 8, 11)))[place]}.{rest}"
    if key.startswith("blocks."):
        _, number, rest = key.split(".", 2)
        return f"UpBlock1_{int(number) + 1}.{rest}"
    return key


def _normalised(key: str) -> str:
    key = key.replace("body.", "model.").replace("head.", "conv.").removeprefix("cam.")
    if key.startswith("conv1x1") or key.endswith("bias"):
        return key
    stem, leaf = key.rsplit(".", 1)
    return f"{stem}." + {"weight": "weight_orig", "u": "weight_u", "v": "weight_v"}[leaf]


def cyclegan(blocks: int = 2, width: int = WIDTH) -> dict[str, nn.Module]:
    """Four networks by the names of the authors' files, without the epoch."""
    networks: dict[str, nn.Module] = {name: ResnetGenerator(width, blocks) for name in ("net_G_A", "net_G_B")}
    networks |= {name: PatchDiscriminator(width, 3) for name in ("net_D_A", "net_D_B")}
    return {name: perturbed(network, seed) for seed, (name, network) in enumerate(networks.items())}


def cyclegan_files(folder: Path, networks: dict[str, nn.Module], epoch: str = "latest") -> list[Path]:
    """Writes them as the authors do."""
    paths = []
    for name, network in networks.items():
        paths.append(folder / f"{epoch}_{name}.pth")
        torch.save(network.state_dict(), paths[-1])
    return paths


def chainer(width: int = WIDTH, size: int = 64) -> dict[str, nn.Module]:
    """The swimwear article's two networks by the names that its text has for them: the same ones each time."""
    torch.manual_seed(0)
    networks: dict[str, nn.Module] = {
        "generator": AdditiveUNet(width),
        "discriminator": GlobalDiscriminator(width, size, noise=0.0),
    }
    return {name: perturbed(network, seed) for seed, (name, network) in enumerate(networks.items())}


def chainer_keys(name: str) -> list[str]:
    """What Chainer's save_npz calls the article's parameters: the attribute, a slash, the parameter."""
    links = {
        "generator": ("c0 c1 c2 c3 dc0 dc1 dc2 dc3", "bn0 bn1 bn2 bn3 dbn0 dbn1 dbn2"),
        "discriminator": ("c0 c1 c2 c3 c4 l4", "bn0 bn1 bn2 bn3 bn4"),
    }
    layers, norms = (names.split() for names in links[name])
    return [f"{n}/{leaf}" for n in layers for leaf in "Wb"] + [f"{n}/{x}" for n in norms for x in ("gamma", "beta")]


def chainer_content(name: str, network: nn.Module) -> dict[str, np.ndarray]:
    """What save_npz writes of it."""
    leaves = {"c": {"weight": "W", "bias": "b"}, "n": {"weight": "gamma", "bias": "beta"}}
    content = {}
    for key, value in network.state_dict().items():
        link, leaf = key.split(".")
        content[f"{link}/{leaves['n' if 'bn' in link else 'c'][leaf]}"] = value.numpy()
    assert sorted(content) == sorted(chainer_keys(name))
    return content
