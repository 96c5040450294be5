"""What a person may get wrong, and what the disk may: one clear line, the right exit code, nothing lost."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate.pipeline.imaging import codec
from curate.pipeline.tables import manifest
from tests.support.command import curate


def one_photo(root: Path) -> None:
    """A root with one accepted image, without a face."""
    (root / "photos").mkdir()
    (root / "photos" / "grey.jpg").write_bytes(codec.encode_jpeg(np.full((300, 300, 3), 128, np.uint8)))
    curate("scrape", "--source", "folder", "--input", root / "photos", "--domain", "x", "--root", root)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("crop: {sise: 128}", "crop.sise: there is no such key; did you mean 'size'?"),
        ("crop: {size: big}", "crop.size: 'big': expected `int`"),
        ("crop: {size: 8}", "crop.size: 8: expected `int` >= 32"),
        ("cropp: {}", "there is no section 'cropp'; did you mean 'crop'?"),
        ("crop: [", "line 2: not valid YAML"),
        ("crop: {detector: harr}", "there is no detector 'harr'; did you mean 'haar'?"),
    ],
)
def test_a_wrong_params_yaml(text: str, said: str, tmp_path: Path) -> None:
    one_photo(tmp_path)
    (tmp_path / "params.yaml").write_text(text + "\n", "utf-8")
    assert said in curate("crop", "--root", tmp_path, code=2).stderr


def test_a_detector_with_a_typo(tmp_path: Path) -> None:
    one_photo(tmp_path)
    said = curate("crop", "--detector", "anme", "--root", tmp_path, code=2).stderr
    assert "did you mean 'anime'?" in said


def test_a_missing_table_names_the_command_that_makes_it(tmp_path: Path) -> None:
    said = curate("crop", "--root", tmp_path, code=2).stderr
    assert "images.parquet: not there yet" in said
    assert "curate scrape" in said


def test_a_broken_table(tmp_path: Path) -> None:
    path = manifest.IMAGES.path(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 no more")
    assert "not a Parquet file" in curate("crop", "--root", tmp_path, code=2).stderr
    assert path.read_bytes() == b"PAR1 no more"


def test_a_table_of_another_version(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = manifest.write(manifest.IMAGES, manifest.empty(manifest.IMAGES), tmp_path)
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"curate.version": b"99"}), path)
    assert "schema version 99" in curate("crop", "--root", tmp_path, code=2).stderr


def test_unreadable_and_oversized_images_get_a_row_and_stop_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    good = codec.encode_jpeg(np.full((300, 300, 3), 128, np.uint8))
    bomb = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(bomb, "PNG")
    contents = {"good.jpg": good, "cut.jpg": good[:900], "bomb.png": bomb.getvalue(), "page.jpg": b"<html>"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    curate("scrape", "--source", "folder", "--input", folder, "--domain", "x", "--root", tmp_path)
    rows = {row["reason"]: row["status"] for row in manifest.read(manifest.IMAGES, tmp_path).to_pylist()}
    assert rows == {"ok": "accepted", "decode_failed": "rejected", "bomb": "rejected", "not_image": "rejected"}
    curate("crop", "--root", tmp_path)
    assert manifest.read(manifest.CROPS, tmp_path)["reason"].to_pylist() == ["no_face"]


@pytest.mark.parametrize("run", ["nowhere", "photos"])
def test_a_run_folder_that_is_none(run: str, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(codec.encode_jpeg(np.full((64, 64, 3), 128, np.uint8)))
    said = curate("translate", photo, "--run", tmp_path / run, "-o", tmp_path / "out.png", code=2).stderr
    assert "not a run folder" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full to stand for a full disk")
def test_a_full_disk_is_one_line_and_keeps_the_old_table(tmp_path: Path) -> None:
    old = manifest.write(manifest.CROPS, manifest.empty(manifest.CROPS), tmp_path)
    manifest.write(manifest.DEDUP, manifest.empty(manifest.DEDUP), tmp_path)
    manifest.write(manifest.IMAGES, manifest.empty(manifest.IMAGES), tmp_path)
    before = old.read_bytes()
    if os.geteuid() == 0:
        (tmp_path / "manifests" / "dataset.parquet").mkdir()  # a superuser may write anywhere but over a folder
    else:
        (tmp_path / "manifests").chmod(0o500)
    said = curate("build", "--root", tmp_path, code=2).stderr
    assert "cannot write" in said
    assert old.read_bytes() == before
