"""The generator of CycleGAN."""

from __future__ import annotations

from torch import Tensor, nn

from curate.train.networks.blocks import ResizeConv2d, ResnetBlock, Upsampling, init_normal, instance_norm, relu


class ResnetGenerator(nn.Module):
    """Down twice, `blocks` residual blocks, up twice: images [N, 3, H, W] in [-1, 1] to images of the same shape.

    H and W are multiples of 4. With ngf 64 and 9 blocks (256 px; 6 for 128 px) it has 11,378,179 parameters. Layers
    stand in `model` at the indices of the official code, so that its checkpoints have the same keys.
    Zhu et al. (2017), appendix 7.2; after Johnson et al., Perceptual Losses (2016). With `upsampling` nearest,
    convolutions after an enlargement take the place of the transposed ones, with as many parameters.
    """

    def __init__(self, ngf: int = 64, blocks: int = 9, upsampling: Upsampling = "transposed") -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(3, ngf, 7),
            instance_norm(ngf),
            relu(),
        ]
        for width in (ngf, ngf * 2):
            layers += [
                nn.Conv2d(width, width * 2, 3, stride=2, padding=1),
                instance_norm(width * 2),
                relu(),
            ]
        layers += [ResnetBlock(ngf * 4) for _ in range(blocks)]
        for width in (ngf * 4, ngf * 2):
            layers += [
                _enlarge(width, width // 2, upsampling),
                instance_norm(width // 2),
                relu(),
            ]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(ngf, 3, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)
        init_normal(self)

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.model(images)
        return output


def _enlarge(inputs: int, outputs: int, upsampling: Upsampling) -> nn.Module:
    if upsampling == "nearest":
        return ResizeConv2d(inputs, outputs)
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
