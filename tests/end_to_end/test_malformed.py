"""Five hundred broken, odd and huge images go through every stage: nothing crashes, and each has its reason."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.tables import manifest
from tests.support import malformed_images
from tests.support.command import curate
from tests.support.tables import image_row

# What scrape may say of a file, by the first word of its name; of what was damaged at random, these and "ok".
SAID = {
    "bitmap": {"ok", "decode_failed"},
    "bomb": {"decode_failed", "bomb"},
    "cut": {"decode_failed", "not_image"},
    "empty": {"not_image"},
    "flipped": {"ok", "decode_failed", "not_image", "unsupported", "bomb", "animated"},
    "holed": {"ok", "decode_failed", "not_image", "unsupported", "bomb", "animated"},
    "huge": {"bomb"},
    "large": {"ok"},
    "magic": {"decode_failed", "unsupported", "bomb"},
    "metadata": {"ok"},
    "mode": {"ok"},
    "moving": {"animated"},
    "other": {"unsupported"},
    "pages": {"ok"},
    "spliced": {"ok", "decode_failed", "not_image", "unsupported", "bomb", "animated"},
    "text": {"not_image"},
    "thin": {"ok"},
    "toolong": {"bomb"},
    "whole": {"ok"},
}


@pytest.fixture(scope="module")
def named() -> list[malformed_images.Named]:
    return malformed_images.make()


def rows(root: Path, table: manifest.Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manifest.read(table, root).to_pylist()
    assert all(row["reason"] in table.reasons for row in found)
    assert all((row["status"] == "accepted") == (row["reason"] == "ok") for row in found)
    return found


@pytest.mark.slow
def test_from_a_folder_each_file_gets_a_row_with_its_reason(
    tmp_path: Path, named: list[malformed_images.Named]
) -> None:
    folder, root = tmp_path / "given", tmp_path / "root"
    folder.mkdir()
    root.mkdir()
    for name, data in named:
        (folder / name).write_bytes(data)
    (root / "params.yaml").write_text("scrape: {min_side: 1}\n")
    curate("scrape", "--source", "folder", "--input", folder, "--domain", "x", "--root", root)
    found = {row["title"]: row["reason"] for row in rows(root, manifest.IMAGES)}
    assert set(found) == {Path(name).stem for name, _ in named}
    wrong = {
        title: reason for title, reason in found.items() if reason not in SAID[title.split("-")[0]] | {"duplicate"}
    }
    assert wrong == {}


@pytest.mark.slow
def test_stages_that_meet_them_unchecked_say_why(tmp_path: Path, named: list[malformed_images.Named]) -> None:
    """As if they had been let in: by an older scrape, by a disk that fails, by hand."""
    written, pairs = [], []
    for rank, (name, data) in enumerate(named):
        digest = hashlib.sha256(data).hexdigest()
        path = f"raw/images/{digest[:2]}/{digest}{Path(name).suffix}"
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
        known = {"image_id": digest, "path": path, "bytes": len(data), "title": name}
        written.append(image_row(tmp_path, None, "people", rank, **known))
        product = {"role": ("article", "human")[rank % 2], "group_id": f"g{rank // 2}"}
        if rank % 4 < 2:  # half of them, as it is the same reader
            pairs.append(image_row(tmp_path, None, "shop", rank, **known, **product))
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, written + pairs), tmp_path)
    quick = "crop: {closer_look: false, detect_side: 200, scale_factor: 1.3}\nengine: {kind: inline}\n"
    (tmp_path / "params.yaml").write_text(quick)
    for stage in ("crop", "dedup", "pairs", "build"):
        curate(stage, "--root", tmp_path)
    crops = rows(tmp_path, manifest.CROPS)
    assert {row["image_id"] for row in crops} == {row["image_id"] for row in written}
    assert sum(row["status"] == "accepted" for row in crops) > 50  # what is only odd comes through
    found = {row["reason"] for row in crops}
    assert {"ok", "no_face", "decode_failed", "bomb"} <= found
    assert "worker_died" not in found
    made = rows(tmp_path, manifest.PAIRS)
    assert {row["group_id"] for row in made} == {row["group_id"] for row in pairs}
    assert "worker_died" not in {row["reason"] for row in made}
