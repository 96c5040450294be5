"""CycleGAN's networks against the layer tables: shapes, keys, parameter counts, first weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from curate.train.gan.image_pool import ImagePool
from curate.train.networks.patchgan import PatchDiscriminator
from curate.train.networks.resnet import ResnetGenerator

torch.set_num_threads(1)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("blocks", "count"), [(9, 11_378_179), (6, 7_837_699)])
def test_generators_have_the_references_parameters(blocks: int, count: int) -> None:
    assert parameters(ResnetGenerator(64, blocks)) == count


@pytest.mark.parametrize(("layers", "count"), [(3, 2_764_737), (4, 6_959_553), (5, 11_154_369), (6, 15_349_185)])
def test_discriminators_have_the_references_parameters(layers: int, count: int) -> None:
    assert parameters(PatchDiscriminator(64, layers)) == count


def test_a_generators_keys_are_the_official_ones() -> None:
    layers = ["1", "4", "7", *(f"{i}.conv_block.{j}" for i in range(10, 19) for j in (1, 5)), "19", "22", "26"]
    expected = {f"model.{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
    assert set(ResnetGenerator(4, 9).state_dict()) == expected
    assert len(expected) == 48


def test_six_blocks_move_the_last_layers() -> None:
    keys = set(ResnetGenerator(4, 6).state_dict())
    assert {"model.16.weight", "model.19.weight", "model.23.weight"} <= keys


def test_a_discriminators_keys_are_the_official_ones() -> None:
    expected = {f"model.{i}.{kind}" for i in (0, 2, 5, 8, 11) for kind in ("weight", "bias")}
    assert set(PatchDiscriminator(4, 3).state_dict()) == expected


def test_a_generators_layers_have_the_shapes_of_the_table() -> None:
    x = torch.zeros(1, 3, 256, 256)
    shapes = {}
    for index, layer in enumerate(ResnetGenerator(8, 9).model):
        x = layer(x)
        shapes[index] = tuple(x.shape[1:])
    table = {0: (3, 262, 262), 1: (8, 256, 256), 4: (16, 128, 128), 7: (32, 64, 64), 18: (32, 64, 64)}
    table |= {19: (16, 128, 128), 22: (8, 256, 256), 26: (3, 256, 256), 27: (3, 256, 256)}
    assert {index: shapes[index] for index in table} == table


@pytest.mark.parametrize(("layers", "side"), [(3, 30), (4, 14), (5, 6), (6, 2)])
def test_a_discriminators_map_has_the_size_of_the_table(layers: int, side: int) -> None:
    scores = PatchDiscriminator(4, layers)(torch.zeros(1, 3, 256, 256))
    assert scores.shape == (1, 1, side, side)


def test_a_patch_is_seventy_pixels() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(4, 3)
    linear = nn.Sequential(*(layer for layer in network.model if isinstance(layer, nn.Conv2d)))  # no norm: local
    image = torch.randn(1, 3, 256, 256, requires_grad=True)
    linear(image)[0, 0, 15, 15].backward()
    seen = image.grad.abs().sum(dim=(0, 1)).nonzero()  # type: ignore[union-attr]
    assert (seen.max(dim=0).values - seen.min(dim=0).values + 1).tolist() == [70, 70]


def test_first_weights_are_drawn_from_a_normal_with_zero_biases() -> None:
    torch.manual_seed(0)
    network = ResnetGenerator(32, 2)
    for name, value in network.named_parameters():
        if name.endswith("bias"):
            assert not value.any()
        else:
            assert value.mean().abs().item() < 2e-3
            assert value.std().item() == pytest.approx(0.02, rel=0.1)


def test_instance_norms_have_neither_parameters_nor_statistics() -> None:
    norms = [layer for layer in ResnetGenerator(4, 1).modules() if isinstance(layer, nn.InstanceNorm2d)]
    assert norms
    assert all(not list(norm.parameters()) and not list(norm.buffers()) and norm.eps == 1e-5 for norm in norms)


def pictures(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None, None, None].expand(-1, 3, 2, 2).clone()


def values(images: torch.Tensor) -> list[float]:
    return images[:, 0, 0, 0].tolist()


def test_a_pool_that_is_not_full_gives_back_what_it_keeps() -> None:
    pool = ImagePool(3)
    assert values(pool(pictures(1, 2))) == [1, 2]
    assert values(torch.stack(pool.images)) == [1, 2]


def test_a_full_pool_swaps_half_of_the_images_for_old_ones() -> None:
    torch.manual_seed(0)
    pool = ImagePool(10)
    pool(pictures(*range(10)))
    swapped = 0
    for number in range(100, 1100):
        held = values(torch.stack(pool.images))
        given = values(pool(pictures(number)))[0]
        if given == number:
            assert values(torch.stack(pool.images)) == held  # a new image that passes is not kept
        else:
            swapped += 1
            assert given in held
            assert values(torch.stack(pool.images)) == [number if value == given else value for value in held]
    assert 430 < swapped < 570


def test_a_pool_of_nothing_passes_everything_through() -> None:
    pool = ImagePool(0)
    assert values(pool(pictures(1))) == [1]
    assert values(pool(pictures(2))) == [2]


def test_a_pool_holds_no_graph_and_survives_in_the_state_dict() -> None:
    pool = ImagePool(4)
    made = pool(pictures(1, 2, 3).requires_grad_())
    assert not made.requires_grad
    again = ImagePool(4)
    again.load_state_dict(pool.state_dict())
    assert values(torch.stack(again.images)) == [1, 2, 3]
    empty = ImagePool(4)
    empty.load_state_dict(ImagePool(4).state_dict())
    assert empty.images == []
