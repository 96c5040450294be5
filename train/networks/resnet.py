"""The generator of CycleGAN."""

from __future__ import annotations

from torch import Tensor, nn

from curate.train.networks.blocks import ResizeConv2d, ResnetBlock, Upsampling, init_normal, instance_norm, relu


class ResnetGenerator(nn.Module):
    """Down twice, `blocks` residual blocks, up twice: images [N, 3, H, W] in [-1, 1] to images of the same shape.

    H and W are multiples of 4. With width 64 and 9 blocks (256 px; 6 for 128 px) it has 11,378,179 parameters. Layers
    stand in `model` at the indices of the official code, so that its checkpoints have the same keys.
    Zhu et al. (2017), appendix 7.2; after Johnson et al., Perceptual Losses (2016). With `upsampling` nearest,
    convolutions after an enlargement take the place of the transposed ones, with as many parameters. With `raw_outputs`
    it gives so many channels in place of the three, as they come from the last convolution.
    """

    def __init__(
        self, width: int = 64, blocks: int = 9, upsampling: Upsampling = "transposed", raw_outputs: int | None = None
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(3, width, 7),
            instance_norm(width),
            relu(),
        ]
        for channels in (width, width * 2):
            layers += [
                nn.Conv2d(channels, channels * 2, 3, stride=2, padding=1),
                instance_norm(channels * 2),
                relu(),
            ]
        layers += [ResnetBlock(width * 4) for _ in range(blocks)]
        for channels in (width * 4, width * 2):
            layers += [
                _enlarge(channels, channels // 2, upsampling),
                instance_norm(channels // 2),
                relu(),
            ]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, raw_outputs or 3, 7)]
        layers += [] if raw_outputs else [nn.Tanh()]
        self.model = nn.Sequential(*layers)
        init_normal(self)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.model(images)
        return output


def _enlarge(inputs: int, outputs: int, upsampling: Upsampling) -> nn.Module:
    if upsampling == "nearest":
        return ResizeConv2d(inputs, outputs)
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
