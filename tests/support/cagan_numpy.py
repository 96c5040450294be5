"""CAGAN's formulas a second time, in numpy and loops over kernel positions, sharing nothing with train/.

Arrays are float64 [N, C, H, W]; `p` maps parameter names to arrays, convolutions as (out, in, kh, kw) and transposed
ones as (in, out, kh, kw).
"""

from __future__ import annotations

import numpy as np


def conv(x, weight, bias=None, stride=2, pads=(1, 1, 1, 1)):
    """`pads`: left, right, top, bottom."""
    left, right, top, bottom = pads
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    out_channels, _, kh, kw = weight.shape
    height = (x.shape[2] - kh) // stride + 1
    width = (x.shape[3] - kw) // stride + 1
    out = np.zeros((x.shape[0], out_channels, height, width))
    for i in range(kh):
        for j in range(kw):
            window = x[:, :, i : i + stride * height : stride, j : j + stride * width : stride]
            out += np.einsum("nchw,oc->nohw", window, weight[:, :, i, j])
    return out if bias is None else out + bias[:, None, None]


def deconv(x, weight, bias=None):
    """Kernel 4, stride 2: every input pixel adds its kernel to a canvas, of which one pixel is cropped on each side."""
    n, _, height, width = x.shape
    out = np.zeros((n, weight.shape[1], 2 * height + 2, 2 * width + 2))
    for i in range(4):
        for j in range(4):
            out[:, :, i : i + 2 * height : 2, j : j + 2 * width : 2] += np.einsum(
                "nchw,co->nohw", x, weight[:, :, i, j]
            )
    out = out[:, :, 1:-1, 1:-1]
    return out if bias is None else out + bias[:, None, None]


def moments(x, axes):
    mean = x.sum(axes, keepdims=True) / np.prod([x.shape[a] for a in axes])
    return mean, ((x - mean) ** 2).sum(axes, keepdims=True) / np.prod([x.shape[a] for a in axes])


def norm_chainer(x, p, name):
    mean, var = moments(x, (2, 3))
    return (x - mean) / np.sqrt(var + 2e-5) * p[f"{name}.weight"][:, None, None] + p[f"{name}.bias"][:, None, None]


def norm_keras(x, p, name):
    mean, var = moments(x, (2, 3))
    return (x - mean) / (np.sqrt(var) + 1.01e-5) * p[f"{name}.weight"][:, None, None] + p[f"{name}.bias"][:, None, None]


def norm_batch(x, p, name):
    mean, var = moments(x, (0, 2, 3))
    return (x - mean) / np.sqrt(var + 1.01e-5) * p[f"{name}.weight"][:, None, None] + p[f"{name}.bias"][:, None, None]


def relu(x):
    return np.where(x > 0, x, 0.0)


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def pool(x, side):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // side, side, w // side, side).mean((3, 5))


def chainer_generator(p, x_i, y_i, y_j):
    """alpha, rgb of images in [0, 1]."""
    x = np.concatenate([x_i, y_i, y_j], 1)
    h1 = relu(conv(x, p["c0.weight"], p["c0.bias"]))
    h2 = relu(norm_chainer(conv(h1, p["c1.weight"], p["c1.bias"]), p, "bn1"))
    h3 = relu(norm_chainer(conv(h2, p["c2.weight"], p["c2.bias"]), p, "bn2"))
    h4 = relu(norm_chainer(conv(h3, p["c3.weight"], p["c3.bias"]), p, "bn3"))
    u1 = relu(norm_chainer(deconv(h4, p["dc0.weight"], p["dc0.bias"]), p, "dbn0")) + h3
    u2 = relu(norm_chainer(deconv(u1, p["dc1.weight"], p["dc1.bias"]), p, "dbn1")) + h2
    u3 = relu(norm_chainer(deconv(u2, p["dc2.weight"], p["dc2.bias"]), p, "dbn2")) + h1
    out = sigmoid(deconv(u3, p["dc3.weight"], p["dc3.bias"]))
    return out[:, 0:1], out[:, 1:4]


def chainer_discriminator(p, human, article):
    """Probability [N, 1], without noise."""
    h = leaky(conv(np.concatenate([human, article], 1), p["c0.weight"], p["c0.bias"]))
    for level in (1, 2, 3, 4):
        h = leaky(norm_chainer(conv(h, p[f"c{level}.weight"], p[f"c{level}.bias"]), p, f"bn{level}"))
    flat = h.reshape(h.shape[0], -1)  # C, H, W order
    return sigmoid(flat @ p["l4.weight"].T + p["l4.bias"])


def keras_generator(p, x_i, y_i, y_j):
    """alpha, rgb of images in [-1, 1]."""
    x = np.concatenate([x_i, y_i, y_j], 1)
    condition = np.concatenate([x_i, y_i], 1)
    at = {side: pool(condition, side) for side in (2, 4, 8, 16)}

    def down(h, name):
        return norm_keras(conv(h, p[f"{name}.0.weight"]), p, f"{name}.1")

    def up(h, name):
        return norm_keras(deconv(h, p[f"{name}.0.weight"]), p, f"{name}.1")

    l1 = np.concatenate([leaky(conv(x, p["down1.weight"])), at[2]], 1)
    skip2 = down(l1, "down2")
    l2 = np.concatenate([leaky(skip2), at[4]], 1)
    skip3 = down(l2, "down3")
    l3 = np.concatenate([leaky(skip3), at[8]], 1)
    l4 = np.concatenate([leaky(down(l3, "down4")), at[16]], 1)
    l9 = np.concatenate([relu(np.concatenate([up(l4, "up4"), skip3], 1)), at[8]], 1)
    l10 = np.concatenate([relu(np.concatenate([up(l9, "up3"), skip2], 1)), at[4]], 1)
    l11 = relu(np.concatenate([relu(up(l10, "up2")), at[2]], 1))
    l12 = up(l11, "up1")
    out = conv(l12, p["out.weight"], stride=1, pads=(1, 2, 1, 2))
    return sigmoid(out[:, 0:1]), np.tanh(out[:, 1:4])


def keras_discriminator(p, human, article):
    """Probabilities [N, 1, h, w]."""
    h = leaky(conv(np.concatenate([human, article], 1), p["conv1.weight"], p["conv1.bias"]))
    for name, stride in (("conv2", 2), ("conv3", 2), ("conv4", 1)):
        h = leaky(norm_batch(conv(h, p[f"{name}.0.weight"], stride=stride), p, f"{name}.1"))
    return sigmoid(conv(h, p["conv5.weight"], p["conv5.bias"], stride=1))


GENERATORS = {"chainer": chainer_generator, "keras": keras_generator}
DISCRIMINATORS = {"chainer": chainer_discriminator, "keras": keras_discriminator}


def bce(probability, target):
    eps = 1e-12
    return -np.mean(target * np.log(probability + eps) + (1 - target) * np.log(1 - probability + eps))


def losses(variant, g, d, x_i, y_i, y_j):
    """Every term of both steps for the same weights, by name: D's three, then G's adversarial, cycle and mask."""

    def swap(human, worn, wanted):
        alpha, rgb = GENERATORS[variant](g, human, worn, wanted)
        return alpha * rgb + (1 - alpha) * human, alpha

    def judge(human, article):
        return DISCRIMINATORS[variant](d, human, article)

    swapped, alpha = swap(x_i, y_i, y_j)
    back, _ = swap(swapped, y_j, y_i)
    return {
        "D/real": bce(judge(x_i, y_i), 1),
        "D/swapped": bce(judge(swapped, y_j), 0),
        "D/wrong": bce(judge(x_i, y_j), 0),
        "G/gan": bce(judge(swapped, y_j), 1),
        "G/cycle": np.mean(np.abs(back - x_i)),
        "G/mask": 0.1 * np.mean(np.abs(alpha)),
    }
