"""The constants of Council-GAN: the section train.council.model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from curate.pipeline.core.config import NonNegative, Positive
from curate.pipeline.core.errors import UsageError
from curate.train.engine.config import ModelConfig
from curate.train.gan.config import Beta, Rate, Weight

MOST_MEMBERS = 16
SMALLEST = 32  # px: the discriminators' second scale has a place for each 32 px


class CouncilConfig(ModelConfig, frozen=True, kw_only=True):
    """The constants of Council-GAN; "code" is the authors' implementation and its settings for selfies and anime."""

    direction: Literal["a2b", "b2a"] = "a2b"  # the one way that it learns: data.domains says what a and b are
    members: Annotated[int, Meta(ge=1, le=MOST_MEMBERS)] = 4  # of the council; section 4
    width: Positive = 64  # channels of a generator's first layer; code
    discriminator_width: Positive | None = None  # None: width
    blocks: Positive = 5  # residual blocks on each side of a generator; code
    style: Positive = 64  # numbers of z, the noise that chooses one of a member's answers; code
    hidden: Positive = 256  # width of the layers that read z; code
    masks: Positive = 3  # layers of paint, each with a mask of its own, laid over the image one after the other; code
    mask_gain: Annotated[float, Meta(gt=0.0)] = 10.0  # how steep masks are; less: they can change longer (code: 10)
    adversarial: Literal["lsgan", "bce", "hinge"] = "lsgan"  # the loss between generator and discriminators; code
    adversarial_weight: Weight = 26.0  # of a generator before its discriminator; code
    weigh_discriminators: bool | None = None  # by that weight, too; None: of a2b alone (code); Adam hardly minds
    council_weight: Weight = 6.0  # of a generator before its council's discriminator, and of that one; code
    council_start: NonNegative = 1000  # steps before the members begin to look at each other; code
    comparisons: Positive = 4  # pictures of others that a council's discriminator sees for each of its own; code
    less_style: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.7  # share of z with which others' pictures are made; code
    loss_matching: bool = True  # the council's loss counts as much as the discriminator's has of late; code
    loss_matching_steps: Positive = 100  # over which that is measured; code
    mask_decided_weight: Weight = 0.0  # of 1 / (|mask - 0.5| + 0.01), the mean over all px; code: 0, 10 for glasses
    mask_weight: Weight = 0.0  # of the square of the masks' mean; code: 0, 57 for glasses
    mask_smooth_weight: Weight = 0.0  # of the masks' differences from px to px; code: 0, 2.2 for glasses
    mask_start: NonNegative = 2000  # steps before the three weights of masks count; code
    augment: tuple[
        Literal["color", "translation", "cutout"], ...
    ] = ()  # what D is shown; DiffAugment, arXiv 2006.10738
    r1_weight: Weight = 0.0  # half of gamma, the gradient penalty on real images; Mescheder et al., arXiv 1801.04406
    ema: Beta = 0.0  # decay of the generators' moving averages, which then render; 0 for none
    lr: Rate = 1e-4  # of Adam; code
    discriminator_lr: Rate | None = None  # None: lr
    lr_half_every: Positive = 100_000  # steps after which the learning rate is halved; code
    beta1: Beta = 0.5  # code
    beta2: Beta = 0.999  # code
    weight_decay: Weight = 1e-4  # added to the gradient; code

    DEFAULTS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "data": {
            "size": 128,  # code; the paper and the released networks: 256
            "grey": 0.05,  # code
        },
        "run": {
            "steps": 1_000_000,  # those of the released networks
            "batch": 3,  # code
            "tick": 100,
            "sample_every": 1000,  # code
            "checkpoint_every": 1000,
            "measure_every": 5000,
        },
    }

    @property
    def directions(self) -> tuple[str, ...]:
        """One: there is no way back."""
        return (self.direction,)

    def check_images(self, height: int, width: int) -> None:
        """Raises UsageError for images that leave the discriminators nothing to judge."""
        if min(height, width) < SMALLEST:
            raise UsageError(
                f"train.council.data.size: {min(height, width)} px: the discriminators want {SMALLEST} at the least",
                f"set it to {SMALLEST} or more",
            )


CONFIG = CouncilConfig
