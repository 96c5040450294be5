"""What lies in the wrong domain: it is found, shown, moved by a decision that build honours, and moved back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.errors import TableError, UsageError
from curate.pipeline.imaging import codec
from curate.pipeline.review import crop_features, select, suspect_decisions, suspects
from curate.pipeline.review.config import Select
from curate.pipeline.review.crop_features import CropPicture, PixelColours
from curate.pipeline.tables import decisions, manifest
from curate.pipeline.tables.suspects_table import SUSPECTS
from tests.support.tables import crop_row, dedup_row, image_row, png


class Colours:
    """Sees the mean colour alone, and counts how many crops it was shown."""

    name, digest = "colours", "1"

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, crops: Sequence[CropPicture]) -> np.ndarray:  # type: ignore[type-arg]
        self.seen += len(crops)
        return np.stack([crop.rgb.reshape(-1, 3).mean(0) for crop in crops]).astype(np.float32)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Crops of two domains, of which "red" has red ones and "blue" blue ones, but for the first of each."""
    images, crops, dedup = [], [], []
    for domain, colour in (("red", (220, 40, 30)), ("blue", (30, 60, 220))):
        for i in range(12):
            image = image_row(tmp_path, png(100 * len(domain) + i, 32, 32), domain, i)
            row = crop_row(tmp_path, image)
            shown = colour if i else colour[::-1]
            rng = np.random.default_rng(i)
            picture = np.clip(np.array(shown) + rng.normal(scale=18, size=(64, 64, 3)) + rng.normal(scale=9), 0, 255)
            (tmp_path / row["path"]).write_bytes(codec.encode_png(picture.astype(np.uint8)))
            images.append(image)
            crops.append(row)
            dedup.append(dedup_row(row))
    for table, rows in ((manifest.IMAGES, images), (manifest.CROPS, crops), (manifest.DEDUP, dedup)):
        manifest.write(table, manifest.from_rows(table, rows), tmp_path)
    return tmp_path


def misplaced(root: Path) -> set[str]:
    """The crop_ids of the first of each domain."""
    ranks = {row["image_id"]: row["rank"] for row in manifest.read(manifest.IMAGES, root).to_pylist()}
    crops = manifest.read(manifest.CROPS, root).to_pylist()
    return {row["crop_id"] for row in crops if ranks[row["image_id"]] == 0}


def trained(root: Path) -> dict[str, str]:
    """The domain of each crop that trains."""
    build.run(Build(), root)
    rows = manifest.accepted(manifest.read(manifest.DATASET, root)).to_pylist()
    return {row["crop_id"]: row["domain"] for row in rows}


def test_those_in_the_wrong_domain_head_list_sheet_and_table(world: Path) -> None:
    before = (world / "manifests/crops.parquet").read_bytes()
    found = suspects.run(Colours(), world)
    assert {one.crop_id for one in found.first[:2]} == misplaced(world)
    assert found.doubtful == found.files.shown == 2
    assert found.files.rows == found.crops == 24
    soup = BeautifulSoup((world / found.files.page).read_text("utf-8"), "lxml")
    first = soup.select(".shown > li")[0]
    assert "red → blue" in first.get_text() or "blue → red" in first.get_text()
    assert len(first.select(".beside img")) == 3
    rows = {row["crop_id"]: row for row in manifest.read(SUSPECTS, world).to_pylist()}
    assert {name for name, row in rows.items() if row["rank"] in (1, 2)} == misplaced(world)
    assert (world / "manifests/crops.parquet").read_bytes() == before
    assert not (world / decisions.FILE).exists()


def test_only_new_crops_are_looked_at_again(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Colours):
        def __call__(self, crops: Sequence[CropPicture]) -> np.ndarray:  # type: ignore[type-arg]
            if self.seen == 16:
                raise KeyboardInterrupt
            return super().__call__(crops)

    net = Colours()
    monkeypatch.setattr(crop_features, "_TOGETHER", 8)
    with pytest.raises(KeyboardInterrupt):
        suspects.run(Interrupted(), world)
    first = suspects.run(net, world)
    assert net.seen == 8
    table = SUSPECTS.path(world).read_bytes()
    assert suspects.run(net, world) == first
    assert net.seen == 8
    assert SUSPECTS.path(world).read_bytes() == table


def test_moved_ones_train_in_the_other_domain_until_it_is_undone(world: Path) -> None:
    suspects.run(Colours(), world)
    before, wrong = trained(world), misplaced(world)
    assert suspect_decisions.decide(world, {"move": "1-2"}) == {"move": 2}
    after = trained(world)
    assert {name for name in before if before[name] != after[name]} == wrong
    again = suspects.run(Colours(), world)
    assert again.doubtful == 0
    assert again.files.rows == 22  # those that a person has decided on are not asked about again
    domains = {row["crop_id"]: row["domain"] for row in manifest.read(SUSPECTS, world).to_pylist()}
    assert all(domains[name] == after[name] for name in wrong)
    chosen = select.run(Select(keep=100), world)
    assert {one.domain: one.candidates for one in chosen} == {"red": 12, "blue": 12}
    assert suspect_decisions.undo(world) == 2
    assert trained(world) == before


def test_rejected_ones_do_not_train_and_kept_ones_do(world: Path) -> None:
    found = suspects.run(Colours(), world)
    names = [one.crop_id for one in found.first]
    done = suspect_decisions.decide(world, {"reject": f"1, {names[2][:12]}", "keep": "2"})
    assert done == {"reject": 2, "keep": 1}
    left = trained(world)
    assert names[0] not in left
    assert names[2] not in left
    assert left[names[1]] == found.first[1].domain
    assert suspects.run(Colours(), world).files.rows == 21
    rows = {row["crop_id"]: row for row in manifest.read(manifest.DATASET, world).to_pylist()}
    assert rows[names[0]]["reason"] == "review"


@pytest.mark.parametrize(
    ("wishes", "to", "told"),
    [
        ({"move": "25"}, None, "the list goes from 1 to 24"),
        ({"move": "3-1"}, None, "the list goes from 1 to 24"),
        ({"move": "zebra"}, None, "'zebra' is no number on the list"),
        ({"move": ","}, None, "names nothing"),
        ({"move": "1", "keep": "1-3"}, None, "named by another option"),
        ({"move": "1"}, "rde", "no domain 'rde'.*red"),
    ],
)
def test_what_is_not_on_the_list_is_refused_and_nothing_decided(
    world: Path, wishes: dict[suspect_decisions.What, str], to: str | None, told: str
) -> None:
    suspects.run(Colours(), world)
    with pytest.raises(UsageError, match=told):
        suspect_decisions.decide(world, wishes, to)
    assert not (world / decisions.FILE).exists()


def test_where_it_is_already_nothing_is_moved(world: Path) -> None:
    first = suspects.run(Colours(), world).first[0]
    with pytest.raises(UsageError, match="already"):
        suspect_decisions.decide(world, {"move": "1"}, first.domain)


def test_without_a_list_or_a_second_domain_it_says_what_to_do(world: Path) -> None:
    with pytest.raises(TableError) as raised:
        suspect_decisions.decide(world, {"move": "1"})
    assert "curate suspects" in raised.value.hint
    with pytest.raises(UsageError, match="red 12"):
        suspects.run(Colours(), world, domains=["red"])


def test_pixels_stand_in_where_there_is_no_net(world: Path) -> None:
    found = suspects.run(PixelColours(), world)
    assert {one.crop_id for one in found.first[:2]} == misplaced(world)


def test_a_crop_that_the_net_can_say_nothing_of_is_counted(world: Path) -> None:
    class Half(Colours):
        def __call__(self, crops: Sequence[CropPicture]) -> np.ndarray:  # type: ignore[type-arg]
            rows = super().__call__(crops)
            if self.seen <= 16:
                rows[0] = np.nan
            return rows

    found = suspects.run(Half(), world)
    assert (found.unjudged, found.crops) == (1, 23)
    assert "1 without landmarks" in suspects.text(found)
