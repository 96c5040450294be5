"""The projector: its constants against the published ones, and a picture that is found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from curate.pipeline.core.errors import UsageError
from curate.train.latent import perceptual, projection, tuning
from curate.train.latent.perceptual import Perceptual, pyramid
from curate.train.latent.projection import ProjectionSettings, project, psnr, synthesised
from curate.train.latent.tuning import TuneSettings
from tests.support.latent import LAYERS, WIDTH, style_run

PIXELS = Perceptual("pixels", pyramid)


def test_the_schedule_at_its_corners() -> None:
    rates = [projection.rate(t) for t in (0.0, 0.025, 0.5, 0.74, 0.76, 0.99)]
    assert rates == pytest.approx([0.0, 0.05, 0.1, 0.1, 0.0996057, 0.000394265], rel=1e-4)
    sizes = [projection.shake_size(t) for t in (0.0, 0.025, 0.5, 0.74, 0.76)]
    assert sizes == pytest.approx([0.05, 0.0467222, 0.00555556, 8.8889e-06, 0.0], rel=1e-4)


def test_the_noise_regulariser_against_loops() -> None:
    noise = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    total = 0.0
    for one in noise[:, 0].double().numpy():
        for level in (one, one.reshape(8, 2, 8, 2).mean((1, 3))):
            side = len(level)
            right = sum(level[y, x] * level[y, x - 1] for y in range(side) for x in range(side)) / side**2
            down = sum(level[y, x] * level[y - 1, x] for y in range(side) for x in range(side)) / side**2
            total += right**2 + down**2
    assert float(projection.regulariser(noise)) == pytest.approx(total, rel=1e-5)


def test_noise_is_brought_back_to_its_mean_and_power() -> None:
    noise = torch.rand(3, 1, 8, 8) * 7
    projection.normalise(noise)
    torch.testing.assert_close(noise.mean((1, 2, 3)), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(noise.square().mean((1, 2, 3)), torch.ones(3))


def test_the_statistics_are_those_of_one_random_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "SAMPLES", 50)
    source = style_run(tmp_path)
    z = torch.from_numpy(np.random.RandomState(123).randn(50, WIDTH)).float()
    w = source.generator.mapping(z)[:, 0].double()
    mean, spread = projection.statistics(source)
    torch.testing.assert_close(mean, w.mean(0).float())
    assert spread == pytest.approx(float(((w - w.mean(0)) ** 2).sum().div(50).sqrt()), rel=1e-5)


@pytest.mark.parametrize("plus", [False, True])
def test_a_picture_of_its_own_is_found_and_tuning_brings_it_nearer(tmp_path: Path, plus: bool) -> None:
    source = style_run(tmp_path)
    target = source.images(source.codes([5]), "none")
    seen: list[int] = []
    settings = ProjectionSettings(steps=80, plus=plus)
    found = project(source, target, settings, PIXELS, lambda step, pictures, distances: seen.append(step))
    assert seen == list(range(1, 81))
    assert found.ws.shape == (1, LAYERS + 2, WIDTH)
    assert bool((found.ws[:, 0] == found.ws[:, 1]).all()) != plus
    mean = projection.statistics(source)[0].expand(1, LAYERS + 2, -1)
    start, end = source.images(mean, "none"), synthesised(source.generator, found.ws, found.noise)
    assert float(psnr(end, target)) > float(psnr(start, target)) + 6
    before = {name: value.clone() for name, value in source.generator.synthesis.state_dict().items()}
    tuned = tuning.tune(source.generator, found.ws, found.noise, target, TuneSettings(40, 0.0), PIXELS, lambda *_: None)
    nearer = synthesised(tuned.generator, found.ws, found.noise)
    assert tuned.steps == 40
    assert float(psnr(nearer, target)) > float(psnr(end, target)) + 1
    assert all(torch.equal(value, before[name]) for name, value in source.generator.synthesis.state_dict().items())


def test_pictures_of_a_batch_do_not_know_of_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the noise that differs by place in the batch, each is found as it would be alone."""
    monkeypatch.setattr(projection, "NOISE", 0.0)
    source = style_run(tmp_path)
    for name, value in source.generator.synthesis.named_parameters():
        if name.endswith("noise_strength"):
            value.data.zero_()
    targets = source.images(source.codes([1, 2]), "none")
    settings = ProjectionSettings(steps=10)
    both = project(source, targets, settings, PIXELS, lambda *_: None)
    alone = project(source, targets[1:], settings, PIXELS, lambda *_: None)
    torch.testing.assert_close(both.ws[1:], alone.ws, atol=1e-4, rtol=1e-3)


def test_tuning_stops_where_it_is_near_enough(tmp_path: Path) -> None:
    source = style_run(tmp_path)
    ws, target = source.codes([1]), source.images(source.codes([2]))
    far = tuning.tune(source.generator, ws, {}, target, TuneSettings(30, 0.9), PIXELS, lambda *_: None)
    assert 0 < far.steps < 30


def test_vgg_and_pixels_measure_what_they_say() -> None:
    first, second = torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1
    distances = (pyramid(first) - pyramid(second)).square().sum(1)
    levels, expected = [first - second], torch.zeros(2)
    while levels[-1].shape[-1] > 8:
        levels.append(torch.nn.functional.avg_pool2d(levels[-1], 2))
    for level in levels:
        expected += level.square().mean((1, 2, 3)) * level[0].numel() / level[0].numel()
    torch.testing.assert_close(distances, expected)
    stages = list(perceptual.Vgg16().stages(first))
    assert [stage.shape[1:] for stage in stages] == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2)]
    parts = perceptual._together(iter(stages))
    torch.testing.assert_close(parts.square().sum(1), torch.full((2,), 5.0), atol=0.5, rtol=0)
    with pytest.raises(UsageError, match="there are vgg16, lite0, pixels"):
        perceptual.load("alex")
