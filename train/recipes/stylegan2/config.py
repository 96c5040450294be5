"""The constants of StyleGAN2-ADA: the section train.stylegan2.model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from curate.pipeline.core.config import NonNegative, Positive, Share
from curate.pipeline.core.errors import UsageError
from curate.train.engine.config import ModelConfig
from curate.train.gan.config import Beta, Rate, Weight

Thousands = Annotated[float, Meta(gt=0.0)]
SMALLEST_IMAGE = 8  # px
SMALL_WIDTH = 16  # channels of the largest maps of cfg small


class StyleGAN2Config(ModelConfig, frozen=True, kw_only=True):
    """The constants of StyleGAN2-ADA, arXiv 2006.06676, and of StyleGAN2, arXiv 1912.04958; "code" is the authors'."""

    cfg: Literal["auto", "paper256", "stylegan2", "small"] = "auto"  # code, the first three; for a CPU or few images
    size: Positive | None = None  # px, side of the images, a power of two; None: data.size
    z_dim: Positive = 512  # numbers of noise, of which a w is made
    w_dim: Positive = 512  # of a w, by which a layer is styled
    labels: NonNegative = 0  # classes; 0: none. A batch's "labels" are one-hot
    mapping_layers: Positive = 2  # from z to w; code, auto; the papers have 8
    channel_base: Positive | None = None  # channels times px; None: 16384, from 512 px 32768 (code), cfg small 16 size
    channel_max: Positive = 512  # channels of a map at the most; code
    conv_clamp: Annotated[float, Meta(gt=0.0)] | None = 256.0  # of maps, with half precision or without; code
    half_levels: NonNegative = 4  # highest resolutions that run.precision bf16 is for; code
    group_size: Positive = 4  # images whose differences the discriminator sees, or fewer; code, auto
    residual: bool = True  # discriminator; code has one without for CIFAR-10
    adversarial_weight: Weight = 1.0  # of that loss for the generator, and of all that the discriminator learns from
    style_mixing: Share = 0.9  # of batches, in which a second z styles the last layers; arXiv 1812.04948, section 3.1
    r1_weight: Weight | None = None  # half of gamma, see there; None: gamma 0.0002 size^2 / batch; code, auto
    r1_every: Positive = 16  # steps; arXiv 1912.04958, section 3.1
    path_length_weight: Weight = 2.0  # arXiv 1912.04958, appendix B: it makes the mapping even; 0 for none
    path_length_every: Positive = 4  # steps
    path_length_decay: Share = 0.01  # of the mean length's distance to a batch's that it moves
    path_length_shrink: Positive = 2  # how many times fewer images it takes
    ema_kimg: Thousands | None = None  # half-life of the generator's average, thousand images; None: batch * 10 / 32
    ema_ramp: Share = 0.05  # of the images so far, which the half-life is at the most; 0: no such bound; code, auto
    ada_target: Share = 0.6  # adaptive augmentation's E[sign(D(real))]; 0: none
    ada_kimg: Thousands = 500.0  # thousand images for its p to change by 1; 100 with --from; code
    lr: Rate = 0.0025  # of Adam; code, auto, which has 0.002 at 1024 px
    beta1: Beta = 0.0  # of Adam, of the gradients' mean; code
    beta2: Beta = 0.99  # and of their squares; code

    DEFAULTS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "run": {
            "steps": 100_000,
            "batch": 16,  # code, auto, for 256 px on one GPU
            "tick": 50,
            "samples": 36,
            "sample_every": 500,
            "checkpoint_every": 1000,
            "measure_every": 2000,
        }
    }
    FOLLOWS: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
        "cfg": {
            "paper256": {
                "mapping_layers": 8,
                "channel_base": 16384,
                "group_size": 8,
                "r1_weight": 0.5,
                "ema_kimg": 20.0,
                "ema_ramp": 0.0,
            },
            "stylegan2": {
                "mapping_layers": 8,
                "channel_base": 32768,
                "r1_weight": 5.0,
                "ema_kimg": 10.0,
                "ema_ramp": 0.0,
                "lr": 0.002,
            },
            "small": {"z_dim": 128, "w_dim": 128, "channel_max": 128},
        }
    }

    @property
    def directions(self) -> tuple[str, ...]:
        """None: pictures are made of noise."""
        return ()

    @property
    def any_size(self) -> bool:
        """False: a generator makes pictures of its own size."""
        return False

    @property
    def base(self) -> int:
        """The channel_base that is meant."""
        if self.channel_base is None and self.cfg == "small":
            return SMALL_WIDTH * self.side
        return self.channel_base or (32768 if self.side >= 512 else 16384)

    @property
    def side(self) -> int:
        """px of the images."""
        return self.size or 256

    def check_images(self, height: int, width: int) -> None:
        """Raises UsageError for images that are not square, or whose side is not a power of two."""
        if height != width or height < SMALLEST_IMAGE or height & (height - 1):
            raise UsageError(
                f"data.size: {height} x {width}: StyleGAN2 makes squares of 16, 32, 64, 128, 256, 512 or 1024 px",
                "set data.size to one of them, and leave data.width out",
            )


CONFIG = StyleGAN2Config
