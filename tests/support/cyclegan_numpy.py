"""CycleGAN's two networks a second time, in numpy and loops over kernel positions, sharing nothing with train/.

After Zhu et al. (2017), appendix 7.2. Arrays are float64 [N, C, H, W]; `p` maps the official code's names to arrays.
"""

from __future__ import annotations

import numpy as np


def reflected(x, pad):
    """Without repeating the edge: of pixels 0 1 2 3, a pad of 2 makes 2 1 0 1 2 3 2 1."""
    rows = [abs(i) if i < x.shape[2] else 2 * x.shape[2] - 2 - i for i in range(-pad, x.shape[2] + pad)]
    columns = [abs(i) if i < x.shape[3] else 2 * x.shape[3] - 2 - i for i in range(-pad, x.shape[3] + pad)]
    return x[:, :, rows][:, :, :, columns]


def zeroed(x, pad):
    out = np.zeros((*x.shape[:2], x.shape[2] + 2 * pad, x.shape[3] + 2 * pad))
    out[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]] = x
    return out


def conv(x, p, name, stride=1):
    """No padding of its own."""
    weight = p[f"{name}.weight"]  # [out, in, k, k]
    k = weight.shape[2]
    height, width = ((side - k) // stride + 1 for side in x.shape[2:])
    out = np.zeros((len(x), len(weight), height, width)) + p[f"{name}.bias"][:, None, None]
    for i in range(k):
        for j in range(k):
            seen = x[:, :, i : i + stride * (height - 1) + 1 : stride, j : j + stride * (width - 1) + 1 : stride]
            out += np.einsum("nchw,oc->nohw", seen, weight[:, :, i, j])
    return out


def deconv(x, p, name):
    """Kernel 3, stride 2: every pixel adds its kernel to a canvas, whose first row and column are cropped."""
    weight = p[f"{name}.weight"]  # [in, out, 3, 3]
    height, width = x.shape[2:]
    canvas = np.zeros((len(x), weight.shape[1], 2 * height + 1, 2 * width + 1))
    for i in range(3):
        for j in range(3):
            part = np.einsum("nchw,co->nohw", x, weight[:, :, i, j])
            canvas[:, :, i : i + 2 * height - 1 : 2, j : j + 2 * width - 1 : 2] += part
    return canvas[:, :, 1:, 1:] + p[f"{name}.bias"][:, None, None]


def norm(x):
    """Each image's each channel by itself: mean 0, variance 1."""
    out = np.empty_like(x)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            values = x[n, c]
            out[n, c] = (values - values.mean()) / np.sqrt(((values - values.mean()) ** 2).mean() + 1e-5)
    return out


def relu(x):
    return np.where(x > 0, x, 0)


def generator(p, x, blocks):
    h = relu(norm(conv(reflected(x, 3), p, "model.1")))
    for place in (4, 7):
        h = relu(norm(conv(zeroed(h, 1), p, f"model.{place}", stride=2)))
    for place in range(10, 10 + blocks):
        inner = relu(norm(conv(reflected(h, 1), p, f"model.{place}.conv_block.1")))
        h = h + norm(conv(reflected(inner, 1), p, f"model.{place}.conv_block.5"))
    for place in (10 + blocks, 13 + blocks):
        h = relu(norm(deconv(h, p, f"model.{place}")))
    return np.tanh(conv(reflected(h, 3), p, f"model.{17 + blocks}"))


def discriminator(p, x):
    """Of three layers, as the authors count them."""

    def leaky(h):
        return np.where(h > 0, h, 0.2 * h)

    h = leaky(conv(zeroed(x, 1), p, "model.0", stride=2))
    for place, stride in ((2, 2), (5, 2), (8, 1)):
        h = leaky(norm(conv(zeroed(h, 1), p, f"model.{place}", stride=stride)))
    return conv(zeroed(h, 1), p, "model.11")
