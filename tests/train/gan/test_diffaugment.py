"""What discriminators are shown, and where faces are: moves, tints, boxes, masks."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from curate.pipeline.tables import manifest
from curate.train.data import face_masks
from curate.train.data.config import DataConfig
from curate.train.data.transforms import mirror
from curate.train.data.unpaired import UnpairedBatches, load
from curate.train.gan.diffaugment import DIFF_AUGMENT, Move, cutmix, diff_augment, tint
from curate.train.gan.losses import ADVERSARIAL, consistency, gradient_penalty, masked_l2
from tests.support.training import dataset

CPU = torch.device("cpu")


def ramp(count: int, side: int) -> Tensor:
    return torch.arange(count * 3 * side * side, dtype=torch.float32).reshape(count, 3, side, side)


def test_a_move_is_undone_where_it_was_seen() -> None:
    torch.manual_seed(0)
    images = ramp(32, 16)
    move = Move.draw(32, 6, 2, CPU)
    moved = move.apply(images)
    back, inside = move.undo(moved, 1)
    assert torch.equal(back * inside, images * inside)
    lost = (16 - move.down.abs()) * (16 - move.right.abs())
    assert torch.equal(inside.sum((1, 2, 3)), lost)
    assert move.flip.any() and not move.flip.all()
    assert set(move.down.tolist()) <= set(range(-6, 7, 2)) and len(set(move.right.tolist())) > 2


def test_a_move_flips_first_and_mirrors_at_the_edge() -> None:
    row = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]])
    still, right = torch.tensor([0]), torch.tensor([1])
    assert Move(torch.tensor([False]), still, right).apply(row).flatten().tolist() == [2, 1, 2, 3]
    assert Move(torch.tensor([True]), still, right).apply(row).flatten().tolist() == [3, 4, 3, 2]


def test_each_tint_is_the_papers_at_strength_one_and_none_at_zero() -> None:
    torch.manual_seed(0)
    images = torch.rand(256, 3, 8, 8) * 2 - 1
    assert torch.allclose(tint(images, 0.0), images, atol=1e-6)
    tinted = tint(images, 1.0)
    shift = (tinted.mean((1, 2, 3)) - images.mean((1, 2, 3))).sort().values
    assert shift[0] == pytest.approx(-0.5, abs=0.02) and shift[-1] == pytest.approx(0.5, abs=0.02)
    contrast = (tinted.mean(1).std((1, 2)) / images.mean(1).std((1, 2))).sort().values
    assert contrast[0] == pytest.approx(0.5, abs=0.02) and contrast[-1] == pytest.approx(1.5, abs=0.02)


def test_diff_augment_moves_by_an_eighth_and_cuts_out_a_half() -> None:
    torch.manual_seed(0)
    ones = torch.ones(200, 3, 16, 16)
    shares = diff_augment(ones, ["translation"])[:, 0].mean((1, 2))
    assert shares.min() == pytest.approx((14 / 16) ** 2) and shares.max() == 1.0
    cut = 1 - diff_augment(ones, ["cutout"])[:, 0].mean((1, 2))
    assert cut.max() == pytest.approx(0.25) and cut.min() > 0.05
    assert diff_augment(ones, []) is ones
    assert list(DIFF_AUGMENT) == ["color", "translation", "cutout"]


def test_diff_augment_lets_gradients_through() -> None:
    images = torch.rand(2, 3, 16, 16, requires_grad=True)
    diff_augment(images, DIFF_AUGMENT).sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0


def test_cutmix_takes_half_from_each_on_average_and_boxes_are_boxes() -> None:
    torch.manual_seed(0)
    masks = cutmix(10_000, 16, 16, CPU)
    assert masks.mean().item() == pytest.approx(0.5, abs=0.02)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    assert all(is_box(mask) or is_box(~mask) for mask in masks[:200, 0].bool())


def is_box(mask: Tensor) -> bool:
    return torch.equal(mask, mask.any(1)[:, None] & mask.any(0))


def test_mirrors_are_chosen_image_by_image() -> None:
    images = ramp(3, 4)
    made = mirror(images, torch.tensor([True, False, True]))
    assert torch.equal(made[1], images[1])
    assert torch.equal(made[::2], images[::2].flip(3))


def test_masked_l2_is_a_mean_over_what_the_mask_shows() -> None:
    torch.manual_seed(0)
    target, mask = torch.rand(2, 3, 8, 8), torch.zeros(2, 1, 8, 8)
    mask[0, :, :2, :3] = 1.0
    image = target.clone()
    assert masked_l2(image, target, mask) == 0
    image[0, :, 4:] += 5.0
    image[1] += 5.0  # its mask is empty
    assert masked_l2(image, target, mask) == 0
    image[0, :, :2, :3] += 0.5
    assert masked_l2(image, target, mask).item() == pytest.approx(0.25 / 2, rel=1e-5)
    image.requires_grad_()
    masked_l2(image, target, torch.zeros_like(mask)).backward()
    assert image.grad is not None and image.grad.isfinite().all()


def test_consistency_counts_the_places_that_count() -> None:
    one, other = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    where = torch.tensor([[[[True, False], [True, False]]]])
    assert consistency(one, other).item() == pytest.approx(30 / 4)
    assert consistency(one, other, where).item() == pytest.approx(10 / 2)
    assert consistency(one, other, torch.zeros_like(where)) == 0


def test_gradient_penalty_of_a_square() -> None:
    images = torch.full((2, 1, 2, 2), 3.0, requires_grad=True)
    weight = torch.tensor(2.0, requires_grad=True)
    penalty = gradient_penalty((weight * images.square()).sum((1, 2, 3)), images)
    assert penalty.item() == pytest.approx(4 * (2 * 2 * 3) ** 2)
    penalty.backward()
    assert weight.grad is not None and weight.grad.item() == pytest.approx(2 * penalty.item() / 2)


@pytest.mark.parametrize(
    ("name", "real", "fake", "generator"),
    [
        ("lsgan", (0.5 - 1) ** 2, 0.5**2, (0.5 - 1) ** 2),
        ("bce", math.log(1 + math.exp(-0.5)), math.log(1 + math.exp(0.5)), math.log(1 + math.exp(-0.5))),
        ("hinge", 0.5, 1.5, -0.5),
    ],
)
def test_adversarial_losses_by_hand(name: str, real: float, fake: float, generator: float) -> None:
    adversarial, score = ADVERSARIAL[name], torch.full((2, 1, 3, 3), 0.5)
    assert adversarial.discriminator(score, 1.0).item() == pytest.approx(real)
    assert adversarial.discriminator(score, 0.0).item() == pytest.approx(fake)
    assert adversarial.generator(score).item() == pytest.approx(generator)


def square(left: float, top: float, side: float) -> list[float]:
    """68 points of which four span a square."""
    corners = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
    return [value for i in range(68) for value in corners[i % 4]]


def test_a_mask_covers_the_hull_softly_and_nobody_has_an_empty_one() -> None:
    points = face_masks.landmarks([square(16, 24, 32), None])
    masks = face_masks.masks(points, 64)
    assert masks.shape == (2, 1, 64, 64)
    assert masks[1].abs().sum() == 0
    assert masks[0, 0, 40, 32] == pytest.approx(1.0, abs=1e-3)
    assert masks[0, 0, 4, 4] == pytest.approx(0.0, abs=1e-6)
    assert masks[0, 0, 40, 16].item() == pytest.approx(0.5, abs=0.12), "half at the edge"
    assert masks.min() >= 0 and masks.max() <= 1


def test_masks_move_with_their_images(tmp_path: Path) -> None:
    dataset(tmp_path, side=48)
    rows = manifest.read(manifest.DATASET, tmp_path).to_pylist()
    rows = [{**row, "landmarks": square(10, 20, 20)} for row in rows]
    manifest.write(manifest.DATASET, manifest.from_rows(manifest.DATASET, rows), tmp_path)
    a, b = (load(tmp_path, domain, "train") for domain in ("long", "short"))
    shown = (face_masks.masks(a.landmarks, 48)[:, 0] * 255).byte()
    a.images[..., 0] = shown  # red now tells where the mask should be; copy on write
    masked = UnpairedBatches(a, b, DataConfig(size=32, load=40), batch=8, seed=0, faces=True)
    batch, plain = masked(3), UnpairedBatches(a, b, DataConfig(size=32, load=40), batch=8, seed=0)(3)
    assert torch.equal(batch["a"], plain["a"]) and torch.equal(batch["b"], plain["b"])
    assert batch["face_a"].shape == (8, 1, 32, 32)
    assert torch.allclose(batch["face_a"][:, 0], (batch["a"][:, 0] + 1) / 2, atol=0.02)
    assert 0.05 < batch["face_a"].mean() < 0.5
