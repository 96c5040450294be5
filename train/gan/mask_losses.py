"""What keeps the masks of generators small, calm and decided, by the keys of MaskedConfig."""

from __future__ import annotations

from torch import Tensor

from curate.train.engine.contract import Clock
from curate.train.gan.config import MaskedConfig
from curate.train.gan.losses import indecision, l1, total_variation


def mask_losses(
    config: MaskedConfig, way: str, there: Tensor | None, back: Tensor | None, clock: Clock
) -> dict[str, Tensor]:
    """The weighted losses of the mask of the way `there` beside that of the way `back`, both [N, 1, H, W] in [0, 1].

    By name, "mask_a2b" for the `way` "a2b" and so on; none without masks.
    """
    if there is None or back is None:
        return {}
    ramp, losses = clock.ramp(config.mask_warmup), {}
    if config.mask_weight:
        losses[f"mask_{way}"] = ramp * config.mask_weight * there.mean()
    if config.mask_smooth_weight:
        losses[f"mask_smooth_{way}"] = ramp * config.mask_smooth_weight * total_variation(there)
    if config.mask_decided_weight:
        losses[f"mask_decided_{way}"] = ramp * config.mask_decided_weight * indecision(there)
    if config.mask_back_weight:
        losses[f"mask_back_{way}"] = ramp * config.mask_back_weight * l1(back, there)
    return losses
