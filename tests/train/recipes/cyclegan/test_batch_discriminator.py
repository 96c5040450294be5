"""The discriminator that judges images beside earlier ones, and the queue of their features."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from curate.pipeline.core.config import parse
from curate.train.engine.contract import Clock
from curate.train.gan.feature_queue import FeatureQueue
from curate.train.recipes.cyclegan.batch_discriminator import BatchDiscriminator
from curate.train.recipes.cyclegan.config import CycleGANConfig
from curate.train.recipes.cyclegan.discriminator import discriminator_losses, generator_losses

torch.set_num_threads(1)

PLACE = torch.zeros(1, 1, 1, 1)  # what features are like


def features(*values: float) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1)


def built(norm: str = "instance") -> BatchDiscriminator:
    torch.manual_seed(0)
    return BatchDiscriminator(4, 2, norm)  # type: ignore[arg-type]


def test_a_queue_keeps_the_latest_of_each_kind() -> None:
    queue = FeatureQueue(3)
    assert queue.earlier(real=True, like=PLACE).shape == (0, 1, 1, 1)
    queue.push(features(1.0, 2.0), features(-1.0, -2.0))
    queue.push(features(3.0, 4.0), features(-3.0, -4.0))
    assert queue.earlier(real=True, like=PLACE).flatten().tolist() == [2.0, 3.0, 4.0]
    assert queue.earlier(real=False, like=PLACE).flatten().tolist() == [-2.0, -3.0, -4.0]
    other = FeatureQueue(3)
    other.load_state_dict(queue.state_dict())
    assert torch.equal(other.earlier(real=True, like=PLACE), queue.earlier(real=True, like=PLACE))


def test_a_queue_of_none_stays_empty() -> None:
    queue = FeatureQueue(0)
    queue.push(features(1.0), features(2.0))
    assert not len(queue.earlier(real=True, like=PLACE))


def test_the_head_gets_the_deviation_of_this_and_the_earlier_images_of_its_kind() -> None:
    network, queue, seen = built(), FeatureQueue(3), []
    network.body = torch.nn.Identity()  # type: ignore[assignment]
    network.head = torch.nn.Conv2d(2, 1, 1)  # type: ignore[assignment]
    network.head.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    queue.push(features(1.0), features(10.0))
    network.judge({"real": features(3.0), "fake": features(20.0), "real moved": features(5.0)}, queue)
    (given,) = seen
    assert given[:, 0].flatten().tolist() == [3.0, 20.0, 5.0]
    assert given[:, 1].flatten().tolist() == pytest.approx([1.0, 5.0, 2.0])  # half of the distance
    assert queue.earlier(real=True, like=PLACE).flatten().tolist() == [1.0, 3.0]
    assert queue.earlier(real=False, like=PLACE).flatten().tolist() == [10.0, 20.0]


@pytest.mark.parametrize("norm", ["instance", "spectral"])
def test_it_trains_alone_and_lets_gradients_through_to_fakes(norm: str) -> None:
    keys = {"discriminator": "batch", "discriminator_width": 4, "discriminator_layers": 2, "r1_weight": 1.0}
    config = parse(CycleGANConfig, {**keys, "r1_at": "mixed", "bcr_fake_weight": 1.0, "bcr_shift": 4}, "model")
    network, queue = built(norm), FeatureQueue(2)
    real, fake = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16, requires_grad=True)
    for step in range(2):  # with nothing in the queue, and with something
        losses = discriminator_losses(config, network, real, fake, fake.detach(), Clock(step, 9), None, queue).losses
        torch.stack(list(losses.values())).sum().backward()
        assert all(loss.isfinite() for loss in losses.values())
    assert fake.grad is None
    assert all(parameter.grad is not None for name, parameter in network.named_parameters() if "weight" in name)
    kept = queue.get_extra_state()
    (loss,) = generator_losses(config, network, fake, Clock(1, 9), None, queue).values()
    loss.backward()
    assert fake.grad is not None
    assert fake.grad.abs().sum() > 0
    assert torch.equal(queue.get_extra_state(), kept), "only what a discriminator learns from is kept"
