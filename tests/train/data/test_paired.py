"""Triplets: another article than the one worn, mirrored together, a pure function of (seed, step)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from curate.pipeline.core.config import Params
from curate.pipeline.core.errors import TableError, UsageError
from curate.pipeline.tables import manifest
from curate.train.data import paired
from curate.train.data.config import DataConfig
from curate.train.data.paired import PairedBatches
from curate.train.data.transforms import to_uint8
from curate.train.runs.config import TrainConfig, read
from curate.train.trainer import run
from tests.support.training import pair_dataset

PLAIN = DataConfig(size=16, flip=0.0)


def article_of(pictures: Tensor) -> list[int]:
    """Which articles these are, by the grey in the middle."""
    side = pictures.shape[-1]
    return [(value - 4) // 8 for value in to_uint8(pictures)[:, side // 2, side // 2, 0].tolist()]


def paired_batches(root: Path, config: DataConfig = PLAIN, batch: int = 4, seed: int = 0) -> PairedBatches:
    return PairedBatches(paired.load(root, "train"), config, batch=batch, seed=seed)


def test_the_other_article_is_never_the_one_worn_and_every_other_is_as_likely(tmp_path: Path) -> None:
    pair_dataset(tmp_path, train=5, humans=2)
    counts = torch.zeros(5, 5, dtype=torch.int64)
    batches = paired_batches(tmp_path, batch=10)
    for step in range(100):
        batch = batches(step)
        people, worn, other = (article_of(batch[key]) for key in ("human", "article", "other"))
        assert people == worn
        for i, j in zip(worn, other, strict=True):
            counts[i, j] += 1
    assert counts.diagonal().sum() == 0
    off = counts[~torch.eye(5, dtype=torch.bool)].float()
    assert off.min() > 0.5 * off.mean() and off.max() < 1.6 * off.mean()


def test_an_epoch_goes_once_through_the_people(tmp_path: Path) -> None:
    pair_dataset(tmp_path, train=6)
    batches = paired_batches(tmp_path, batch=2)
    assert batches.epoch == 6
    epochs = [sorted(n for step in range(3) for n in article_of(batches(3 * e + step)["human"])) for e in range(3)]
    assert epochs == [[0, 1, 2, 3, 4, 5]] * 3
    orders = [[n for step in range(3) for n in article_of(batches(3 * e + step)["human"])] for e in range(6)]
    assert len({tuple(order) for order in orders}) > 1


def test_batches_depend_on_seed_and_step_alone(tmp_path: Path) -> None:
    pair_dataset(tmp_path)
    one, again, another = paired_batches(tmp_path), paired_batches(tmp_path), paired_batches(tmp_path, seed=1)
    one(0)
    assert all(torch.equal(one(7)[key], again(7)[key]) for key in ("human", "article", "other"))
    assert any(not torch.equal(one(s)[key], another(s)[key]) for s in range(3) for key in ("human", "other"))


def test_a_person_and_the_article_worn_are_mirrored_together_and_the_other_alone(tmp_path: Path) -> None:
    pair_dataset(tmp_path, train=4)
    found = paired.load(tmp_path, "train")
    found.humans[:, :, :24], found.articles[:, :, :24] = 0, 0  # the left half is dark; copy on write
    batches = PairedBatches(found, DataConfig(size=16, flip=0.5), batch=64, seed=0)
    batch = batches(0)
    mirrored = {key: batch[key][:, 0, 8, 0] > batch[key][:, 0, 8, -1] for key in batch}
    assert torch.equal(mirrored["human"], mirrored["article"])
    assert 10 < mirrored["human"].sum() < 54
    assert not torch.equal(mirrored["human"], mirrored["other"])


def test_with_candidates_the_other_article_is_the_one_most_unlike_in_colour(tmp_path: Path) -> None:
    pair_dataset(tmp_path, train=9)  # greys 4 to 68: eight in one bin of the histogram, the last in another
    assert paired.histograms(paired.load(tmp_path, "train").articles).argmax(1).unique().numel() == 2
    often = {}
    for candidates in (1, 8):
        batches = paired_batches(tmp_path, DataConfig(size=16, flip=0.0, candidates=candidates), batch=8)
        worn_and_other = [
            (i, j) for step in range(40) for i, j in zip(*(article_of(batches(step)[k]) for k in ("article", "other")))
        ]
        assert all(i != j for i, j in worn_and_other)
        often[candidates] = sum(j == 8 for i, j in worn_and_other if i != 8)
    assert often[8] > 2.5 * often[1]


def test_people_are_cut_at_random_and_articles_stay_whole(tmp_path: Path) -> None:
    pair_dataset(tmp_path, train=4)
    batches = paired_batches(tmp_path, DataConfig(size=16, load=24, flip=0.0), batch=4)
    whole = paired_batches(tmp_path, PLAIN, batch=4)
    places = {tuple(to_uint8(batches(step)["human"])[0, :, 8, 0].tolist()) for step in range(12)}
    assert len(places) > 6
    assert torch.equal(batches(0)["article"], whole(0)["article"])


def test_pictures_of_another_shape_are_cut_for_people_and_padded_for_articles(tmp_path: Path) -> None:
    pair_dataset(tmp_path)
    batch = paired_batches(tmp_path, DataConfig(size=32, width=24, flip=0.0))(0)
    assert {value.shape for value in batch.values()} == {(4, 3, 32, 24)}
    dark = to_uint8(batch["human"])[0, :, :, 0] < 200
    rows, columns = dark.any(1).sum().item(), dark.any(0).sum().item()
    assert abs(rows - columns) <= 1, "a square stays a square"
    assert article_of(batch["article"]) == article_of(batch["human"])


def test_only_accepted_pairs_of_the_split_count_and_each_article_once(tmp_path: Path) -> None:
    pair_dataset(tmp_path, train=4, val=2, humans=3)
    rows = manifest.read(manifest.PAIRS, tmp_path).to_pylist()
    rows[0] |= {"status": manifest.REJECTED, "reason": "duplicate"}
    manifest.write(manifest.PAIRS, manifest.from_rows(manifest.PAIRS, rows), tmp_path)
    found = paired.load(tmp_path, "train")
    assert (len(found), len(found.articles), len(paired.load(tmp_path, "val").articles)) == (11, 4, 2)
    assert found.worn.tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_held_out_has_every_person_with_every_article(tmp_path: Path) -> None:
    pair_dataset(tmp_path, train=5, humans=2)
    shown = paired.all_combinations(paired.load(tmp_path, "train"), PLAIN, 3)
    assert article_of(shown["human"]) == article_of(shown["article"]) == [0, 1, 2] * 3
    assert article_of(shown["other"]) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def tiny_modern(**flags: Any) -> TrainConfig:
    given = {"run.steps": 4, "run.batch": 2, "run.tick": 2, "run.samples": 2, "data.size": 32, "model.width": 4}
    given["model.variant"] = "modern"
    given |= {key.replace("__", "."): value for key, value in flags.items()}
    return read(Params({}, None), "cagan", given)


def test_a_run_trains_on_pairs_and_shows_the_grid(tmp_path: Path) -> None:
    from curate.pipeline.imaging import codec

    pair_dataset(tmp_path)
    result = run.run(tiny_modern(), tmp_path, tmp_path / "run")
    assert result.trained == 4
    assert result.metrics.keys() >= {"D", "G"} and result.metrics["D"].keys() == {"real", "swapped", "wrong"}
    assert 0 < result.metrics["seen"]["mask"] < 1 and 0 <= result.metrics["seen"]["painted"] <= 1
    picture = codec.decode((tmp_path / "run" / "samples" / "latest.png").read_bytes())
    assert picture.shape[:2] == (14 + 3 * 36, 5 * 36 + 8), "a heading; 2 people, 2 articles, the masks"
    again = run.run(tiny_modern(), tmp_path, tmp_path / "run")
    assert again.trained == 0


def test_the_article_is_trained_as_the_article_says() -> None:
    made = read(Params({"train": {"cagan": {"model": {"variant": "chainer"}}}}, None), "cagan").as_dict()
    assert (made["run"]["batch"], made["run"]["epochs"], made["data"]["size"], made["data"]["load"]) == (
        16,
        50,
        256,
        None,
    )
    assert (made["model"]["lr"], made["model"]["size"], made["model"]["adversarial"]) == (2e-4, 256, "bce")


@pytest.mark.parametrize(("products", "batch"), [(1, 1), (4, 5)])
def test_too_few_pairs_are_refused(tmp_path: Path, products: int, batch: int) -> None:
    pair_dataset(tmp_path, train=products)
    with pytest.raises(UsageError, match=f"{products} pairs with {products} different articles"):
        run.prepare(tiny_modern(run__batch=batch), tmp_path)


def test_without_pairs_the_command_that_makes_them_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="curate pairs"):
        run.prepare(tiny_modern(), tmp_path)
