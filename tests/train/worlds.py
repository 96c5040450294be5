"""Small worlds for the training tests: a dataset of drawn crops, and settings that train in moments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline import images, manifest
from pipeline.params import Params
from train.settings import Settings, read

TINY = {"data": {"size": 32, "load": 36}, "model": {"ngf": 4, "ndf": 4, "blocks": 1, "layers": 2, "pool": 3}}


def drawn(kind: int, number: int, side: int = 48) -> images.RGB:
    """A face of a sort: `kind` 0 has dark sides down to the bottom, `kind` 1 only at the top."""
    draws = np.random.default_rng((kind, number))
    picture = np.full((side, side, 3), draws.integers(150, 250, 3), np.uint8)
    colour = draws.integers(0, 90, 3)
    end = side if kind == 0 else side // 3
    picture[4:end, side // 8 : side // 4] = colour
    picture[4:end, -side // 4 : -side // 8] = colour
    picture[side // 4 : 3 * side // 4, side // 3 : 2 * side // 3] = draws.integers(170, 230, 3)
    return picture


def dataset(root: Path, *, train: int = 6, val: int = 2, test: int = 2, side: int = 48) -> None:
    """Writes crops of the domains "long" and "short" and manifests/dataset.parquet below `root`."""
    rows: list[dict[str, Any]] = []
    for kind, domain in enumerate(("long", "short")):
        splits = ["train"] * (train + kind) + ["val"] * val + ["test"] * test
        for number, split in enumerate(splits):
            crop_id = f"{domain}-{number:03}"
            path = f"processed/crops/{crop_id}.png"
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(images.encode_png(drawn(kind, number, side)))
            rows.append(
                {
                    "crop_id": crop_id,
                    "path": path,
                    "source_path": path,
                    "domain": domain,
                    "split": split,
                    "cluster_id": crop_id,
                    "license": "cc0",
                }
            )
    manifest.write(manifest.DATASET, manifest.from_rows(manifest.DATASET, rows), root)


def tiny(**flags: Any) -> Settings:
    """The settings of a CycleGAN that takes milliseconds a step; `flags` with two underscores for the dot."""
    given = {"run.steps": 6, "run.tick": 2, "run.sample_every": 4, "run.checkpoint_every": 2, "run.samples": 2}
    given |= {key.replace("__", "."): value for key, value in flags.items()}
    return read(Params({"train": {"cyclegan": TINY}}, None), "cyclegan", given)
