"""The constants of U-GAT-IT: the section train.ugatit.model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from curate.pipeline.core.config import NonNegative, Positive
from curate.train.gan.config import Beta, MaskedConfig, Rate, Weight

Layers = Annotated[int, Meta(ge=3)]


class UGATITConfig(MaskedConfig, frozen=True, kw_only=True):
    """The constants of U-GAT-IT; "code" is the authors' PyTorch implementation where it differs from the paper."""

    size: Annotated[int, Meta(ge=12, multiple_of=4)] | None = None  # px, side of the images; None: data.size
    backbone: Literal["resnet", "unet"] = "resnet"  # appendix C; or on blocks of 2x2 px, far cheaper, for few steps
    palette: NonNegative = 0  # unet: so many flat colours of the image, ink and white, for drawings; 0: any colours
    width: Positive = 64  # of generators and discriminators; appendix C
    discriminator_width: Positive | None = None  # None: width
    blocks: NonNegative = 4  # residual blocks on each side of the attention; appendix C
    light: bool = False  # paper and code; true: 268 M parameters less per generator, images of any size (code: --light)
    global_layers: Layers | None = None  # None: 7 (code), or as many as the size allows
    local_layers: Layers | None = None  # None: 5 (code), or as many as the size allows
    whole: bool = True  # section 2.1.2: discriminators of the whole image beside those of patches; false: half the cost
    init: Literal["uniform", "normal"] = "uniform"  # uniform: torch's own (code); normal: N(0, 0.02), section 4.2
    adversarial_weight: Weight = 1.0  # lambda_1; section 4.2
    cycle_weight: Weight = 10.0  # lambda_2; section 4.2
    identity_weight: Weight = 10.0  # lambda_3; section 4.2
    colour_weight: Weight = 0.0  # of how far 8x8 mean colours go from the image's; Shrivastava 2017, section 2.2
    cam_weight: Weight = 1000.0  # lambda_4; section 4.2
    lr: Rate = 1e-4  # section 4.2
    discriminator_lr: Rate | None = None  # None: lr
    beta1: Beta = 0.5  # section 4.2
    beta2: Beta = 0.999  # section 4.2
    weight_decay: Weight = 1e-4  # added to the gradient; section 4.2

    DEFAULTS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "run": {
            "steps": 1_000_000,  # section 4.2
            "tick": 100,
            "sample_every": 1000,  # code
            "checkpoint_every": 1000,  # code, which overwrites one
            "measure_every": 5000,
        }
    }
    RENAMED: ClassVar[Mapping[str, str]] = {
        "adversarial": "adversarial_weight",  # a number was the weight; today a name is the loss
        "cycle": "cycle_weight",
        "identity": "identity_weight",
        "cam": "cam_weight",
        "r1": "r1_weight",
    }

    @property
    def any_size(self) -> bool:
        """Whether the generators take images of any size: the full one has a weight for each place of its maps."""
        return self.light or self.backbone == "unet"

    @classmethod
    def from_older(cls, plain: Mapping[str, Any]) -> dict[str, Any]:
        """`plain` under today's keys."""
        renamed = isinstance(plain.get("adversarial", ""), str)
        return dict(plain) if renamed else super().from_older(plain)


CONFIG = UGATITConfig
