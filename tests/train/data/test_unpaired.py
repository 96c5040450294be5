"""Datasets: decoded once, told apart by content, batches a pure function of seed and step."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.imaging import codec
from curate.train.data.config import DataConfig
from curate.train.data.transforms import to_float, to_uint8
from curate.train.data.unpaired import Domain, UnpairedBatches, load, resolve_domains
from tests.support.training import dataset, drawn


def numbered(name: str, count: int) -> Domain:
    """Images of one grey each: the n-th has the value n."""
    values = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(-1, 8, 8, 3)
    return Domain(name, values.contiguous(), "", torch.full((count, 68, 2), torch.nan))


def unpaired(a: int, b: int, batch: int = 1, seed: int = 0) -> UnpairedBatches:
    return UnpairedBatches(numbered("a", a), numbered("b", b), DataConfig(size=16, load=16), batch=batch, seed=seed)


def drawn_numbers(batches: UnpairedBatches, steps: int) -> tuple[list[int], list[int]]:
    made = [
        {key: to_uint8(value)[:, 0, 0, 0].tolist() for key, value in batches(step).items()} for step in range(steps)
    ]
    return [n for batch in made for n in batch["a"]], [n for batch in made for n in batch["b"]]


def test_uint8_and_float_are_each_others_inverse() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(-1, -1, -1, 3)
    assert torch.equal(to_uint8(to_float(pixels)), pixels)
    made = to_float(pixels)
    assert made.shape == (1, 3, 16, 16)
    assert (made.min().item(), made.max().item()) == (-1.0, 1.0)


def test_an_epoch_shows_all_of_a_larger_a_once_and_b_at_random() -> None:
    a, b = drawn_numbers(unpaired(10, 4), 20)
    assert sorted(a[:10]) == sorted(a[10:]) == list(range(10))
    assert a[:10] != a[10:]
    assert set(b) == set(range(4))
    assert b[:4] != b[4:8] or b[8:12] != b[12:16]  # drawn, not cycled through


def test_an_epoch_is_as_long_as_the_larger_domain() -> None:
    batches = unpaired(4, 10)
    a, _ = drawn_numbers(batches, 10)
    assert batches.epoch == 10
    assert sorted(Counter(a).values()) == [2, 2, 3, 3]  # 10 places modulo 4 images


def test_batches_are_a_function_of_seed_and_step() -> None:
    once, again, other = unpaired(9, 9), unpaired(9, 9), unpaired(9, 9, seed=1)
    for step in (7, 0, 3):  # in any order
        assert all(torch.equal(once(step)[key], again(step)[key]) for key in "ab")
    assert drawn_numbers(once, 9) != drawn_numbers(other, 9)


def test_a_larger_batch_runs_through_the_same_order() -> None:
    assert drawn_numbers(unpaired(10, 10), 30)[0] == drawn_numbers(unpaired(10, 10, batch=3), 10)[0]


def test_batches_have_the_shape_and_range_of_the_contract(tmp_path: Path) -> None:
    dataset(tmp_path)
    batches = UnpairedBatches(
        load(tmp_path, "long", "train"), load(tmp_path, "short", "train"), DataConfig(size=32), batch=2, seed=0
    )
    batch = batches(0)
    assert set(batch) == {"a", "b"}
    for value in batch.values():
        assert (value.shape, value.dtype) == ((2, 3, 32, 32), torch.float32)
        assert value.abs().max() <= 1.0


@pytest.mark.parametrize(("grey", "least", "most"), [(0.0, 0, 0), (0.3, 12, 36), (1.0, 80, 80)])
def test_so_many_images_are_without_colours(tmp_path: Path, grey: float, least: int, most: int) -> None:
    dataset(tmp_path)
    domains = [load(tmp_path, name, "train") for name in ("long", "short")]
    batches = UnpairedBatches(*domains, DataConfig(size=16, load=16, grey=grey), batch=40, seed=0)
    batch = batches(0)
    without = [(image.amax(0) - image.amin(0)).max() < 1e-6 for key in "ab" for image in batch[key]]
    assert least <= sum(without) <= most
    assert any(without[:40]) == any(without[40:]) == (grey > 0)
    assert all(torch.equal(batch[key], batches(0)[key]) for key in "ab")


def test_crops_are_decoded_once_and_again_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset(tmp_path)
    first = load(tmp_path, "long", "train")
    assert np.array_equal(first.images[0].numpy(), drawn(0, 0))
    decode = codec.decode
    monkeypatch.setattr(codec, "decode", lambda data: pytest.fail("decoded again"))
    assert torch.equal(load(tmp_path, "long", "train").images, first.images)
    monkeypatch.setattr(codec, "decode", decode)
    (tmp_path / "processed/crops/long-000.png").write_bytes(codec.encode_png(255 - drawn(0, 0)))
    changed = load(tmp_path, "long", "train")
    assert changed.digest != first.digest
    assert np.array_equal(changed.images[0].numpy(), 255 - drawn(0, 0))


def test_the_digest_is_of_the_content_alone(tmp_path: Path) -> None:
    dataset(tmp_path / "one")
    dataset(tmp_path / "two")
    one, two = load(tmp_path / "one", "long", "train"), load(tmp_path / "two", "long", "train")
    assert one.digest == two.digest
    assert one.digest != load(tmp_path / "one", "long", "val").digest


def test_domains_are_the_two_there_are_unless_named(tmp_path: Path) -> None:
    dataset(tmp_path)
    assert resolve_domains(tmp_path, DataConfig()) == {"a": "long", "b": "short"}
    assert resolve_domains(tmp_path, DataConfig(domains={"a": "short", "b": "long"})) == {"a": "short", "b": "long"}
    with pytest.raises(UsageError, match="must name a and b"):
        resolve_domains(tmp_path, DataConfig(domains={"a": "long"}))


def test_a_domain_with_a_typo_names_the_nearest(tmp_path: Path) -> None:
    dataset(tmp_path)
    with pytest.raises(UsageError, match="no domain 'lomg'; did you mean 'long'"):
        load(tmp_path, "lomg", "train")


def test_a_split_without_images_is_empty(tmp_path: Path) -> None:
    dataset(tmp_path, val=0)
    assert len(load(tmp_path, "long", "val")) == 0


def test_crops_that_are_missing_broken_or_of_other_sizes_are_named(tmp_path: Path) -> None:
    dataset(tmp_path)
    crop = tmp_path / "processed/crops/long-001.png"
    crop.write_bytes(codec.encode_png(drawn(0, 1, side=40)))
    with pytest.raises(UsageError, match=r"long-001\.png: 40x40 px, others are 48x48"):
        load(tmp_path, "long", "train")
    crop.write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(CurateError, match=r"long-001\.png: unreadable"):
        load(tmp_path, "long", "train")
    crop.unlink()
    with pytest.raises(CurateError, match=r"long-001\.png: missing"):
        load(tmp_path, "long", "train")
