"""From a picture back to the w that makes it: the projector of Karras et al., Analyzing and Improving the Image Quality
of StyleGAN (2020), section 5 and appendix D, with the constants of its official PyTorch program.

w begins at the mean of 10,000 w's and moves with the noise maps until the pictures look alike; noise that fades away is
added to it on the way, and a regulariser keeps the noise maps from carrying the picture. Pictures of a batch do not
know of each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from curate.train.latent.latent_run import LatentGenerator, LatentRun
from curate.train.latent.perceptual import Perceptual

SEED, STATISTICS_SEED, SAMPLES = 303, 123, 10_000
RATE, BETAS = 0.1, (0.9, 0.999)
RAMP_DOWN, RAMP_UP = 0.25, 0.05  # shares of the steps
NOISE, NOISE_LENGTH = 0.05, 0.75  # added to w: in standard deviations of w, for that share of the steps
REGULARISER = 1e5
_SMALLEST = 8  # px, where the pyramid of a noise map ends

NoiseMaps = dict[str, Tensor]  # by the name of the generator's buffer, each [N, 1, side, side]


@dataclass(frozen=True)
class ProjectionSettings:
    """How a picture is looked for."""

    steps: int = 1000
    plus: bool = False  # a w for each layer: nearer to the picture, and less to be edited
    seed: int = SEED


@dataclass(frozen=True)
class Projection:
    """What was found for a batch of pictures."""

    ws: Tensor  # [N, num_ws, w_dim]
    noise: NoiseMaps
    distance: Tensor  # [N], of the last step
    net: str


Watch = Callable[[int, Tensor, Tensor], None]  # step, pictures [N, 3, R, R], distances [N]


def project(
    source: LatentRun, targets: Tensor, settings: ProjectionSettings, perceptual: Perceptual, watch: Watch
) -> Projection:
    """The w's of `targets`, [N, 3, R, R] in [-1, 1]; `watch` sees every step."""
    generator, count = source.generator, len(targets)
    draws = torch.Generator().manual_seed(settings.seed)
    mean, spread = statistics(source)
    layers = generator.num_ws if settings.plus else 1
    w = mean.expand(count, layers, -1).clone().requires_grad_()
    noise = {
        name: torch.randn(count, 1, *buffer.shape[-2:], generator=draws).to(targets).requires_grad_()
        for name, buffer in noise_buffers(generator).items()
    }
    optimizer = torch.optim.Adam([w, *noise.values()], RATE, BETAS)
    wanted = perceptual(targets).detach()
    distance = torch.zeros(count)
    for step in range(settings.steps):
        progress = step / settings.steps
        optimizer.param_groups[0]["lr"] = rate(progress)
        shake = torch.randn(w.shape, generator=draws).to(w) * (spread * shake_size(progress))
        pictures = synthesised(generator, (w + shake).expand(-1, generator.num_ws, -1), noise)
        distances = (perceptual(pictures) - wanted).square().sum(1)
        loss = distances.sum() + REGULARISER * sum(map(regulariser, noise.values()))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        for value in noise.values():
            normalise(value)
        distance = distances.detach()
        watch(step + 1, pictures.detach(), distance)
    ws = w.detach().repeat(1, 1 if settings.plus else generator.num_ws, 1)
    return Projection(ws, {name: value.detach() for name, value in noise.items()}, distance.cpu(), perceptual.name)


@torch.no_grad()
def statistics(source: LatentRun) -> tuple[Tensor, float]:
    """The mean w [w_dim] and the root of the mean squared distance from it, of 10,000 z of one RandomState."""
    z = np.random.RandomState(STATISTICS_SEED).randn(SAMPLES, source.generator.z_dim)
    parts = []
    for chunk in torch.from_numpy(z).float().split(1000):
        label = source.label(0 if source.generator.c_dim else None, len(chunk))
        parts.append(source.generator.mapping(chunk.to(source.device), label)[:, 0].cpu())
    codes = torch.cat(parts).double()
    mean = codes.mean(0)
    spread = float(((codes - mean).square().sum() / len(codes)).sqrt())
    return mean.float().to(source.device), spread


def rate(progress: float) -> float:
    """The learning rate: it rises in a line over the first 5 % and falls in a cosine over the last 25 %."""
    falling = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1.0 - progress) / RAMP_DOWN))
    return RATE * falling * min(1.0, progress / RAMP_UP)


def shake_size(progress: float) -> float:
    """Of the noise that is added to w, in its standard deviations."""
    return NOISE * max(0.0, 1.0 - progress / NOISE_LENGTH) ** 2


def regulariser(noise: Tensor) -> Tensor:
    """How far maps [N, 1, H, W] are from noise, summed over the N: squared autocorrelation by one px to the right and
    down, at every size down to 8 px."""
    total = noise.new_zeros(())
    while True:
        for axis in (3, 2):
            total = total + (noise * noise.roll(1, axis)).mean((1, 2, 3)).square().sum()
        if noise.shape[2] <= _SMALLEST:
            return total
        noise = F.avg_pool2d(noise, 2)


@torch.no_grad()
def normalise(noise: Tensor) -> None:
    """Each map of [N, 1, H, W] to mean 0 and mean square 1, in place."""
    noise -= noise.mean((1, 2, 3), keepdim=True)
    noise *= noise.square().mean((1, 2, 3), keepdim=True).rsqrt()


def noise_buffers(generator: LatentGenerator) -> dict[str, Tensor]:
    """The noise maps of a generator, [side, side], by their names in its synthesis."""
    return {name: value for name, value in generator.synthesis.named_buffers() if name.endswith("noise_const")}


def synthesised(generator: LatentGenerator, ws: Tensor, noise: NoiseMaps) -> Tensor:
    """Pictures [N, 3, R, R] of ws [N, num_ws, w_dim], each with noise maps of its own; its own ones where none are."""
    pictures: Tensor = functional_call(generator.synthesis, noise, (ws, "const"))
    return pictures.float()


def psnr(first: Tensor, second: Tensor) -> Tensor:
    """Peak signal to noise, dB, [N], of pictures [N, 3, H, W] in [-1, 1], as 8 bits would show them."""
    shown = [one.clamp(-1, 1).float() for one in (first, second)]
    error = (shown[0] - shown[1]).square().mean((1, 2, 3)).clamp_min(1e-10)
    return 10 * torch.log10(4.0 / error)
