"""Worlds that files of strangers come into, and which commands read each of their files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from curate.pipeline.crop.storage import packed
from curate.pipeline.imaging import codec
from curate.pipeline.tables import manifest
from curate.pipeline.tables.schema import EMBEDDINGS, FINGERPRINTS, TABLES
from curate.pipeline.tables.suspects_table import SUSPECTS
from tests.support.command import curate
from tests.support.drawn_people import photo
from tests.support.strange_documents import damaged_bytes, damaged_cells, damaged_json, damaged_lines, damaged_text
from tests.support.strange_pictures import damaged_picture, damaged_shard
from tests.support.strange_tables import damaged_columns, handed_table
from tests.support.strangers import Handed
from tests.support.tables import png, small_world

_TINY = {"data": {"size": 32, "load": 36}, "model": {"width": 4, "discriminator_width": 4, "blocks": 1}}
_TRAINING = {"steps": 1, "tick": 1, "samples": 2, "features": "standin", "device": "cpu", "measure_every": 0}
_RUN = {"steps": 2, "tick": 1, "sample_every": 2, "checkpoint_every": 1, "samples": 1, "device": "cpu"}
_RUN |= {"features": "standin"}
_STYLE = {"z_dim": 8, "w_dim": 8, "mapping_layers": 1, "channel_base": 64, "channel_max": 4, "group_size": 2}

_EXPORTS = [f"export --to {layout} --out out" for layout in ("folders", "webdataset", "stylegan-zip", "huggingface")]
_SHARE = "export --to folders --out {root}/shared"
_OF_PAIRS = [f"export --to {layout} --pairs --out out" for layout in ("folders", "webdataset", "huggingface")]
_LOOKS = ["select --keep 2", "sort --by hue --json", "list several", "review --export out", "keep {crop}"]
_REPORTS = ["stats --html", "stats --json", "credits"]
_DECIDED = ["build", "crop", "pairs --size 32", "stats --html", "select --keep 2", "suspects --keep 1", "keep {crop}"]
_DECIDED += ["undecide {crop} --by ann", "review --export out", "forget {image} --yes", "sort --by hue"]
_TABLES = [
    handed_table(TABLES["images"], ["crop -v", "pairs --size 32 -v", "build", *_REPORTS, "list no-face", "doctor",
                                    "forget {image} --yes", "forget {image} --dry-run", *_EXPORTS[-1:], *_OF_PAIRS[:1],
                                    "review --export out"]),
    handed_table(TABLES["crops"], ["crop -v", "dedup -v", "build", *_REPORTS[:2], *_LOOKS, "suspects --features pixels",
                                   "forget {image} --yes", "doctor"]),
    handed_table(TABLES["dedup"], ["dedup -v", "build", "stats --html", "sort --by hue", "select --keep 2", "doctor",
                                   "review --export out", "suspects --features pixels", "forget {image} --yes"]),
    handed_table(TABLES["pairs"], ["pairs --size 32 -v", *_REPORTS, "review --export out", "keep {pair}", "doctor",
                                   "forget {image} --yes", *_OF_PAIRS, "export --to viton-hd --out out"]),
    handed_table(TABLES["dataset"], ["build", *_REPORTS, "train cyclegan", "forget {image} --yes", *_EXPORTS,
                                     "doctor"]),
    handed_table(SUSPECTS, ["suspects --keep 1", "suspects --move 1-2", "stats --html", "review --export out"]),
    handed_table(FINGERPRINTS, ["dedup"]),
    handed_table(EMBEDDINGS, ["dedup --identity 0.6"]),
    handed_table(TABLES["dedup"], ["dedup --against other"])._replace(file="other/manifests/dedup.parquet"),
    Handed("processed/crops/*/*.png", damaged_picture,
           ["crop -v", "dedup -v", "build", *_REPORTS[:1], *_LOOKS[:2], "suspects --features pixels", "keep {crop}",
            "train cyclegan", *_EXPORTS, "forget {image} --yes"]),
    Handed("processed/pairs/*/*.png", damaged_picture, ["pairs --size 32 -v", "build", *_REPORTS[:1], *_OF_PAIRS,
                                                        "export --to viton-hd --out out", "keep {pair}"]),
    Handed("raw/images/*/*.png", damaged_picture, ["crop -v", "pairs --size 32 -v", "build", *_REPORTS, "list no-face",
                                                   "review --export out", "forget {image} --yes", "doctor"]),
    Handed("shared/.curate-export.json", damaged_json, [f"{_SHARE} --force"]),
    Handed("params.yaml", damaged_text,
           ["build", "crop -v", "pairs --size 32", "train cyclegan --dry-run", "doctor", "params show"]),
    Handed("manifests/review.jsonl", damaged_lines, _DECIDED),
    Handed("manifests/faces.jsonl", damaged_lines, ["crop", "review --export out", "forget {image} --yes"]),
    Handed("second/manifests/review.jsonl", damaged_lines, ["review --import second"]),
]  # fmt: skip

_PACKED = [
    Handed("processed/crops/long/*.tar", damaged_shard,
           ["crop -v", "dedup -v", "build", "stats --html", "sort --by hue", "select --keep 2",
            "suspects --features pixels", "review --export out", "doctor", "train cyclegan", *_EXPORTS,
            "forget {image} --yes"]),
]  # fmt: skip

_RUNS = "processed/runs/cyclegan"
_BRANCH = f"train cyclegan --branch {_RUNS}@2 --run kept/branch --steps 3"
_ON, _PHOTO = "train cyclegan --steps 3", f"translate photos/0.png --run {_RUNS} --no-align --device cpu"
_SPLIT = f"translate --split test --run {_RUNS} --no-align --device cpu"
_SHOW, _EVALUATE, _COMPARE = f"weights show {_RUNS}", "evaluate --device cpu", "compare --device cpu --out c.html"
_TRAINED = [
    handed_table(TABLES["dataset"], [_EVALUATE, _COMPARE, _SPLIT, _ON]),
    handed_table(TABLES["pairs"], ["train cagan --steps 3", "evaluate cagan --device cpu"]),
    Handed(f"{_RUNS}/config.json", damaged_json, ["stats --html", _ON, _PHOTO, _SHOW, "evaluate cyclegan"]),
    Handed(f"{_RUNS}/metrics.json", damaged_json, ["stats --html", _ON]),
    Handed(f"{_RUNS}/scalars.jsonl", damaged_lines, [_ON]),
    Handed(f"{_RUNS}/scalars.tsv", damaged_cells, ["stats --html"]),
    Handed(f"{_RUNS}/scores.tsv", damaged_cells, ["stats --html"]),
    Handed(f"{_RUNS}/health.txt", damaged_text, ["stats --html", _ON]),
    Handed(f"{_RUNS}/samples/step*.png", damaged_bytes, ["stats --html"]),
    Handed(f"{_RUNS}/samples/history/00000002.png", damaged_bytes, [_ON]),
    Handed(f"{_RUNS}/samples/previews.safetensors", damaged_bytes, [_ON]),
    Handed(f"{_RUNS}/checkpoints/00000002.safetensors", damaged_bytes, [_ON, _PHOTO, _BRANCH]),
    Handed(f"{_RUNS}/best/*.safetensors", damaged_bytes, [f"{_PHOTO} --best kid_standin", _ON]),
    Handed(f"{_RUNS}/tensorboard/*", damaged_bytes, [_ON]),
    Handed("kept/begun/.undo.json", damaged_json, ["train cyclegan --run kept/begun --steps 3"]),
    Handed("processed/cache/*.json", damaged_json, [_ON]),
    Handed("processed/cache/*.npy", damaged_bytes, [_ON]),
    Handed("processed/cache/features-*.npy", damaged_bytes, [_ON, _EVALUATE]),
    Handed("processed/evaluated/cyclegan/evaluation.json", damaged_json, ["stats --html", _COMPARE]),
    Handed("processed/evaluated/cyclegan/metrics.json", damaged_json, ["stats --html", _COMPARE]),
    Handed("processed/evaluated/cyclegan/pictures/*/after/0000.jpg", damaged_bytes, [_COMPARE]),
    Handed("processed/evaluated/cyclegan/nearest.jpg", damaged_bytes, ["stats --html", _COMPARE]),
    Handed("processed/report/thumbs/*.jpg", damaged_bytes, ["stats --html"]),
    Handed("translated/.curate-outputs.jsonl", damaged_lines, [_PHOTO]),
    Handed("translated/0.png", damaged_bytes, ["stats --html", _PHOTO]),
    Handed("translated/0.json", damaged_json, ["stats --html", _PHOTO]),
]  # fmt: skip

_STYLE_RUN = "processed/runs/stylegan2"
_GENERATE = f"generate {_STYLE_RUN} --seeds 0-19 --device cpu"
_PROJECT = f"project photos/0.png --run {_STYLE_RUN} --steps 1 --distance pixels --no-align --device cpu"
_DIRECTION = "direction --method mean --label beard --device cpu"
_LATENT = [
    Handed("generated/manifest.parquet", damaged_columns({"path"}),
           ["label --by labels.tsv", _DIRECTION, "direction --method pca --count 2 --device cpu", _GENERATE,
            f"edit generated/seed0000.png --direction beard --amount 1 --run {_STYLE_RUN} --device cpu"]),
    Handed("generated/labels.parquet", damaged_columns({"path"}),
           ["label --by labels.tsv", _DIRECTION, "direction --method mean --label word=a --device cpu",
            "direction --method pca --count 2 --device cpu"]),
    Handed("labels.tsv", damaged_cells, ["label --by labels.tsv"]),
    Handed("generated/codes.safetensors", damaged_bytes, [_DIRECTION, _GENERATE]),
    Handed("generated/.curate-outputs.jsonl", damaged_lines, [_GENERATE]),
    Handed("projected/0.safetensors", damaged_bytes,
           [f"edit projected/0.safetensors --direction beard --amount 1 --run {_STYLE_RUN} --device cpu"]),
    Handed("directions/beard.safetensors", damaged_bytes,
           [f"edit generated/seed0000.png --direction beard --amount 1 --run {_STYLE_RUN} --device cpu"]),
]  # fmt: skip

_SCRAPED = [
    Handed("raw/images/journal.jsonl", damaged_lines, ["scrape --source folder --input photos --domain new"]),
]

FILES: Mapping[str, list[Handed]] = {
    "tables": _TABLES,
    "packed": _PACKED,
    "trained": _TRAINED,
    "latent": _LATENT,
    "scraped": _SCRAPED,
}
"""The files of strangers in each world, with their readers."""


def _of_crops(root: Path) -> None:
    """The tables of the first stages with their pictures, and settings."""
    small_world(root, portraits=8)
    params = {
        "crop": {"closer_look": False, "detect_side": 200, "scale_factor": 1.3},
        "engine": {"kind": "inline"},
        "train": {"cyclegan": {**_TINY, "run": _TRAINING}},
    }
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")


def _of_tables(root: Path) -> None:
    """Every table with its pictures, decisions of two persons and a placed face."""
    _of_crops(root)
    for command in ("build", "pairs --size 32", "suspects --features pixels"):
        curate(*command.split(), "--root", root)
    kept = TABLES["dedup"].path(root).read_bytes()
    curate("dedup", "--identity", "0.6", "--root", root)  # leaves its fingerprints and embeddings
    (root / "other/manifests").mkdir(parents=True)
    TABLES["dedup"].path(root / "other").write_bytes(TABLES["dedup"].path(root).read_bytes())
    TABLES["dedup"].path(root).write_bytes(kept)
    named = words(root)
    for command in (
        *("keep {crop} --by ann", "reject {pair} --by ann", "stats --html"),
        *(_SHARE, "review --export {root}/second", "keep {crop} --by ben --root {root}/second"),
    ):
        filled = [word.format(root=root, **named) for word in command.split()]
        curate(*filled, *(() if "--root" in filled else ("--root", root)))
    face = {"item": named["image"], "points": [20.0, 30.0, 50.0, 30.0, 35.0, 55.0], "by": "ann", "when": ""}
    (root / "manifests/faces.jsonl").write_text(f"{json.dumps(face)}\n", "utf-8")


def _of_training(root: Path) -> None:
    """Runs of three recipes, what was measured of them and translated by them, and a report."""
    from curate.train.runs.claim import UNDO  # with torch, which the quick walk goes without
    from tests.support.training import TINY, dataset, pair_dataset

    dataset(root, train=2, val=2, test=2)
    pair_dataset(root, train=3, val=2)
    sections = {
        "cyclegan": {**TINY, "run": _RUN},
        "cagan": {"data": {"size": 32}, "model": {"variant": "modern", "width": 2}, "run": {**_RUN, "batch": 2}},
    }
    params = {"engine": {"kind": "inline"}, "evaluate": {"features": "standin"}, "train": sections}
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    (root / "photos").mkdir()
    (root / "photos/0.png").write_bytes(codec.encode_png(photo(0)))
    for command in ("train cyclegan", "train cagan", _EVALUATE, _PHOTO, "stats --html"):
        curate(*command.split(), "--root", root, folder=root)
    begun = root / "kept/begun"
    shutil.copytree(root / _RUNS, begun)
    (begun / UNDO).write_text(json.dumps({"moved": "", "start": 0}))


def _of_pictures(root: Path) -> None:
    """A run of StyleGAN2, pictures that it made, their labels and a direction."""
    from tests.support.training import dataset  # torch, which the quick walk goes without

    dataset(root, train=4, val=0, test=0)
    run = {**_RUN, "batch": 2, "samples": 0, "measure_every": 0}
    section = {"data": {"size": 16, "domains": {"a": "long"}}, "model": _STYLE, "run": run}
    (root / "params.yaml").write_text(yaml.safe_dump({"train": {"stylegan2": section}}), "utf-8")
    rows = [f"{seed}\t{seed % 2}\t{'ab'[seed % 2]}\t{seed / 7}\t{seed / 9}\n" for seed in range(20)]
    (root / "labels.tsv").write_text("".join(["seed\tbeard\tword\tsmile_measure\tbrightness\n", *rows]), "utf-8")
    (root / "photos").mkdir()
    (root / "photos/0.png").write_bytes(codec.encode_png(photo(0)))
    for command in ("train stylegan2", _GENERATE, "label --by labels.tsv", _DIRECTION, _PROJECT):
        curate(*command.split(), "--root", root, folder=root)


def _of_shards(root: Path) -> None:
    """Crops that lie in shards, and a dataset of them."""
    _of_crops(root)
    loose = list((root / "processed/crops").rglob("*.png"))
    crops = manifest.read(manifest.CROPS, root)
    manifest.write(manifest.CROPS, packed(crops, root, size=4), root)
    for path in loose:
        path.unlink()
    for command in ("build", "pairs --size 32"):
        curate(*command.split(), "--root", root)


def _of_photos(root: Path) -> None:
    """Photos that were scraped from a folder."""
    (root / "photos").mkdir()
    for number in range(3):
        (root / f"photos/{number}.png").write_bytes(png(number, 300, 300))
    curate("scrape", "--source", "folder", "--input", "photos", "--domain", "new", "--root", root, folder=root)


WORLDS: Mapping[str, Callable[[Path], None]] = {
    "tables": _of_tables,
    "packed": _of_shards,
    "trained": _of_training,
    "latent": _of_pictures,
    "scraped": _of_photos,
}


def words(root: Path) -> dict[str, str]:
    """What stands for ids in commands; nothing where no command names one."""
    if not manifest.exists(manifest.CROPS, root):
        return {}
    crop = manifest.accepted(manifest.read(TABLES["dataset"], root)).to_pylist()[0]
    pair = manifest.accepted(manifest.read(TABLES["pairs"], root)).to_pylist()[0]
    return {"crop": crop["crop_id"], "image": Path(crop["source_path"]).stem, "pair": pair["pair_id"]}
