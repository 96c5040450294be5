"""What CAGAN's variants are worth on the drawn world, at equal cost: python -m tests.bench.garments --out FOLDER

Trains each as `curate train cagan` does in the preset study, over several seeds, dresses the held-out people, and
measures them by the world's own truth. Every run costs what `warped` costs in --steps steps: how long a step of each
takes beside one of warped is measured first, in turns, so that a machine with other work does not matter. Runs that
are done are kept in FOLDER/runs.jsonl; call it again to go on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import torch

from curate.pipeline.core.config import parse
from curate.pipeline.tables import manifest
from curate.train.data import paired
from curate.train.data.config import DataConfig
from curate.train.data.paired import PairedBatches
from curate.train.engine.loop import LoopConfig, train
from curate.train.engine.rng import derive_seed
from curate.train.recipes.cagan.config import CAGANConfig
from curate.train.recipes.cagan.recipe import CAGAN

BURST = 3  # steps, in which costs are compared
TURNS = 3
DATA: Mapping[str, Any] = {"size": 128, "width": 96}  # px, as the preset has it
BATCH = 8
REFERENCE = "warped"
VARIANTS: Mapping[str, Mapping[str, Any]] = {  # keys of train.cagan.model
    REFERENCE: {"variant": "warped"},
    "warped, and the game": {"variant": "warped", "adversarial_weight": 1.0, "cycle_weight": 1.0},
    "warped, and identity": {"variant": "warped", "identity_weight": 0.5},
    "warped, cheap masks": {"variant": "warped", "mask_weight": 0.01},
    "warped, dear masks": {"variant": "warped", "mask_weight": 0.1},
    "modern": {"variant": "modern"},
    "modern, width 32": {"variant": "modern", "width": 32},
    "keras": {"variant": "keras"},
}
SCORES = {"share": 2, "kept": 1, "half_way": 2, "after": 1}  # of curate demo --measure; digits


def curate(root: Path, *words: str | Path) -> str:
    """What `curate` prints with these words, for the folder `root`."""
    command = [sys.executable, "-m", "curate", *map(str, words), "--root", str(root)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def prepare(root: Path) -> None:
    """Draws the world of the preset study, and finds its pairs, unless that is done."""
    if manifest.exists(manifest.PAIRS, root):
        return
    root.mkdir(parents=True, exist_ok=True)
    for words in (["init", "study"], ["scrape"], ["pairs"]):
        curate(root, *words)


def seconds(root: Path, keys: Mapping[str, Any]) -> float:
    """CPU seconds of BURST steps, from the start."""
    torch.manual_seed(derive_seed(0, "init"))
    recipe = CAGAN(parse(CAGANConfig, keys, "model"))
    batches = PairedBatches(paired.load(root, "train"), parse(DataConfig, DATA, "data"), batch=BATCH, seed=0)
    begun = time.process_time()
    train(recipe, batches, LoopConfig(BURST, tick=BURST), lambda clock, scalars: None)
    return time.process_time() - begun


def relative_cost(root: Path, keys: Mapping[str, Any]) -> float:
    """What a step costs beside one of warped: the median of turns, of which the first warms up."""
    turns = [(seconds(root, keys), seconds(root, VARIANTS[REFERENCE])) for _ in range(TURNS + 1)][1:]
    return median(mine / theirs for mine, theirs in turns)


def run(root: Path, out: Path, keys: Mapping[str, Any], seed: int, steps: int) -> dict[str, float]:
    """SCORES of the held-out people, as a run of `steps` steps dresses them."""
    told = {f"model.{key}": value for key, value in keys.items()} | {
        f"data.{key}": value for key, value in DATA.items()
    }
    told |= {"run.batch": BATCH, "run.seed": seed, "run.steps": steps, "run.threads": 1, "run.measure_every": 0}
    settings = [word for key, value in told.items() for word in ("--set", f"{key}={value}")]
    curate(root, "train", "cagan", "--run", out / "run", *settings)
    curate(root, "translate", "--run", out / "run", "--split", "test", "--out", out / "people")
    found = json.loads(curate(root, "demo", "--measure", out / "people", "--json"))
    return {key: found[key] for key in SCORES}


def table(done: list[dict[str, Any]]) -> str:
    """A line per variant: mean and spread over its seeds."""
    lines = ["| trained | seeds | steps | " + " | ".join(SCORES) + " |", "|---" * (3 + len(SCORES)) + "|"]
    for name in VARIANTS:
        rows = [row for row in done if row["name"] == name]
        if not rows:
            continue
        cells = [
            f"{mean(values):.{digits}f} ± {stdev(values) if len(values) > 1 else 0:.{digits}f}"
            for key, digits in SCORES.items()
            for values in [[row["scores"][key] for row in rows]]
        ]
        lines.append(f"| {name} | {len(rows)} | {rows[0]['steps']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("garments"), help="folder for the world and the runs")
    parser.add_argument("--root", type=Path, help="a root that curate init study, scrape and pairs have filled")
    parser.add_argument("--steps", type=int, default=300, help="of warped; the others get what costs as much")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=[*VARIANTS], help="variants")
    told = parser.parse_args()
    torch.set_num_threads(1)
    out = told.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    root, kept = (told.root or out / "world").resolve(), out / "runs.jsonl"
    prepare(root)
    done = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    costs = {row["name"]: row["cost"] for row in done} | {REFERENCE: 1.0}
    for seed in range(told.seeds):
        for name, keys in VARIANTS.items():
            known = {(row["name"], row["seed"], row["of"]) for row in done}
            if (told.only and name not in told.only) or (name, seed, told.steps) in known:
                continue
            costs[name] = costs.get(name) or relative_cost(root, keys)
            steps = max(1, round(told.steps / costs[name]))
            scores = run(
                root, out / f"{name} {seed} {told.steps}".replace(",", "").replace(" ", "-"), keys, seed, steps
            )
            done.append({"name": name, "seed": seed, "of": told.steps, "steps": steps, "cost": costs[name]})
            done[-1] |= {"scores": scores}
            with kept.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
            sys.stdout.write(f"{name}, seed {seed}: {steps} steps, {scores}\n")
    sys.stdout.write(table([row for row in done if row["of"] == told.steps]) + "\n")


if __name__ == "__main__":
    main()
