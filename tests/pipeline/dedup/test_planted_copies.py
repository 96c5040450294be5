"""The demo's planted copies: precision and recall of dedup as it is set, on whole pictures and on aligned crops."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.pipeline.core.parallel import Engine
from curate.pipeline.dedup import stage as dedup
from curate.pipeline.dedup.config import Dedup
from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.truth import Change, change
from curate.pipeline.demo.world import DrawnWorld
from curate.pipeline.faces import alignment
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging import codec
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.tables import manifest
from tests.pipeline.dedup.test_stage import crop_row

PORTRAITS = 7  # per hair length
QUALITY = {"recompress": 34}  # JPEG, as the demo plants it; 88 for the other copies


def originals() -> list[RGB]:
    world = DrawnWorld(Demo(seed=11, portraits=PORTRAITS, anime=0, icons=0, garments=0))
    sound = (p for p in world.pictures.values() if p.truth.copy is None and p.truth.fault is None)
    return [codec.decode(world.encoded(p)) for p in sound if p.truth.kind == "portrait"]


def copied(picture: RGB, how: Change) -> RGB:
    return codec.decode(codec.encode_jpeg(change(picture, how), QUALITY.get(how, 88)))


def scores(root: Path, pictures: dict[str, RGB]) -> tuple[float, float]:
    """Precision and recall of dedup on `pictures`, called KIND-NUMBER; those of one number are copies."""
    rows = [crop_row(root, name, rgb) for name, rgb in pictures.items()]
    manifest.write(manifest.CROPS, manifest.from_rows(manifest.CROPS, rows), root)
    dedup.run(Dedup(), root, engine=Engine(kind="inline"))
    data = manifest.read(manifest.DEDUP, root)
    refused = [(a, b) for a, b in zip(data["crop_id"].to_pylist(), data["duplicate_of"].to_pylist(), strict=True) if b]
    right = sum(a.split("-")[1] == b.split("-")[1] for a, b in refused)
    planted = sum(name.startswith("copy-") and name.replace("copy", "original") in pictures for name in pictures)
    assert planted > 0.9 * len(pictures) / 2
    return right / len(refused), right / planted


@pytest.mark.slow
def test_planted_copies_are_found_and_strangers_are_not(tmp_path: Path) -> None:
    aligner, first = alignment.Aligner(CropRules()), originals()

    def face(rgb: RGB) -> RGB | None:
        return next((cut.image for cut in aligner.cut(rgb, aligner.find(rgb)) if cut.reason == "ok"), None)

    assert len(first) >= 2 * PORTRAITS
    faces = {f"original-{n}": face(rgb) for n, rgb in enumerate(first)}
    hows: tuple[Change, ...] = ("recompress", "resize", "brightness")
    for how in hows:
        copies = {f"copy-{n}": copied(rgb, how) for n, rgb in enumerate(first)}
        whole = {f"original-{n}": rgb for n, rgb in enumerate(first)} | copies
        crops = faces | {name: face(rgb) for name, rgb in copies.items()}
        for kind, pictures in (("whole", whole), ("crops", {k: v for k, v in crops.items() if v is not None})):
            precision, recall = scores(tmp_path / how / kind, pictures)
            assert min(precision, recall) >= 0.98, (how, kind, precision, recall)
