"""Exports: what each layout's readers expect, the papers beside it, and folders that are not ours left alone."""

from __future__ import annotations

import csv
import io
import json
import tarfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.parallel import Engine
from curate.pipeline.export import stage as export
from curate.pipeline.export.config import Export
from curate.pipeline.export.layouts import LAYOUTS, OF_PAIRS
from curate.pipeline.export.stage import MARKER
from curate.pipeline.imaging import codec, shards
from curate.pipeline.pairs import stage as pairs
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.review import sort
from curate.pipeline.review.sort import SortQuery
from curate.pipeline.tables import decisions, manifest
from curate.pipeline.tables.decisions import Decision
from tests.support.tables import CROP, small_world

BOTH = ("short", "long")  # A is short
OF_CROPS = sorted(LAYOUTS.keys() - OF_PAIRS)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    small_world(tmp_path)
    build.run(Build(val=0.2, test=0.2), tmp_path)
    pairs.run(Pairs(size=32, faces=False, val=0.3, test=0.3), tmp_path, engine=Engine(kind="inline"))
    return tmp_path


def trains(root: Path, *domains: str) -> list[dict[str, Any]]:
    rows = manifest.accepted(manifest.read(manifest.DATASET, root)).to_pylist()
    return [row for row in rows if not domains or row["domain"] in domains]


def run(root: Path, to: str, out: Path | None = None, **more: Any) -> Path:
    out = out or root / "out"
    given = {key: more.pop(key) for key in ("domains", "pairs", "force") if key in more}
    export.run(to, Export(**more), root, out, **given)
    return out


def files(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def credited(out: Path) -> dict[str, dict[str, str]]:
    with (out / "ATTRIBUTION.csv").open(encoding="utf-8", newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def test_folders_are_named_as_cyclegan_reads_them(world: Path) -> None:
    out = run(world, "folders", domains=BOTH)
    found = {path: data for path, data in files(out).items() if path.endswith(".png")}
    expected = {
        f"{row['split']}{'AB'[BOTH.index(row['domain'])]}/{row['crop_id']}.png": (world / row["path"]).read_bytes()
        for row in trains(world)
    }
    assert found == expected
    assert {path.name for path in out.iterdir()} == {
        *(f"{split}{side}" for split in ("train", "val", "test") for side in "AB"),
        *("LICENSES.txt", "ATTRIBUTION.csv", MARKER),
    }


def test_pairs_in_folders_have_equal_names(world: Path) -> None:
    out = run(world, "folders", pairs=True)
    rows = manifest.accepted(manifest.read(manifest.PAIRS, world)).to_pylist()
    assert rows
    for row in rows:
        for side, kind in (("A", "article"), ("B", "human")):
            placed = out / f"{row['split']}{side}" / f"{row['pair_id']}.png"
            assert placed.read_bytes() == (world / row[f"{kind}_path"]).read_bytes()


def test_links_share_their_bytes_with_the_crops(world: Path) -> None:
    out = run(world, "folders", domains=BOTH, link=True)
    row = trains(world)[0]
    placed = next(out.rglob(f"{row['crop_id']}.png"))
    assert placed.samefile(world / row["path"])


def test_crops_in_shards_are_exported_and_shown_as_files_are(world: Path) -> None:
    loose = files(run(world, "folders", world / "loose", domains=BOTH, link=True))
    crops = manifest.read(manifest.CROPS, world).to_pylist()
    stored = [row for row in crops if row["path"]]
    places = shards.pack(
        world, "processed/crops", [(f"{row['crop_id']}.png", (world / row["path"]).read_bytes()) for row in stored]
    )
    for row, place in zip(stored, places, strict=True):
        (world / row["path"]).unlink()
        row["path"] = place
    manifest.write(manifest.CROPS, manifest.from_rows(manifest.CROPS, crops), world)
    view = sort.run(SortQuery("face_sharpness"), world)
    assert view.shown == 18
    build.run(Build(val=0.2, test=0.2), world)
    packed = files(run(world, "folders", domains=BOTH, link=True))
    pictures = {path: data for path, data in loose.items() if path.endswith(".png")}
    assert {path: data for path, data in packed.items() if path.endswith(".png")} == pictures


def test_a_webdataset_has_whole_samples_in_bounded_shards(world: Path) -> None:
    out = run(world, "webdataset", domains=BOTH, shard=4)
    samples: dict[str, dict[str, bytes]] = {}
    for shard in sorted(out.glob("*.tar")):
        with tarfile.open(shard) as tar:
            names = [member.name for member in tar]
            keys = [name.partition(".")[0] for name in names]
            assert keys == sorted(keys)  # the files of a sample stand together
            assert len(set(keys)) <= 4
            for member in tar:
                key, _, extension = member.name.partition(".")
                samples.setdefault(key, {"split": shard.name.encode()})[extension] = tar.extractfile(member).read()  # type: ignore[union-attr]
    rows = {row["crop_id"]: row for row in trains(world)}
    assert samples.keys() == rows.keys()
    for key, sample in samples.items():
        facts = json.loads(sample["json"])
        assert sample["png"] == (world / rows[key]["path"]).read_bytes()
        assert BOTH[int(sample["cls"])] == rows[key]["domain"] == facts["domain"]
        assert sample["split"].decode().startswith(f"{rows[key]['split']}-0000")
        assert facts["page_url"].startswith("http://demo.curate.test/")
    counts = Counter(row["split"] for row in rows.values())
    assert len(list(out.glob("*.tar"))) == sum(-(-count // 4) for count in counts.values())


def test_pairs_in_a_webdataset(world: Path) -> None:
    out = run(world, "webdataset", pairs=True)
    with tarfile.open(next(out.glob("*.tar"))) as tar:
        extensions = {member.name.partition(".")[2] for member in tar}
    assert extensions == {"article.png", "human.png", "json"}


def stylegan_loader(path: Path) -> tuple[list[bytes], list[int] | None, int]:
    """What StyleGAN's ImageFolderDataset makes of a zip: images by sorted name, their labels, and the resolution."""
    Image.init()
    with zipfile.ZipFile(path) as archive:
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        names = sorted(n for n in archive.namelist() if Path(n).suffix.lower() in Image.EXTENSION)
        found = [archive.read(name) for name in names]
        told = json.loads(archive.read("dataset.json"))["labels"]
    shapes = {Image.open(io.BytesIO(data)).size for data in found}
    assert len(shapes) == 1
    (width, height) = shapes.pop()
    assert width == height
    assert width & (width - 1) == 0
    assert names == [f"{n // 1000:05}/img{n:08}.png" for n in range(len(names))]
    return found, [dict(told)[name] for name in names] if told is not None else None, width


def test_a_stylegan_zip_is_what_its_loader_wants(world: Path) -> None:
    out = run(world, "stylegan-zip", domains=BOTH)
    rows = [row for row in trains(world) if row["split"] == "train"]
    found, labels, side = stylegan_loader(out / "train.zip")
    assert side == CROP
    assert found == [(world / row["path"]).read_bytes() for row in rows]
    assert labels == [BOTH.index(row["domain"]) for row in rows]
    _, labels, side = stylegan_loader(
        run(world, "stylegan-zip", world / "one", domains=("long",), size=32) / "train.zip"
    )
    assert (labels, side) == (None, 32)


def test_stylegan_wants_single_pictures_of_a_power_of_two(world: Path) -> None:
    with pytest.raises(UsageError, match="not pairs"):
        run(world, "stylegan-zip", pairs=True)
    with pytest.raises(UsageError, match="power of two"):
        run(world, "stylegan-zip", size=48)
    row = trains(world)[0]
    odd = world / row["path"]
    odd.write_bytes(codec.encode_png(codec.decode(odd.read_bytes())[:60, :60]))
    with pytest.raises(UsageError, match="60x60 px"):
        run(world, "stylegan-zip")
    assert not (world / "out" / f"{row['split']}.zip").exists()


def test_a_hugging_face_folder_has_a_card_and_metadata(world: Path) -> None:
    out = run(world, "huggingface", domains=BOTH)
    rows = {row["crop_id"]: row for row in trains(world)}
    names = {"train": "train", "val": "validation", "test": "test"}
    seen = {}
    for split, name in names.items():
        lines = [json.loads(line) for line in (out / name / "metadata.jsonl").read_text("utf-8").splitlines()]
        for line in lines:
            assert (out / name / line["file_name"]).read_bytes() == (world / rows[line["id"]]["path"]).read_bytes()
            seen[line["id"]] = split
    assert seen == {key: row["split"] for key, row in rows.items()}
    _, head, body = (out / "README.md").read_text("utf-8").split("---\n")
    card = yaml.safe_load(head)
    assert card["license"] == "other"  # the world's "cc0" has no version: the Hub knows no such licence
    assert [entry["split"] for entry in card["configs"][0]["data_files"]] == list(names.values())
    assert "short, long" in body


def test_each_row_of_each_split_has_the_same_columns(world: Path) -> None:
    """`datasets` infers the types of each split by itself, and refuses splits that differ."""
    rows = manifest.read(manifest.IMAGES, world).to_pylist()
    train = {row["source_path"] for row in trains(world) if row["split"] == "train"}
    for row in rows:
        row["creator"] = "ann" if row["path"] in train else None
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), world)
    rows = manifest.read(manifest.DATASET, world).to_pylist()
    for row in rows:
        row["landmarks"] = row["landmarks"] if row["split"] == "train" else None
    manifest.write(manifest.DATASET, manifest.from_rows(manifest.DATASET, rows), world)
    out = run(world, "huggingface", domains=BOTH)
    lines = [json.loads(line) for p in out.rglob("metadata.jsonl") for line in p.read_text("utf-8").splitlines()]
    assert len({tuple((name, type(value)) for name, value in line.items()) for line in lines}) == 1
    assert {line["creator"] for line in lines} == {"ann", ""}


def test_pairs_on_the_hub_have_two_pictures_a_row(world: Path) -> None:
    out = run(world, "huggingface", pairs=True)
    found = [(p, json.loads(line)) for p in out.rglob("metadata.jsonl") for line in p.read_text().splitlines()]
    assert len(found) == manifest.accepted(manifest.read(manifest.PAIRS, world)).num_rows
    assert all((p.parent / row[f"{kind}_file_name"]).is_file() for p, row in found for kind in ("article", "human"))


@pytest.mark.parametrize("to", OF_CROPS)
def test_every_layout_names_makers_and_licences(world: Path, to: str) -> None:
    out = run(world, to, domains=BOTH)
    rows = trains(world)
    found = credited(out)
    assert found.keys() == {row["source_path"] for row in rows}
    for row in rows:
        credit = found[row["source_path"]]
        assert credit["license"] == "cc0"
        assert credit["page_url"]
        if to in {"folders", "huggingface"}:
            assert (out / credit["used"]).is_file()
        else:
            assert (out / credit["used"].split("/")[0]).is_file()
    text = (out / "LICENSES.txt").read_text("utf-8")
    assert f"{len(rows)} photos" in text
    assert "cc0" in text


@pytest.mark.parametrize("to", OF_CROPS)
def test_what_a_decision_rejects_is_not_exported(world: Path, to: str) -> None:
    gone = trains(world)[0]
    decisions.append(world, [Decision(item=gone["crop_id"], decision="reject", by="ann")])
    build.run(Build(val=0.2, test=0.2), world)
    out = run(world, to, domains=BOTH)
    assert gone["source_path"] not in credited(out)
    assert not [path for path in files(out) if gone["crop_id"] in path]


@pytest.mark.parametrize("to", OF_CROPS)
def test_an_interrupted_export_goes_on_to_the_same_end(world: Path, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = files(run(world, to, world / "whole", domains=BOTH, shard=3))
    png, left = export.export_set.ExportSet.png, [10]

    def failing(self: Any, path: str) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return png(self, path)

    monkeypatch.setattr(export.export_set.ExportSet, "png", failing)
    with pytest.raises(KeyboardInterrupt):
        run(world, to, domains=BOTH, shard=3)
    assert not (world / "out" / "ATTRIBUTION.csv").exists()
    left[0] = 1000
    out = run(world, to, domains=BOTH, shard=3)
    assert files(out) == whole
    if to != "stylegan-zip":
        assert left[0] > 1000 - 18, "what was there is not made again"


def test_other_rows_take_the_place_of_the_old_export_and_of_nothing_else(world: Path) -> None:
    out = run(world, "folders", domains=BOTH)
    (out / "notes.txt").write_text("mine", "utf-8")
    gone = trains(world)[0]
    decisions.append(world, [Decision(item=gone["crop_id"], decision="reject", by="ann")])
    build.run(Build(val=0.2, test=0.2), world)
    run(world, "folders", domains=BOTH)
    assert not list(out.rglob(f"{gone['crop_id']}.png"))
    run(world, "webdataset", domains=BOTH)
    assert {p.suffix for p in out.iterdir() if p.name != MARKER} == {".tar", ".txt", ".csv"}
    assert (out / "notes.txt").read_text("utf-8") == "mine"


@pytest.mark.parametrize("mine", ["train/B/notes.png", "ATTRIBUTION.csv"])
def test_what_a_person_put_into_an_export_is_not_deleted(world: Path, mine: str) -> None:
    out = run(world, "folders", domains=("long", "short"))
    run(world, "folders", domains=("long", "short"))  # the same again, over what it wrote itself
    time.sleep(0.02)  # as long as a clock tick of a file system
    place = next(out.glob("train*")) / "notes.png" if mine.endswith("png") else out / mine
    place.write_text("mine")
    with pytest.raises(UsageError, match="was put here, or changed") as told:
        run(world, "folders", domains=("short", "long"))
    assert "--force" in told.value.hint
    assert place.read_text() == "mine"
    run(world, "folders", domains=("short", "long"), force=True)
    assert not place.exists() or place.read_text() != "mine"


def test_a_folder_that_is_not_ours_is_refused_and_left_alone(world: Path) -> None:
    out = world / "out"
    (out / "trainA").mkdir(parents=True)
    (out / "trainA" / "mine.png").write_bytes(b"mine")
    with pytest.raises(UsageError, match="not empty"):
        run(world, "folders", domains=BOTH)
    (out / MARKER).write_text('{"digest": 1, "files": 2}', "utf-8")
    with pytest.raises(UsageError, match="not empty"):
        run(world, "folders", domains=BOTH)
    assert files(out)["trainA/mine.png"] == b"mine"


@pytest.mark.parametrize("name", ["../precious", "..", ".", "", "/precious", "trainA/../../precious"])
def test_a_marker_cannot_reach_out_of_its_folder(name: str, world: Path) -> None:
    out, precious = world / "out", world / "precious"
    for folder in (out, precious):
        folder.mkdir()
    (out / MARKER).write_text(json.dumps({"digest": "old", "files": ["trainA", name]}), "utf-8")
    with pytest.raises(UsageError, match="not empty"):
        run(world, "folders", domains=BOTH)
    assert precious.is_dir()
    assert out.is_dir()


def test_what_cannot_be_exported_is_told(world: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'folders'"):
        run(world, "folder")
    with pytest.raises(UsageError, match="did you mean 'long'"):
        run(world, "folders", domains=("lang",))
    with pytest.raises(UsageError, match="A and B are two domains"):
        run(world, "folders", domains=("long",))
    assert not (world / "out").exists()
    (world / trains(world)[0]["path"]).unlink()
    with pytest.raises(CurateError, match="No such file"):
        run(world, "folders", domains=BOTH)


@pytest.mark.parametrize("to", LAYOUTS)
def test_a_damaged_picture_is_told_and_not_exported(world: Path, to: str) -> None:
    table = manifest.PAIRS if to in OF_PAIRS else manifest.DATASET
    row = manifest.accepted(manifest.read(table, world)).to_pylist()[0]
    path = world / row["human_path" if to in OF_PAIRS else "path"]
    flipped = bytearray(path.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(CurateError, match=rf"{path.name}: unreadable: decode_failed") as told:
        run(world, to, domains=() if to in OF_PAIRS else BOTH)
    assert "make it again: curate" in (told.value.hint or "")


def test_nothing_that_trains_is_told(tmp_path: Path) -> None:
    manifest.write(manifest.DATASET, manifest.empty(manifest.DATASET), tmp_path)
    with pytest.raises(UsageError, match="nothing in it trains"):
        run(tmp_path, "webdataset")
