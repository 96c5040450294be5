"""What several networks are built from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from curate.train.networks.whole_image import is_tiled, variance_and_mean

Upsampling = Literal["transposed", "nearest"]  # transposed convolutions, or convolutions after an enlargement


class InstanceNorm2d(nn.InstanceNorm2d):
    """Torch's own, with right gradients in every layout and statistics in fp32.

    Of an image whose channels are innermost in memory, and that is alone in its batch, torch's gives right values and
    wrong gradients on a CPU, and everywhere it puts the channels back first, which the next convolution has to undo.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.is_contiguous() and not is_tiled():
            if x.is_cpu and x.dtype != torch.float32:  # for these a CPU would round the statistics, too; a GPU does not
                return super().forward(x.float()).to(x.dtype)
            return super().forward(x)
        with without_autocast(x):
            full = x.float()
            var, mean = variance_and_mean(full, correction=0)
            scale = torch.rsqrt(var + self.eps)
            if self.weight is not None:
                scale = scale * self.weight[:, None, None]
            shift = -mean * scale
            if self.bias is not None:
                shift = shift + self.bias[:, None, None]
            return torch.addcmul(shift, full, scale).to(x.dtype)


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """A block in which operations keep the precision of what they are given, on the device of `x`."""
    device = x.device.type  # "meta", which only has shapes, knows no autocast
    return (
        torch.autocast(device, enabled=False)
        if torch.amp.autocast_mode.is_autocast_available(device)
        else nullcontext()
    )


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """What `networks` compute within the block passes gradients on, and gives them none.

    For discriminators under a generator's loss: neither their weights' gradients nor what those need is made or kept.
    """
    held = [parameter for network in networks for parameter in network.parameters() if parameter.requires_grad]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


def instance_norm(channels: int) -> InstanceNorm2d:
    """Instance normalisation as CycleGAN uses it: eps 1e-5, no parameters, no running statistics."""
    return InstanceNorm2d(channels, eps=1e-5, affine=False, track_running_stats=False)


def relu() -> nn.ReLU:
    """For after a norm, whose output is a view: a ReLU in place would copy it, and its gradient, to keep the view."""
    return nn.ReLU(inplace=False)


class ResnetBlock(nn.Module):
    """x + F(x), F two 3x3 convolutions with reflection padding; [N, C, H, W] in and out, no activation at the end.

    Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks (2017), appendix 7.2.
    """

    def __init__(self, channels: int, *, bias: bool = True) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            instance_norm(channels),
            relu(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            instance_norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class ResizeConv2d(nn.Conv2d):
    """[N, inputs, H, W] to [N, outputs, 2 H, 2 W]: nearest neighbours, then a 3x3 convolution, reflection-padded.

    It stands where a transposed convolution would, and leaves no checkerboard.
    Odena et al., Deconvolution and Checkerboard Artifacts (2016).

    `fused` does both at once and gives the same up to rounding: each output pixel sees only 2x2 different input pixels,
    so that four 2x2 kernels, sums of the 3x3 one's taps, make the four pixels of each input pixel. That is 4 products
    instead of 9, and the enlarged map never exists.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True, fused: bool = False) -> None:
        super().__init__(inputs, outputs, 3, bias=bias)
        self.fused = fused

    def forward(self, x: Tensor) -> Tensor:
        if self.fused:
            return self._at_once(x)
        enlarged = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return super().forward(F.pad(enlarged, (1, 1, 1, 1), mode="reflect"))

    def _at_once(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        kernel = _halved(_halved(self.weight, 2), 4).flatten(0, 2)  # [2 * 2 * outputs, inputs, 2, 2], across first
        bias = None if self.bias is None else self.bias.repeat(4)
        # An enlarged map mirrored at its edge is the input repeated there.
        all_four = F.conv2d(F.pad(x, (1, 1, 1, 1), "replicate"), kernel, bias).unflatten(1, (4, -1))
        phases = [
            all_four[:, 2 * right + down, :, down : down + height, right : right + width]
            for down in range(2)
            for right in range(2)
        ]
        return F.pixel_shuffle(torch.stack(phases, 2).flatten(1, 2), 2)


def _halved(kernel: Tensor, dim: int) -> Tensor:
    """Three taps along `dim` as two, for the first and for the second of the pixels that an input pixel becomes."""
    before, middle, after = kernel.unbind(dim)
    return torch.stack([torch.stack([before, middle + after], dim), torch.stack([before + middle, after], dim)])


def init_normal(module: nn.Module, std: float = 0.02) -> None:
    """Draws every convolution's and linear layer's weight from N(0, std) and sets its bias to 0, in place."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def init_spectral(module: nn.Module) -> None:
    """`init_normal`, and from then on every convolution's weight is divided by its spectral norm, in place.

    Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018); one power iteration per forward.
    """
    init_normal(module)
    for layer in list(module.modules()):
        if isinstance(layer, nn.Conv2d):
            spectral_norm(layer, eps=1e-12)


def largest_singular_value(matrix: Tensor, u: Tensor, v: Tensor, eps: float, *, iterate: bool, u_first: bool) -> Tensor:
    """The estimate u^T W v of the largest singular value of `matrix` W [rows, columns], in fp32 under autocast, too.

    `iterate` takes one power iteration first, which changes `u` [rows] and `v` [columns] in place and begins with u or
    with v; `eps` is the least length that they are divided by. Gradients flow to W alone. Miyato et al., Spectral
    Normalization for Generative Adversarial Networks (2018), section 2.1 and appendix A.
    """
    with without_autocast(matrix):
        still = matrix.detach()
        if iterate and u_first:
            u.copy_(F.normalize(still @ v, dim=0, eps=eps))
        if iterate:
            v.copy_(F.normalize(still.T @ u, dim=0, eps=eps))
        image = matrix @ v.clone()  # the next call changes u and v before this one's backward
        if iterate and not u_first:
            u.copy_(F.normalize(image.detach(), dim=0, eps=eps))
        return torch.dot(u.clone(), image)


class _SpectralNorm(nn.Module):
    """A weight divided by its largest singular value, as far as power iterations, one per forward, have found it.

    The arithmetic and the names of torch.nn.utils.parametrizations.spectral_norm, in fp32 under autocast, too.
    """

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, eps: float) -> None:
        super().__init__()
        self.eps = eps
        rows, columns = weight.flatten(1).shape
        self.register_buffer("_u", F.normalize(weight.new_empty(rows).normal_(), dim=0, eps=eps))
        self.register_buffer("_v", F.normalize(weight.new_empty(columns).normal_(), dim=0, eps=eps))
        for _ in range(15):
            self._largest(weight.detach(), iterate=True)

    def forward(self, weight: Tensor) -> Tensor:
        return weight / self._largest(weight, iterate=self.training)

    def _largest(self, weight: Tensor, *, iterate: bool) -> Tensor:
        return largest_singular_value(weight.flatten(1), self._u, self._v, self.eps, iterate=iterate, u_first=True)


def spectral_norm(layer: nn.Module, eps: float) -> Any:
    """`layer`, a convolution or linear layer, whose weight is from now on divided by its spectral norm, in place.

    Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018).
    """
    return parametrize.register_parametrization(layer, "weight", _SpectralNorm(layer.get_parameter("weight"), eps))
