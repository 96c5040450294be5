"""What each lever of CycleGAN is worth on the drawn world, at equal cost: python -m tests.bench.levers --out FOLDER

Trains the demo's network of old (`plain`), each lever added to it, `best`, which is all of them, each lever taken out
of `best`, and what might make it better still, over several seeds, and measures held-out photos by the world's own
truth. Every run costs what `plain` costs in --steps steps: how long a step of each takes beside one of plain is
measured first, in turns, so that a machine with other work does not matter, and steps follow from that. Runs that are
done are kept in FOLDER/runs.jsonl; call it again to go on. How much sooner `best` is good than plain: measure each more
often (--marks), plain with several times the --steps.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from curate.pipeline.core.config import parse
from curate.pipeline.demo import hair
from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.measure import Change, compare
from curate.pipeline.demo.portrait import Portrait
from curate.pipeline.demo.truth import change
from curate.pipeline.demo.world import DrawnWorld
from curate.pipeline.imaging import codec, geometry, warp
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.tables import manifest
from curate.train.data import transforms, unpaired
from curate.train.data.config import DataConfig
from curate.train.data.transforms import to_float
from curate.train.data.unpaired import UnpairedBatches
from curate.train.engine.contract import Clock
from curate.train.engine.loop import LoopConfig, train
from curate.train.engine.rng import derive_seed
from curate.train.evaluation.features import extractor
from curate.train.evaluation.metrics import kid
from curate.train.recipes.cyclegan.config import CycleGANConfig
from curate.train.recipes.cyclegan.recipe import CycleGAN

BURST = 4  # steps, in which costs are compared
TURNS = 3
PLAIN: Mapping[str, Any] = {  # as the demo trained before there were masks
    "width": 32,
    "blocks": 2,
    "discriminator_width": 32,
    "upsampling": "nearest",
    "ema": 0.99,
    "face_weight": 10.0,
    "lr": 5e-4,
    "discriminator_lr": 3e-4,
    "size": 64,
    "batch": 1,
}
LEVERS: Mapping[str, Mapping[str, Any]] = {
    "masked": {"generator": "masked"},
    "small decided masks": {"mask_weight": 0.5, "mask_decided_weight": 0.5, "mask_warmup": 0.4},
    "noise before the way back": {"cycle_noise": 0.15},
    "cheap network": {"backbone": "unet", "width": 16, "blocks": 1, "discriminator_width": 24},
    "96 px": {"size": 96},
}
BEYOND: Mapping[str, Mapping[str, Any]] = {  # what others gain from
    "DiffAugment": {"augment": ["color", "translation"]},
    "a penalty between real and fake": {"r1_weight": 0.01, "r1_at": "mixed"},
    "a queue of features": {"discriminator": "batch"},
    "a queue of features, and that penalty": {"discriminator": "batch", "r1_weight": 0.01, "r1_at": "mixed"},
    "in-painting first": {"pretrain": 0.25},  # a quarter of BURST, too
    "patches of 34 px": {"discriminator_layers": 2},
    "EMA 0.999": {"ema": 0.999},
    "no identity loss": {"identity_weight": 0.0},
    "no face loss": {"face_weight": 0.0},
    "batches of 4": {"batch": 4},
}
TOGETHER: Mapping[str, Any] = {key: value for lever in LEVERS.values() for key, value in lever.items()}


def variants() -> Mapping[str, Mapping[str, Any]]:
    """What is trained, by name: plain, each lever alone, all together, all but each, and all with more."""
    alone = {f"+ {name}": {**PLAIN, **keys} for name, keys in LEVERS.items()}
    alone["+ small decided masks"] |= LEVERS["masked"]  # of which they are a choice
    without = {
        f"best - {name}": {**PLAIN, **{key: value for key, value in TOGETHER.items() if key not in keys}}
        for name, keys in LEVERS.items()
    }
    beyond = {f"best + {name}": {**PLAIN, **TOGETHER, **keys} for name, keys in BEYOND.items()}
    return {"plain": PLAIN, **alone, "best": {**PLAIN, **TOGETHER}, **without, **beyond}


@dataclass(frozen=True)
class HeldOut:
    """A held-out crop, and the same person with hair of the other length. Pictures are uint8 [H, W, 3]."""

    direction: str  # a2b: long to short
    original: RGB
    target: RGB
    below: NDArray[np.bool_]  # the px in which a change counts: those below the mouth


def prepare(root: Path) -> None:
    """Draws the world of the preset study, and cuts its portraits, unless that is done."""
    if manifest.exists(manifest.DATASET, root):
        return
    for words in (["init", "study", "--root", str(root)], ["scrape"], ["crop"], ["dedup"], ["build"]):
        where = root if root.is_dir() else None
        subprocess.run([sys.executable, "-m", "curate", *words], cwd=where, check=True)


def held_out(root: Path) -> list[HeldOut]:
    """The test crops of long and short hair."""
    section = manifest.meta(manifest.IMAGES, root)["section"]["demo"]
    known = {picture.path: picture for picture in DrawnWorld(parse(Demo, section, "demo")).pictures.values()}
    urls = {row["path"]: row["image_url"] for row in manifest.read(manifest.IMAGES, root).to_pylist()}
    crops = {row["crop_id"]: row for row in manifest.read(manifest.CROPS, root).to_pylist()}
    found = []
    for row in manifest.accepted(manifest.read(manifest.DATASET, root)).to_pylist():
        picture = known[urlsplit(urls[row["source_path"]]).path]
        look, truth = picture.look, picture.truth
        if row["split"] != "test" or not isinstance(look, Portrait) or truth.mouth is None:
            continue
        other: hair.Length = "short" if look.hair.length == "long" else "long"
        drawn = changed(look, hair=hair.sample(np.random.default_rng(look.hair.seed), other)).draw()
        original = codec.decode((root / row["path"]).read_bytes())
        affine = np.array(crops[row["crop_id"]]["affine"]).reshape(2, 3)
        target = warp.cut(
            change(drawn, truth.copy.change) if truth.copy else drawn, affine, len(original), warp.FFHQ_CLEARANCE
        )
        mouth = geometry.apply(affine, [truth.mouth])[0]
        below = np.broadcast_to(np.arange(len(original))[:, None] > mouth[1], original.shape[:2])
        found.append(HeldOut("a2b" if other == "short" else "b2a", original, target, below))
    return found


@torch.no_grad()
def translated(recipe: CycleGAN, pictures: list[HeldOut], size: int) -> list[RGB]:
    """What `recipe`, trained at `size` px, makes of each crop, laid over the crop where it has a mask."""
    results = []
    for picture in pictures:
        side, key = len(picture.original), picture.direction
        seen = transforms.resize(to_float(torch.from_numpy(picture.original)[None]), size)
        made = recipe.render({key[0]: seen})
        paint, mask = (
            cv2.resize(part[0].permute(1, 2, 0).numpy(), (side, side), interpolation=cv2.INTER_CUBIC)
            for part in (made.get(f"{key}_paint", made[key]), made.get(f"{key}_mask", torch.ones_like(seen[:, :1])))
        )
        mask = mask.clip(0, 1)[..., None]
        laid = picture.original * (1 - mask) + (paint + 1) * 127.5 * mask
        results.append(np.rint(laid).clip(0, 255).astype(np.uint8))
    return results


def score(pictures: list[HeldOut], results: list[RGB]) -> dict[str, float]:
    """Medians of share and kept, how many went half of the way, and the stand-in's KID, mean of both directions."""
    changes: list[Change] = []
    for picture, result in zip(pictures, results, strict=True):
        found = compare("", "", picture.original, picture.target, result, picture.below)
        changes += [found] if found else []
    net, kids = extractor.load(None), []
    for key, other in (("a2b", "b2a"), ("b2a", "a2b")):
        real = [picture.original for picture in pictures if picture.direction == other]
        fake = [result for picture, result in zip(pictures, results, strict=True) if picture.direction == key]
        of_real, of_fake = (
            net(transforms.resize(to_float(torch.from_numpy(np.stack(images))), 64)) for images in (real, fake)
        )
        kids.append(kid(of_real, of_fake)["kid"])
    return {
        "share": median(change.share for change in changes),
        "kept": median(change.kept for change in changes),
        "half_way": mean(change.share > 0.5 for change in changes),
        "kid": mean(kids),
    }


class Trial:
    """One variant and seed: a recipe and its batches."""

    def __init__(self, root: Path, keys: Mapping[str, Any], seed: int) -> None:
        model = {key: value for key, value in keys.items() if key not in ("size", "batch")}
        self.size: int = keys["size"]
        self.data = parse(DataConfig, {"size": self.size, "load": self.size * 11 // 10}, "data")
        self.config = parse(CycleGANConfig, model, "model")
        torch.manual_seed(derive_seed(seed, "init"))
        self.recipe, self.seed = CycleGAN(self.config), seed
        domains = [unpaired.load(root, name, "train") for name in ("long", "short")]
        faces = "face_a" in CycleGAN.keys(self.config)
        self.batches = UnpairedBatches(domains[0], domains[1], self.data, batch=keys["batch"], seed=seed, faces=faces)

    def seconds(self, steps: int) -> float:
        """CPU seconds of that many steps, from the start."""
        begun = time.process_time()
        train(self.recipe, self.batches, LoopConfig(steps, seed=self.seed, tick=steps), lambda clock, scalars: None)
        return time.process_time() - begun


def relative_cost(root: Path, keys: Mapping[str, Any]) -> float:
    """What a step costs beside one of plain: the median of turns."""
    plain, other = Trial(root, PLAIN, 0), Trial(root, keys, 0)
    turns = [(other.seconds(BURST), plain.seconds(BURST)) for _ in range(TURNS + 1)][1:]  # the first one warms up
    return median(mine / theirs for mine, theirs in turns)


def run(
    root: Path, pictures: list[HeldOut], keys: Mapping[str, Any], seed: int, steps: int, marks: int
) -> Iterator[dict[str, Any]]:
    """Trains `steps` steps, and scores `marks` times on the way: the share of the cost that is spent, and scores."""
    trial, rows, every = Trial(root, keys, seed), [], max(1, steps // marks)

    def on_tick(clock: Clock, scalars: Mapping[str, float]) -> None:
        if len(rows) < marks:
            rows.append({"spent": clock.progress, **score(pictures, translated(trial.recipe, pictures, trial.size))})

    train(trial.recipe, trial.batches, LoopConfig(steps, seed=seed, tick=every), on_tick)
    yield from rows


def table(done: list[dict[str, Any]]) -> str:
    """A line per variant: mean and spread over its seeds at the end, and when it was good for the first time."""
    lines = ["| trained | seeds | share | kept | half way | KID | good after |", "|---|---|---|---|---|---|---|"]
    for name in variants():
        runs = [row["rows"] for row in done if row["name"] == name]
        if not runs:
            continue
        cells = [
            f"{mean(values):.{digits}f} ± {stdev(values) if len(values) > 1 else 0:.{digits}f}"
            for key, digits in (("share", 2), ("kept", 1), ("half_way", 2), ("kid", 3))
            for values in [[rows[-1][key] for rows in runs]]
        ]
        firsts = [next((row["spent"] for row in rows if good(row)), None) for rows in runs]
        after = ", ".join("never" if first is None else f"{first:.0%}" for first in firsts)
        lines.append(f"| {name} | {len(runs)} | {' | '.join(cells)} | {after} |")
    return "\n".join(lines)


def good(row: Mapping[str, float]) -> bool:
    """Whether the hair has changed, and little else."""
    return row["half_way"] >= 0.9 and row["kept"] <= 6.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("levers"), help="folder for the world and the runs")
    parser.add_argument("--root", type=Path, help="a root that curate init study and its data stages have filled")
    parser.add_argument("--steps", type=int, default=400, help="of plain; the others get what costs as much")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--marks", type=int, default=4, help="measurements of a run, evenly spread")
    parser.add_argument("--only", nargs="*", help="variants, of: " + ", ".join(variants()))
    told = parser.parse_args()
    torch.set_num_threads(1)
    told.out.mkdir(parents=True, exist_ok=True)
    root, kept = told.root or told.out / "world", told.out / "runs.jsonl"
    prepare(root)
    pictures = held_out(root)
    done = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    costs = {row["name"]: row["cost"] for row in done} | {"plain": 1.0}
    for seed in range(told.seeds):
        for name, keys in variants().items():
            known = {(row["name"], row["seed"], row["of"]) for row in done}
            if (told.only and name not in told.only) or (name, seed, told.steps) in known:
                continue
            costs[name] = costs.get(name) or relative_cost(root, keys)
            begun, steps = time.process_time(), round(told.steps / costs[name])
            rows = list(run(root, pictures, keys, seed, steps, told.marks))
            done.append({"name": name, "seed": seed, "of": told.steps, "steps": steps, "cost": costs[name]})
            done[-1] |= {"cpu_s": round(time.process_time() - begun), "rows": rows}
            with kept.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
            sys.stdout.write(f"{name}, seed {seed}: {steps} steps, {done[-1]['cpu_s']} s of CPU, {rows[-1]}\n")
    sys.stdout.write(table([row for row in done if row["of"] == told.steps]) + "\n")


if __name__ == "__main__":
    main()
