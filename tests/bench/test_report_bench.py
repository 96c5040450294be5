"""The report of 20,000 crops: its time and its size. pytest -m bench -s tests/bench/test_report_bench.py

Photos of 1600 x 1200 px and crops of 256 px with the detail of photographs, a hundred of each under 20,000 names; their
refusals, copies, and pairs are as many as in a set from the web. CURATE_BENCH_CROPS=5000 makes it smaller.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.config import as_dict
from curate.pipeline.crop.config import Crop
from curate.pipeline.imaging import codec
from curate.pipeline.stats import stage as report
from curate.pipeline.stats.config import Stats
from curate.pipeline.tables import manifest
from tests.support.tables import dedup_row, name

pytestmark = pytest.mark.bench

CROPS = int(os.environ.get("CURATE_BENCH_CROPS", "20000"))
PAIRS = CROPS // 20
POOL = 100  # different pictures
WIDTH, HEIGHT, SIDE = 1600, 1200, 256
REFUSED = "no_face not_largest implausible not_skin too_small padding upscaled blurry grey drawing".split()
UNFETCHED = "robots_denied http_4xx network license not_image".split()
CUT = {"detector": "haar", "align": "ffhq", "framing": "ffhq", "faces": 1, "license": "by"}


def photo(rng: np.random.Generator, height: int, width: int) -> codec.RGB:
    """Noise of all scales, the coarse ones the strongest, as in photographs."""
    field = np.zeros((height, width, 3), np.float32)
    for level in range(1, 9):
        coarse = rng.normal(0.0, 0.62**level, (2**level, 2**level, 3)).astype(np.float32)
        field += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray((128 + 110 * field).clip(0, 255), np.uint8)


class Pictures:
    """A hundred files, under as many names as are asked for."""

    def __init__(self, root: Path) -> None:
        self.root, rng = root, np.random.default_rng(7)
        self.pool = {"raw/images": [], "processed/crops": [], "processed/pairs": []}
        for number in range(POOL):
            whole = photo(rng, HEIGHT, WIDTH)
            for folder, data in (
                ("raw/images", codec.encode_jpeg(whole, 90)),
                ("processed/crops", codec.encode_png(cv2.resize(whole, (SIDE, SIDE), interpolation=cv2.INTER_AREA))),
            ):
                path = root / "pool" / f"{number}{'.jpg' if folder == 'raw/images' else '.png'}"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
                self.pool[folder].append(path)
        self.pool["processed/pairs"] = self.pool["processed/crops"]

    def link(self, folder: str, number: int, named: str) -> str:
        original = self.pool[folder][number % POOL]
        path = f"{folder}/{named[:2]}/{named}{original.suffix}"
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).hardlink_to(original)
        return path


def image(number: int, pictures: Pictures | None, domain: str, **columns: Any) -> dict[str, Any]:
    image_id = name("image", domain, number)
    row = {
        "candidate_id": name("candidate", domain, number),
        "domain": domain,
        "source": "html",
        "query": domain,
        "image_url": f"http://demo.curate.test/{domain}/{number}.jpg",
        "page_url": f"http://demo.curate.test/{domain}/{number}",
        "title": f"{domain} {number}",
        "creator": f"Maker {number % 700}",
        "license": "by",
        "rank": number,
        "status": manifest.REJECTED,
        "reason": UNFETCHED[number % len(UNFETCHED)],
    }
    if pictures:
        path = pictures.link("raw/images", number, image_id)
        row |= {"image_id": image_id, "path": path, "width": WIDTH, "height": HEIGHT, "bytes": 400_000}
        row |= {"status": manifest.ACCEPTED, "reason": manifest.OK}
    return row | columns


def crop(number: int, photo_row: dict[str, Any], pictures: Pictures, rng: np.random.Generator) -> dict[str, Any]:
    crop_id = name("crop", number)
    refused = REFUSED[number // 4 % len(REFUSED)] if number % 4 == 0 else ""
    seen = refused != "no_face"
    points = rng.normal((WIDTH / 2, HEIGHT / 2), 90, (68, 2)).astype(np.float32).ravel().tolist()
    measures = {
        "face_px": 20.0 if refused == "too_small" else float(rng.uniform(41, 900)),
        "sharpness": float(rng.gamma(4, 60)),
        "brightness": float(rng.normal(130, 25)),
        "roll": float(rng.normal(0, 9)),
        "padding": float(rng.beta(1, 12)),
        "unrest": float(rng.gamma(3, 0.01)) + (0.11 if refused == "implausible" else 0.0),
        "box": [500.0, 300.0, 520.0, 520.0],
        "landmarks": points,
    }
    return {
        "crop_id": crop_id,
        "image_id": photo_row["image_id"],
        "source_path": photo_row["path"],
        "domain": photo_row["domain"],
        **CUT,
        "face_index": 0 if seen else -1,
        **(measures if seen else {}),
        "path": None if refused else pictures.link("processed/crops", number, crop_id),
        "status": manifest.REJECTED if refused else manifest.ACCEPTED,
        "reason": refused or manifest.OK,
    }


def pairs(pictures: Pictures, images: list[dict[str, Any]], rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    for number in range(PAIRS):
        pair_id, group = name("pair", number)[:32], f"product {number}"
        shown = [
            image(2 * number + n, pictures, "shop", role=role, group_id=group)
            for n, role in enumerate(("article", "human"))
        ]
        images += shown
        refused = ("colours_differ", "back_view", "duplicate")[number % 3] if number % 5 == 0 else ""
        yield {
            "pair_id": pair_id,
            "group_id": group,
            "domain": "shop",
            "article_image_id": shown[0]["image_id"],
            "human_image_id": shown[1]["image_id"],
            "article_path": pictures.link("processed/pairs", number, f"{pair_id}_article"),
            "human_path": pictures.link("processed/pairs", number + 1, f"{pair_id}_human"),
            "agreement": float(rng.uniform(0.3, 1.0)),
            "others": float(rng.beta(1, 6)),
            "worn_at": float(rng.normal(1.5, 0.4)),
            "cluster_id": group,
            "split": "train",
            "license": "by",
            "status": manifest.REJECTED if refused else manifest.ACCEPTED,
            "reason": refused or manifest.OK,
        }


def world(root: Path) -> None:
    rng, pictures = np.random.default_rng(11), Pictures(root)
    images = [image(number, pictures, ("long", "short")[number % 2]) for number in range(CROPS * 4 // 3)]
    crops = [crop(number, row, pictures, rng) for number, row in enumerate(images)]
    images += [image(10**6 + number, None, ("long", "short")[number % 2]) for number in range(CROPS // 10)]
    kept = [row for row in crops if row["status"] == manifest.ACCEPTED]
    dedup = [dedup_row(row) for row in kept]
    for number in range(10, len(dedup), 10):  # one in ten is a copy
        of = dedup[number // 100 * 100]["crop_id"]
        if dedup[number]["crop_id"] != of:
            dedup[number] |= {"cluster_id": of, "duplicate_of": of}
            dedup[number] |= {"status": manifest.REJECTED, "reason": "duplicate"}
    made = list(pairs(pictures, images, rng))
    meta = {"section": as_dict(Crop())}
    for table, rows in (
        (manifest.IMAGES, images),
        (manifest.CROPS, crops),
        (manifest.DEDUP, dedup),
        (manifest.PAIRS, made),
    ):
        manifest.write(table, manifest.from_rows(table, rows), root, meta if table is manifest.CROPS else None)
    build.run(Build(), root)


def test_the_report_is_written_within_a_minute_and_15_megabytes(tmp_path: Path) -> None:
    world(tmp_path)
    cpu = []
    for _ in range(2):  # the second finds its thumbnails there
        start, used = time.monotonic(), time.process_time()
        page = report.run(Stats(), tmp_path)
        cpu.append((round(time.process_time() - used, 1), round(time.monotonic() - start, 1)))
    sizes = {path: path.stat().st_size for path in page.parent.rglob("*") if path.is_file()}
    told = {
        "bench": "report",
        "crops": CROPS,
        "pairs": PAIRS,
        "cpu_and_wall_s": cpu,
        "mb": round(sum(sizes.values()) / 1e6, 2),
        "page_mb": round(page.stat().st_size / 1e6, 2),
        "files": len(sizes),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    sys.stdout.write("\n" + json.dumps(told) + "\n")
    assert told["mb"] < 15.0
