"""The constants of CycleGAN and of its options for hair: the section train.cyclegan.model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from curate.pipeline.core.config import NonNegative, Positive, Share
from curate.pipeline.core.errors import UsageError
from curate.train.gan.config import Beta, MaskedConfig, Rate, Weight


class DiscriminatorConfig(MaskedConfig, frozen=True, kw_only=True):
    """How discriminators are built, and what they learn from beside the adversarial loss."""

    discriminator: Literal["patch", "batch", "dual", "unet"] = "patch"  # patches; with others; and whole; px and whole
    discriminator_norm: Literal["instance", "spectral"] = "instance"  # dual and unet are always spectral
    discriminator_width: Positive = 64  # channels of the first layer; CycleGAN, appendix 7.2
    discriminator_layers: Positive = 3  # of a patch discriminator: 3 judge 70 px patches; CycleGAN, appendix 7.2
    discriminator_lr: Rate | None = None  # None: lr
    size: Positive | None = None  # px, sides of the images, to which dual and unet are bound; None: data.size
    global_weight: Weight = 1.0  # of the whole image's score beside the map's
    global_warmup: Share = 0.0  # of the run, over which it rises from 0
    bcr_real_weight: Weight = 0.0  # balanced consistency; Zhao et al., arXiv 2002.04724, section 3.1, has 10
    bcr_fake_weight: Weight = 0.0  # the same for fakes; there 10
    bcr_shift: NonNegative = 16  # px, the longest shift of its images, in steps of the map's stride
    bcr_tint: Share = 0.0  # strength of its change of brightness, saturation and contrast
    batch_queue: NonNegative = (
        3  # earlier images beside which discriminator batch judges; UVCGANv2, arXiv 2303.16280: 3
    )
    cutmix: bool = False  # discriminator unet alone; Schonfeld et al., arXiv 2002.12655, section 3.2
    cutmix_warmup: Share = 0.1  # of the run, over which its consistency rises from 0
    ada_target: Share = 0.0  # adaptive augmentation's E[sign(D(real))]; Karras et al., arXiv 2006.06676, has 0.6
    ada_kimg: Annotated[float, Meta(gt=0.0)] = 500.0  # thousand images from none to all; there 500
    r1_at: Literal["real", "mixed"] = "real"  # where the gradient is; mixed: between real and fake, UVCGANv2: 0.01

    def check_images(self, height: int, width: int) -> None:
        """Raises UsageError for images that leave a patch discriminator no map."""
        least = 3 * 2**self.discriminator_layers  # its last two convolutions take a pixel each
        if self.discriminator in ("patch", "batch") and min(height, width) < least:
            raise UsageError(
                f"data.size: {min(height, width)}: discriminator_layers {self.discriminator_layers} want {least} px",
                f"set data.size to {least} or more, or model.discriminator_layers to fewer",
            )


class CycleGANConfig(DiscriminatorConfig, frozen=True, kw_only=True):
    """The constants of CycleGAN; "code" is the authors' PyTorch implementation where it differs from the paper."""

    preset: Literal["plain", "blog", "hair", "best"] = "plain"  # the paper's; the article's; for hair; per minute
    backbone: Literal["resnet", "unet"] = "resnet"  # appendix 7.2; or on blocks of 2x2 px, far cheaper, for few steps
    width: Positive = 64  # channels of the generator's first layer; appendix 7.2
    blocks: Positive = 9  # residual blocks: 9 for 256 px, 6 for 128 px; appendix 7.2
    upsampling: Literal["transposed", "nearest"] = "transposed"  # appendix 7.2; nearest leaves no checkerboard
    cycle_weight: Weight = 10.0  # a -> b -> a; section 4
    cycle_weight_b: Weight | None = None  # b -> a -> b; None: cycle_weight
    identity_weight: Weight = 5.0  # half of the cycle's; section 5.2, always on in the code
    identity_weight_b: Weight | None = None  # of b; None: identity_weight
    face_weight: Weight = 0.0  # the face stays, under a mask from its landmarks; the hair article, no weight given
    face_branch: bool = False  # shows the generators the face once more, which enlarge by nearest; tried in the article
    pretrain: Share = 0.0  # of the run, in which generators learn to fill in blocks, before all else; UVCGAN
    pool: NonNegative = 50  # earlier fakes shown to a discriminator; section 4
    lr: Rate = 2e-4  # section 4
    beta1: Beta = 0.5  # code
    beta2: Beta = 0.999  # code
    constant_epochs: NonNegative = 100  # of each constant + decay epochs at the full learning rate; section 4
    decay_epochs: NonNegative = 100  # that follow, falling in a line towards 0; section 4

    FOLLOWS: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
        "preset": {
            "blog": {
                "discriminator": "dual",
                "discriminator_norm": "spectral",
                "bcr_real_weight": 10.0,
                "bcr_fake_weight": 10.0,
            },
            "hair": {
                "discriminator": "dual",
                "discriminator_norm": "spectral",
                "global_weight": 0.3,
                "global_warmup": 0.1,
                "face_weight": 10.0,
                "bcr_real_weight": 10.0,
                "bcr_fake_weight": 10.0,
                "bcr_tint": 0.1,
                "ema": 0.999,
                "upsampling": "nearest",
                "identity_weight": 3.0,
            },
            "best": {
                "backbone": "unet",
                "width": 16,
                "blocks": 1,
                "discriminator": "batch",
                "discriminator_width": 24,
                "face_weight": 10.0,
                "ema": 0.99,
                "lr": 5e-4,
                "discriminator_lr": 3e-4,
                "generator": "masked",
                "cycle_noise": 0.15,
                "mask_weight": 0.5,
                "mask_decided_weight": 0.5,
                "mask_warmup": 0.4,
            },
        },
        "discriminator": {"dual": {"discriminator_norm": "spectral"}, "unet": {"discriminator_norm": "spectral"}},
    }
    RENAMED: ClassVar[Mapping[str, str]] = {
        "ngf": "width",
        "ndf": "discriminator_width",
        "layers": "discriminator_layers",
        "d_kind": "discriminator",
        "d_norm": "discriminator_norm",
        "lr_d": "discriminator_lr",
        "gan_loss": "adversarial",
        "lambda_a": "cycle_weight",
        "lambda_b": "cycle_weight_b",
        "lambda_identity": "identity_weight, no longer a share of the cycle's: what was 0.5 of 10 is 5",
        "face_loss": "face_weight",
        "bcr_real": "bcr_real_weight",
        "bcr_fake": "bcr_fake_weight",
        "ada": "ada_target",
        "penalty": "r1_at, and off while r1_weight is 0",
        "penalty_weight": "r1_weight, which switches it on",
    }

    @classmethod
    def from_older(cls, plain: Mapping[str, Any]) -> dict[str, Any]:
        """`plain` under today's keys, with the weights that were products and the penalty that had a switch."""
        now = super().from_older(plain)
        if "lambda_identity" in plain:
            share, a, b = plain["lambda_identity"], plain.get("lambda_a", 10.0), plain.get("lambda_b", 10.0)
            now |= {"identity_weight": share * a, "identity_weight_b": share * b}
        if "penalty" in plain:
            kind, weight = plain["penalty"], plain.get("penalty_weight", 5.0)
            now |= {"r1_weight": 0.0 if kind == "none" else weight, "r1_at": "mixed" if kind == "mixed" else "real"}
        for old, key in (("lambda_b", "cycle_weight"), ("lambda_identity", "identity_weight")):
            if old in plain and now[f"{key}_b"] == now.get(key):  # two that are equal are one
                now[f"{key}_b"] = None
        return now


CONFIG = CycleGANConfig
