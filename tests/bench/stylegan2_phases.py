"""The four parts of a step of StyleGAN2-ADA, ours and the authors' by turns in one process. JSON on stdout.

    CURATE_STYLEGAN2=CHECKOUT python -m tests.bench.stylegan2_phases 64 [256]

The checkout is of NVlabs/stylegan2-ada-pytorch, whose own loss class runs; without it only ours does. Config `auto` at
that many px, full width, batch 4, one thread of a CPU, single precision, no augmentation. The second number clamps
maps, as the authors' default; without it they are not clamped, as with their --fp32. CPU seconds of each part, forward
and backward and without the optimiser's step: the least of ROUNDS; and per step, where the path length counts every
fourth and R1 every sixteenth time.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from curate.train.engine import memory
from curate.train.engine.contract import Clock
from curate.train.recipes.stylegan2.config import StyleGAN2Config
from curate.train.recipes.stylegan2.recipe import StyleGAN2
from tests.bench.steps import timed

BATCH, BASE, MAPPING = 4, 16384, 2
ROUNDS = int(os.environ.get("CURATE_STEPS", "5"))
SHARES = {"Gmain": 1.0, "Greg": 1 / 4, "Dmain": 1.0, "Dreg": 1 / 16}  # of a part in a step


def ours(images: Tensor, clamp: float | None, *, half: bool = False) -> Callable[[], Mapping[str, float]]:
    """A step at which all four parts are due; `half`: as run.precision bf16 has it."""
    side = images.shape[-1]
    config = StyleGAN2Config(size=side, mapping_layers=MAPPING, channel_base=BASE, conv_clamp=clamp, ada_target=0.0)
    recipe = StyleGAN2(config)

    def run() -> Mapping[str, float]:
        seconds, updates = {}, recipe.step({"a": images}, Clock(0, 16))
        for part in SHARES:
            weights = list(recipe.discriminator.parameters() if part[0] == "D" else recipe.generator.parameters())

            def work(weights: list[torch.nn.Parameter] = weights) -> None:
                with torch.autocast("cpu", torch.bfloat16, enabled=half):
                    loss = torch.stack(list(next(updates).losses.values())).sum()
                loss.backward(inputs=weights)

            recipe.zero_grad()
            seconds[part] = timed(work)[1]
        return seconds

    return run


def authors(images: Tensor, clamp: float | None, checkout: str) -> Callable[[], Mapping[str, float]]:
    """Their own networks and their own loss class."""
    sys.path.insert(0, checkout)
    from training.loss import StyleGAN2Loss  # type: ignore[import-not-found]
    from training.networks import Discriminator, Generator  # type: ignore[import-not-found]

    side = images.shape[-1]
    common = {"c_dim": 0, "img_resolution": side, "img_channels": 3}
    widths = {"channel_base": BASE, "channel_max": 512, "num_fp16_res": 0, "conv_clamp": clamp}
    mapping = {"num_layers": MAPPING}
    g = Generator(**common, z_dim=512, w_dim=512, mapping_kwargs=mapping, synthesis_kwargs=widths).train()
    d = Discriminator(**common, **widths, epilogue_kwargs={"mbstd_group_size": 4}).train()
    gamma = 0.0002 * side**2 / BATCH
    loss = StyleGAN2Loss("cpu", g.mapping, g.synthesis, d, r1_gamma=gamma)

    def run() -> Mapping[str, float]:
        seconds = {}
        for part in SHARES:
            g.requires_grad_(part[0] == "G")
            d.requires_grad_(part[0] == "D")
            for network in (g, d):
                network.zero_grad(set_to_none=True)
            z, none, gain = torch.randn(BATCH, 512), torch.zeros(BATCH, 0), 1 / SHARES[part]

            def work(part: str = part, z: Tensor = z, none: Tensor = none, gain: float = gain) -> None:
                loss.accumulate_gradients(part, images, none, z, none, sync=True, gain=gain)

            seconds[part] = timed(work)[1]
        return seconds

    return run


def main(side: int, clamp: float | None = None) -> None:
    """Measures and prints."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    memory.keep_freed_blocks()
    images = torch.rand(BATCH, 3, side, side) * 2 - 1
    checkout = os.environ.get("CURATE_STYLEGAN2")
    runs = {"ours": ours(images, clamp), "ours, bf16": ours(images, clamp, half=True)}
    if checkout:
        runs["authors"] = authors(images, clamp, checkout)
    least: dict[str, dict[str, float]] = {whose: {} for whose in runs}
    for _ in range(ROUNDS + 1):  # the first one fills the pools of memory
        for whose, run in runs.items():
            for part, seconds in run().items():
                least[whose][part] = min(seconds, least[whose].get(part, seconds))
    rows = {whose: {part: round(seconds, 3) for part, seconds in parts.items()} for whose, parts in least.items()}
    steps = {whose: sum(SHARES[part] * seconds for part, seconds in parts.items()) for whose, parts in least.items()}
    row = {
        "side": side,
        "clamp": clamp,
        "batch": BATCH,
        "cpu_s": rows,
        "cpu_s_per_step": {k: round(v, 3) for k, v in steps.items()},
    }
    if checkout:
        row["ratio"] = {whose: round(steps["authors"] / seconds, 3) for whose, seconds in steps.items()}
    sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), *map(float, sys.argv[2:3]))
