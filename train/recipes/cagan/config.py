"""The constants of CAGAN: the section train.cagan.model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from curate.pipeline.core.config import Positive, Share
from curate.pipeline.core.errors import UsageError
from curate.train.gan.config import AdversarialConfig, Beta, Rate, Weight


class CAGANConfig(AdversarialConfig, frozen=True, kw_only=True):
    """The constants of CAGAN. "article" is the swimwear article (Chainer), "notebook" the Keras one.

    Of warped, what the adversarial game needs is off: pairs teach it, which is faster; its weights may be set.
    """

    variant: Literal["chainer", "keras", "modern", "warped"] = (
        "chainer"  # article, notebook, that renewed; warped: see clothes.md
    )
    size: Positive | None = None  # px, sides of the images, to which chainer's discriminator is bound; None: data.size
    width: Positive = 64  # channels of the first layer, in both networks; article and notebook
    adversarial: Literal["bce", "lsgan", "hinge"] = "bce"  # section 3.3, article and notebook
    cycle_weight: Weight = 1.0  # there and back; section 3.3, article and notebook
    identity_weight: Weight = 0.0  # the garment worn, put on again, changes nothing; the third notebook has 1
    mask_weight: Weight = 0.1  # mean of the mask; section 3.3, article and notebook
    upsampling: Literal["transposed", "nearest"] = "transposed"  # nearest leaves no checkerboard; not for chainer
    paste_weight: Weight = 0.0  # of what people under others' garments teach, whose own look is known; warped alone
    tint: Share = 0.0  # DiffAugment's colours, the same for a person and the article beside; arXiv 2006.10738 has 1
    noise: Weight = 0.2  # std of the noise in chainer's discriminator; article
    lr: Rate = 2e-4  # article and notebook, no decay
    beta1: Beta = 0.5  # article and notebook
    beta2: Beta = 0.999  # Adam's own

    DEFAULTS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"run": {"batch": 16, "epochs": 50}}  # article
    FOLLOWS: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
        "variant": {
            "modern": {"identity_weight": 1.0, "adversarial": "lsgan", "ema": 0.999, "upsampling": "nearest"},
            "warped": {
                "paste_weight": 1.0,
                "adversarial_weight": 0.0,
                "cycle_weight": 0.0,
                "mask_weight": 0.03,
                "width": 32,
                "adversarial": "lsgan",
                "ema": 0.99,
                "lr": 2e-3,
                "upsampling": "nearest",
            },
        }
    }
    RENAMED: ClassVar[Mapping[str, str]] = {
        "cycle": "cycle_weight",
        "identity": "identity_weight",
        "mask": "mask_weight",
        "r1": "r1_weight",
    }

    def check_images(self, height: int, width: int) -> None:
        """Raises UsageError for images that the networks can't halve as often as they do."""
        if height % 16 or width % 16 or min(height, width) < 32:
            raise UsageError(
                f"data.size and width: {height} and {width}: {self.variant} wants multiples of 16, from 32 on",
                "set train.cagan.data.size, and width, to some",
            )


CONFIG = CAGANConfig
