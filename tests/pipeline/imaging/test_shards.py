"""Crops in tar shards: the same bytes by whatever road, nothing lost when killed, and read like files everywhere."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow.compute as pc
import pytest

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.errors import CurateError
from curate.pipeline.core.progress import SILENT
from curate.pipeline.crop import stage as crop
from curate.pipeline.crop.config import Crop
from curate.pipeline.dedup import stage as dedup
from curate.pipeline.dedup.config import Dedup
from curate.pipeline.imaging import codec, shards
from curate.pipeline.scrape import forget
from curate.pipeline.stats import stage as report
from curate.pipeline.stats.config import Stats
from curate.pipeline.tables import manifest
from tests.pipeline.crop.test_stage import INLINE, POOL, Counter, opened, people, rows
from tests.support import drawn_people

__all__ = ["opened"]  # a fixture

SECTION = Crop(size=64, shard_above=4, shard_size=3)
PLAIN = Crop(size=64)
WORLD = {"long": 5, "short": 3}


def world(root: Path, long: int = WORLD["long"], short: int = WORLD["short"]) -> None:
    everybody = people(long + short)
    drawn_people.table(root, {"long": everybody[:long], "short": everybody[long:]})


def tars(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.tar")}


def pixels(root: Path) -> dict[str, bytes]:
    """Each accepted crop's bytes, read by its row's path."""
    return {row["crop_id"]: shards.read(root, row["path"]) for row in rows(root) if row["path"]}


def test_a_shard_is_a_plain_tar_of_the_crops_that_files_would_hold(tmp_path: Path) -> None:
    for name, section in (("packed", SECTION), ("plain", PLAIN)):
        world(tmp_path / name)
        crop.run(section, tmp_path / name, engine=INLINE)
    assert pixels(tmp_path / "packed") == pixels(tmp_path / "plain")
    assert not list((tmp_path / "packed/processed").rglob("*.png"))
    found = {}
    for path in (tmp_path / "packed/processed").rglob("*.tar"):
        with tarfile.open(path) as tar:
            members = tar.getmembers()
            assert 0 < len(members) <= 3 and {member.mtime for member in members} == {0}
            for member in members:
                stream = tar.extractfile(member)
                assert stream is not None
                found[member.name.removesuffix(".png")] = stream.read()
    assert found == pixels(tmp_path / "plain")


def test_any_engine_packs_the_same_bytes(tmp_path: Path) -> None:
    for name, engine in (("inline", INLINE), ("pool", POOL)):
        world(tmp_path / name)
        crop.run(SECTION, tmp_path / name, engine=engine)
    assert drawn_people.contents(tmp_path / "inline") == drawn_people.contents(tmp_path / "pool")


def test_new_images_make_new_shards_and_leave_the_old_ones_alone(tmp_path: Path, opened: type[Counter]) -> None:
    world(tmp_path)
    crop.run(SECTION, tmp_path, engine=INLINE)
    before, table = tars(tmp_path), drawn_people.contents(tmp_path)
    crop.run(SECTION, tmp_path, engine=INLINE)
    assert (drawn_people.contents(tmp_path), opened.opened) == (table, 8)
    world(tmp_path, short=4)
    crop.run(SECTION, tmp_path, engine=INLINE)
    after = tars(tmp_path)
    assert opened.opened == 9
    assert before.items() < after.items() and len(after) == len(before) + 1
    assert len(pixels(tmp_path)) == 9


def test_below_the_limit_crops_stay_files_and_above_it_all_are_packed(tmp_path: Path) -> None:
    world(tmp_path, long=4, short=0)
    crop.run(SECTION, tmp_path, engine=INLINE)
    assert not tars(tmp_path)
    before = pixels(tmp_path)
    world(tmp_path, long=4, short=1)
    crop.run(SECTION, tmp_path, engine=INLINE)
    assert not list((tmp_path / "processed").rglob("*.png"))
    assert before.items() < pixels(tmp_path).items()


class Killed(BaseException):
    """Ends a run on the spot, like a signal that cannot be caught."""


@pytest.mark.parametrize("moment", ["pack", "write", "sweep"])
def test_killed_while_packing_nothing_is_lost(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch, opened: type[Counter]
) -> None:
    for name in ("killed", "once"):
        world(tmp_path / name)
    pack, calls = shards.pack, []

    def dying(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if moment != "pack" or len(calls) > 1:
            (tmp_path / "killed/processed/crops/long/.shard.tmp.99.tmp").write_bytes(b"half")
            raise Killed
        return pack(*args, **options)

    with monkeypatch.context() as patched:
        place = {"pack": shards, "write": manifest, "sweep": crop.storage}[moment]
        patched.setattr(place, moment, dying)
        with pytest.raises(Killed):
            crop.run(SECTION, tmp_path / "killed", engine=INLINE)
    crop.run(SECTION, tmp_path / "killed", engine=INLINE)
    assert opened.opened == 8
    crop.run(SECTION, tmp_path / "once", engine=INLINE)
    assert drawn_people.contents(tmp_path / "killed") == drawn_people.contents(tmp_path / "once")


def test_a_shard_that_is_lost_is_cut_again_and_a_stray_one_swept(tmp_path: Path, opened: type[Counter]) -> None:
    world(tmp_path)
    crop.run(SECTION, tmp_path, engine=INLINE)
    before, first, crops = drawn_people.contents(tmp_path), min(tars(tmp_path)), pixels(tmp_path)
    (tmp_path / first).unlink()
    (tmp_path / "processed/crops/stray.tar").write_bytes(b"x")
    crop.run(SECTION, tmp_path, engine=INLINE)
    assert drawn_people.contents(tmp_path) == before
    assert 8 + 2 <= opened.opened <= 8 + 3
    (tmp_path / first).write_bytes((tmp_path / first).read_bytes()[:4000])
    crop.run(SECTION, tmp_path, engine=INLINE)
    assert pixels(tmp_path) == crops


def test_what_is_refused_later_stays_in_its_shard_until_most_of_it_is(tmp_path: Path) -> None:
    world(tmp_path, long=6)  # three full shards: of four refused crops, two share one
    crop.run(SECTION, tmp_path, engine=INLINE)
    before = tars(tmp_path)
    sharpest = sorted(row["sharpness"] for row in rows(tmp_path))
    for keep, same in ((8, True), (5, False)):
        section = Crop(size=64, shard_above=4, shard_size=3, min_sharpness=sharpest[-keep] - 1e-3)
        assert crop.run(section, tmp_path, engine=INLINE).accepted == keep
        assert (tars(tmp_path) == before) == same
        assert len(pixels(tmp_path)) == keep
    crop.run(SECTION, tmp_path, engine=INLINE)
    assert len(pixels(tmp_path)) == 9


def test_taking_one_out_moves_no_other(tmp_path: Path) -> None:
    paths = shards.pack(tmp_path, "a", [(f"{n}.png", bytes([n]) * (n * 300 + 1)) for n in range(1, 5)])
    tar = tmp_path / shards.file(paths[0])
    for taken, left in (("2.png", [0, 2, 3]), ("4.png", [0, 2]), ("3.png", [0])):
        assert shards.remove(tmp_path, ".", {taken}) == 1
        assert b"\x02" * 99 not in tar.read_bytes()
        for n, path in enumerate(paths):
            if n in left:
                assert shards.read(tmp_path, path) == bytes([n + 1]) * ((n + 1) * 300 + 1)
                assert shards.stands(tmp_path, path)
            else:
                with pytest.raises(FileNotFoundError, match="not in this shard any more"):
                    shards.read(tmp_path, path)
        for mode in ("r:", "r|"):  # by seeking, and as a stream
            with tarfile.open(tar, mode) as found:
                assert found.getnames() == [f"{n + 1}.png" for n in left]
    assert shards.remove(tmp_path, ".", {"1.png"}) == 1
    tar.write_bytes(b"no tar" * 100)
    with pytest.raises(CurateError, match="not a whole shard"):
        shards.remove(tmp_path, ".", {"1.png"})


def test_downstream_makes_no_difference(tmp_path: Path) -> None:
    for name, section in (("packed", SECTION), ("plain", PLAIN)):
        root = tmp_path / name
        world(root)
        crop.run(section, root, engine=INLINE)
        dedup.run(Dedup(), root, engine=INLINE)
        build.run(Build(), root)
        report.run(Stats(), root)
    packed, plain = (tmp_path / name for name in ("packed", "plain"))
    assert manifest.read(manifest.DEDUP, packed) == manifest.read(manifest.DEDUP, plain)
    both = [manifest.read(manifest.DATASET, root) for root in (packed, plain)]
    assert both[0].drop(["path"]) == both[1].drop(["path"])
    sheets = [len(list((root / "processed/report/thumbs").iterdir())) for root in (packed, plain)]
    assert sheets[0] == sheets[1] > 0


def test_training_reads_shards(tmp_path: Path) -> None:
    cache = pytest.importorskip("curate.train.data.cache")
    world(tmp_path)
    crop.run(SECTION, tmp_path, engine=INLINE)
    chosen = [(row["crop_id"], row["path"]) for row in rows(tmp_path)]
    tensor, _ = cache.load_decoded(tmp_path, "long\ntrain", chosen, "curate crop", SILENT)
    for (crop_id, _), picture in zip(chosen, tensor, strict=True):
        assert (codec.decode(pixels(tmp_path)[crop_id]) == picture.numpy()).all()
    (tmp_path / shards.file(chosen[0][1])).unlink()
    with pytest.raises(CurateError, match="missing"):
        cache.load_decoded(tmp_path, "long\ntrain", chosen, "curate crop", SILENT)


def test_what_is_forgotten_leaves_its_shard(tmp_path: Path) -> None:
    world(tmp_path)
    crop.run(SECTION, tmp_path, engine=INLINE)
    row = rows(tmp_path)[3]
    data = shards.read(tmp_path, row["path"])
    assert any(data in tar for tar in tars(tmp_path).values())
    others = pixels(tmp_path).keys() - {row["crop_id"]}
    assert forget.run(row["image_id"], tmp_path).rows["crops"] == 1
    assert not any(data in tar for tar in tars(tmp_path).values())
    assert pixels(tmp_path).keys() == others


@pytest.mark.parametrize("size", [-512, -1024, -(2**62), 2**40])
def test_a_shard_that_lies_about_a_member_is_one_line_and_no_endless_loop(tmp_path: Path, size: int) -> None:
    world(tmp_path)
    crop.run(SECTION, tmp_path, engine=INLINE)
    shard = tmp_path / shards.file(rows(tmp_path)[3]["path"])
    member = tarfile.TarInfo("x.png")
    member.size = size
    shard.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + shard.read_bytes()[512:])
    before = tars(tmp_path)
    with pytest.raises(CurateError, match=rf"{shard.name}: not a whole shard: a member of {size} bytes"):
        forget.run(rows(tmp_path)[3]["image_id"], tmp_path)
    assert tars(tmp_path) == before


def test_an_image_that_left_the_table_leaves_the_shards(tmp_path: Path) -> None:
    world(tmp_path)
    crop.run(SECTION, tmp_path, engine=INLINE)
    lost = rows(tmp_path)[2]
    data = shards.read(tmp_path, lost["path"])
    table = manifest.read(manifest.IMAGES, tmp_path)
    table = table.filter(pc.not_equal(table["image_id"], lost["image_id"]))
    manifest.write(manifest.IMAGES, table, tmp_path)
    crop.run(SECTION, tmp_path, engine=INLINE)
    assert len(pixels(tmp_path)) == 7
    assert not any(data in tar for tar in tars(tmp_path).values())


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_raw_images_may_lie_on_object_storage(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here", "there"):
        world(tmp_path / name, long=2, short=1)
    raw = tmp_path / "there/raw"
    address = f"file://{tmp_path}/bucket" if kind == "file" else "memory://bucket/raw"
    files, top = fsspec.url_to_fs(address)
    first, *others = sorted(path for path in raw.rglob("*") if path.is_file())
    for path in others:  # the first stays: what is here is not asked for there
        target = f"{top}/{path.relative_to(raw).as_posix()}"
        files.makedirs(target.rpartition("/")[0], exist_ok=True)
        files.pipe_file(target, path.read_bytes())
        path.unlink()
    monkeypatch.setenv("CURATE_RAW", address)
    for name in ("here", "there"):
        crop.run(SECTION, tmp_path / name, engine=INLINE)
    assert drawn_people.contents(tmp_path / "here") == drawn_people.contents(tmp_path / "there")
    assert first.is_file()
    files.rm(top, recursive=True)
    with pytest.raises(FileNotFoundError):
        shards.read(tmp_path / "there", rows(tmp_path / "there")[0]["source_path"].replace(first.name, "other"))


def test_a_stored_picture_is_loaded_or_the_command_that_made_it_is_named(tmp_path: Path) -> None:
    picture = np.full((4, 6, 3), 7, np.uint8)
    [path] = shards.pack(tmp_path, "processed/crops", [("a.png", codec.encode_png(picture))])
    assert (shards.load_picture(tmp_path, path, "curate crop") == picture).all()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for name, hint in (("gone.png", "make it again: curate crop"), ("broken.png", "delete it and make it again")):
        with pytest.raises(CurateError, match=name) as caught:
            shards.load_picture(tmp_path, name, "curate crop")
        assert caught.value.hint.startswith(hint)
