"""Small data for the training tests: a dataset of drawn crops, and configs that train in moments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from curate.pipeline.core.config import Params
from curate.pipeline.imaging import codec
from curate.pipeline.tables import manifest
from curate.train.engine.contract import Update
from curate.train.runs.config import TrainConfig, read

TINY = {
    "data": {"size": 32, "load": 36},
    "model": {"width": 4, "discriminator_width": 4, "blocks": 1, "discriminator_layers": 2, "pool": 3},
}


def drawn(kind: int, number: int, side: int = 48) -> codec.RGB:
    """A face of a sort: `kind` 0 has dark sides down to the bottom, `kind` 1 only at the top."""
    rng = np.random.default_rng((kind, number))
    picture = np.full((side, side, 3), rng.integers(150, 250, 3), np.uint8)
    colour = rng.integers(0, 90, 3)
    end = side if kind == 0 else side // 3
    picture[4:end, side // 8 : side // 4] = colour
    picture[4:end, -side // 4 : -side // 8] = colour
    picture[side // 4 : 3 * side // 4, side // 3 : 2 * side // 3] = rng.integers(170, 230, 3)
    return picture


def dataset(root: Path, *, train: int = 6, val: int = 2, test: int = 2, side: int = 48) -> None:
    """Writes photos and crops of the domains "long" and "short" and manifests/dataset.parquet below `root`."""
    rows: list[dict[str, Any]] = []
    for kind, domain in enumerate(("long", "short")):
        splits = ["train"] * (train + kind) + ["val"] * val + ["test"] * test
        for number, split in enumerate(splits):
            crop_id = f"{domain}-{number:03}"
            path = f"processed/crops/{crop_id}.png"
            photo = f"raw/images/{crop_id}.png"
            for target in (root / path, root / photo):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(codec.encode_png(drawn(kind, number, side)))
            rows.append(
                {
                    "crop_id": crop_id,
                    "path": path,
                    "source_path": photo,
                    "domain": domain,
                    "split": split,
                    "cluster_id": crop_id,
                    "license": "cc0",
                    "status": manifest.ACCEPTED,
                    "reason": manifest.OK,
                }
            )
    manifest.write(manifest.DATASET, manifest.from_rows(manifest.DATASET, rows), root)


def tiny(**flags: Any) -> TrainConfig:
    """The config of a CycleGAN that takes milliseconds a step; `flags` with two underscores for the dot."""
    given = {"run.steps": 6, "run.tick": 2, "run.sample_every": 4, "run.checkpoint_every": 2, "run.samples": 2}
    given |= {"run.features": "standin"}  # not what this machine may have beside it
    given |= {key.replace("__", "."): value for key, value in flags.items()}
    return read(Params({"train": {"cyclegan": TINY}}, None), "cyclegan", given)


def tiny_cagan(**flags: Any) -> TrainConfig:
    """The config of a CAGAN that takes milliseconds a step."""
    given = {"run.steps": 2, "run.tick": 1, "run.batch": 2, "run.samples": 2, "run.device": "cpu"}
    given |= {"run.features": "standin"}
    given |= {key.replace("__", "."): value for key, value in flags.items()}
    section = {"data": {"size": 32}, "model": {"variant": "modern", "width": 2}}
    return read(Params({"train": {"cagan": section}}, None), "cagan", given)


def whole(updates: Iterator[Update]) -> Update:
    """The next update, its parts put together."""
    losses, seen = {}, {}
    for update in updates:
        losses |= update.losses
        seen |= update.seen
        if not update.more:
            return Update(update.optimizer, losses, seen)
    raise StopIteration


def pair_dataset(root: Path, *, train: int = 6, val: int = 3, humans: int = 1, side: int = 48) -> None:
    """Writes letterboxed pairs, `humans` per product, and manifests/pairs.parquet below `root`.

    Article n is one grey, 8 n + 4; whoever wears it has its grey in the middle of white.
    """
    rows: list[dict[str, Any]] = []
    for number, split in enumerate(["train"] * train + ["val"] * val):
        for person in range(humans):
            pair_id = f"{number:03}-{person}"
            garment = np.full((side, side, 3), 8 * number + 4, np.uint8)
            worn = np.full((side, side, 3), 255, np.uint8)
            worn[side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = garment[0, 0]
            paths = {}
            for role, picture in (("article", garment), ("human", worn)):
                paths[f"{role}_image_id"] = f"{pair_id}_{role}"
                paths[f"{role}_path"] = path = f"processed/pairs/{pair_id}_{role}.png"
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(codec.encode_png(picture))
            rows.append(
                {
                    "pair_id": pair_id,
                    "group_id": f"product-{number}",
                    "domain": "garments",
                    "cluster_id": f"product-{number}",
                    "split": split,
                    "license": "cc0",
                    "status": manifest.ACCEPTED,
                    "reason": manifest.OK,
                    **paths,
                }
            )
    manifest.write(manifest.PAIRS, manifest.from_rows(manifest.PAIRS, rows), root)


class RecordedProgress:
    """Progress that keeps every note and every number that it is given."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.shown: list[dict[str, object]] = []

    def task(self, name: str, total: int | None) -> Any:
        return self

    def note(self, text: str) -> None:
        self.notes.append(text)

    def advance(self, n: int = 1, **notes: object) -> None:
        self.shown.append(notes)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None: ...
