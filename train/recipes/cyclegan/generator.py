"""The generator of a config: which network it is, and whether it paints through a mask."""

from __future__ import annotations

from torch import nn

from curate.pipeline.core.errors import UsageError
from curate.train.networks.masked import PAINT, MaskedGenerator
from curate.train.networks.resnet import ResnetGenerator
from curate.train.networks.unet import UNetGenerator
from curate.train.recipes.cyclegan.config import CycleGANConfig
from curate.train.recipes.cyclegan.face_generator import FaceGenerator


def make_generator(config: CycleGANConfig) -> nn.Module:
    """The network of `config`, which takes images and, with a face branch, masks of faces. Raises UsageError."""
    masked = config.generator == "masked"
    if config.face_branch and (masked or config.backbone != "resnet"):
        raise UsageError(
            "model.face_branch: only a plain resnet has one: a mask keeps the face as it is",
            "set it to false, or model.generator to plain and model.backbone to resnet",
        )
    if config.face_branch:
        return FaceGenerator(config.width, config.blocks)
    if masked:
        return MaskedGenerator(_body(config, 1))
    if config.backbone == "resnet":
        return ResnetGenerator(config.width, config.blocks, config.upsampling)
    return nn.Sequential(_body(config, 0), nn.Tanh())


def _body(config: CycleGANConfig, more: int) -> nn.Module:
    if config.backbone == "unet":
        return UNetGenerator(config.width, config.blocks, more)
    return ResnetGenerator(config.width, config.blocks, config.upsampling, PAINT + more)
