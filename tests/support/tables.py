"""A small world in one call: tables and tiny pictures as the stages would have left them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from curate.pipeline.tables import manifest

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SIDE = 96  # px of a raw picture
CROP = 64  # px of a crop


def name(*parts: object) -> str:
    """A hash of `parts`, as the stages name things."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def png(seed: int, width: int = SIDE, height: int = SIDE) -> bytes:
    """A picture of its own for every seed: blobs of colour."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), tuple(int(c) for c in rng.integers(0, 256, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x0, y0 = rng.integers(-width // 4, width), rng.integers(-height // 4, height)
        x1, y1 = x0 + rng.integers(8, width), y0 + rng.integers(8, height)
        draw.ellipse((int(x0), int(y0), int(x1), int(y1)), fill=tuple(int(c) for c in rng.integers(0, 256, 3)))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def image_row(root: Path, received: bytes | None, domain: str, rank: int, **columns: Any) -> dict[str, Any]:
    """A row of images.parquet; the bytes received are written below raw/ unless None."""
    row: dict[str, Any] = {
        "candidate_id": name(domain, rank, columns.get("source", "html")),
        "domain": domain,
        "source": "html",
        "query": "ロングヘア",
        "image_url": f"http://demo.curate.test/{domain}/{rank}.png",
        "page_url": f"http://demo.curate.test/{domain}/{rank}",
        "title": f"{domain} {rank}",
        "license": "cc0",
        "rank": rank,
        "status": manifest.ACCEPTED,
        "reason": manifest.OK,
    }
    if received is not None:
        digest = hashlib.sha256(received).hexdigest()
        path = root / "raw" / "images" / digest[:2] / f"{digest}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(received)
        with Image.open(io.BytesIO(received)) as image:
            width, height = image.size
        row |= {
            "image_id": digest,
            "path": path.relative_to(root).as_posix(),
            "width": width,
            "height": height,
            "bytes": len(received),
            "retrieved_at": WHEN,
            "http_status": 200,
        }
    return row | columns


def crop_row(root: Path, image: Mapping[str, Any], **columns: Any) -> dict[str, Any]:
    """A row of crops.parquet for the raw `image`; an accepted one is cut and written below processed/."""
    crop_id = name("crop", image["candidate_id"], columns.get("face_index", 0))
    row: dict[str, Any] = {
        "crop_id": crop_id,
        "image_id": image["image_id"],
        "source_path": image["path"],
        "domain": image["domain"],
        "license": image["license"],
        "detector": "haar",
        "align": "ffhq",
        "framing": "ffhq",
        "faces": 1,
        "face_index": 0,
        "box": [16.0, 16.0, CROP, CROP],
        "landmarks": [float(i) for i in range(136)],
        "affine": [1.0, 0.0, -16.0, 0.0, 1.0, -16.0],
        "roll": 4.0 * (image["rank"] % 5) - 8.0,
        "face_px": float(CROP),
        "upscale": 1.0,
        "padding": 0.05,
        "sharpness": 80.0 + 40 * (image["rank"] % 7),
        "face_sharpness": 60.0 + 30 * (image["rank"] % 7),
        "hue": 50.0 * (image["rank"] % 8),
        "brightness": 90.0 + 9 * (image["rank"] % 9),
        "path": f"processed/crops/{crop_id[:2]}/{crop_id}.png",
        "status": manifest.ACCEPTED,
        "reason": manifest.OK,
    } | columns
    if row["status"] == manifest.ACCEPTED:
        path = root / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(root / image["path"]) as raw:
            raw.crop((16, 16, 16 + CROP, 16 + CROP)).save(path)
    else:
        row |= {"path": None}
    return row


def dedup_row(crop: Mapping[str, Any], **columns: Any) -> dict[str, Any]:
    """A row of dedup.parquet for an accepted crop, alone in its cluster unless `columns` say otherwise."""
    return {
        "crop_id": crop["crop_id"],
        "domain": crop["domain"],
        "phash": int(crop["crop_id"][:16], 16),
        "cluster_id": crop["crop_id"],
        "status": manifest.ACCEPTED,
        "reason": manifest.OK,
    } | columns


def small_world(root: Path, portraits: int = 12) -> None:
    """Two domains of faces and two shops' products below `root`: images, crops and dedup tables, with their files.

    Each domain of faces has `portraits` accepted images; of these one shows no face, one is too small and one is a
    near-copy. Beside them stand candidates that were refused.
    """
    images, crops, dedup = [], [], []
    for d, domain in enumerate(("long", "short")):
        for i in range(portraits):
            image = image_row(root, png(100 * d + i), domain, i)
            images.append(image)
            if i == 0:
                none = {"faces": 0, "face_index": -1, "box": None, "landmarks": None, "affine": None}
                crops.append(crop_row(root, image, **none, status=manifest.REJECTED, reason="no_face"))
            elif i == 1:
                crops.append(crop_row(root, image, status=manifest.REJECTED, reason="too_small", face_px=20.0))
            else:
                crops.append(crop_row(root, image))
                dedup.append(dedup_row(crops[-1]))
        twin = {"cluster_id": dedup[-2]["crop_id"], "duplicate_of": dedup[-2]["crop_id"]}
        dedup[-1] |= twin | {"status": manifest.REJECTED, "reason": "duplicate"}
        refused = {"status": manifest.REJECTED, "path": None}
        images += [
            image_row(root, None, domain, portraits, reason="robots_denied", status=manifest.REJECTED),
            image_row(root, None, domain, portraits + 1, reason="http_4xx", status=manifest.REJECTED),
            image_row(root, png(5, 30, 30), domain, portraits + 2, **refused, reason="too_small"),
        ]
    images += products(root)
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, images), root)
    manifest.write(manifest.CROPS, manifest.from_rows(manifest.CROPS, crops), root)
    manifest.write(manifest.DEDUP, manifest.from_rows(manifest.DEDUP, dedup), root)


def products(root: Path, domain: str = "garments", count: int = 4) -> list[dict[str, Any]]:
    """Rows of images.parquet for `count` whole products, one without a person and one without an article."""
    rows: list[dict[str, Any]] = []

    def add(product: int, role: str, seed: int, width: int, height: int) -> None:
        group = {"role": role, "group_id": f"{domain}-{product}", "license": "by"}
        rows.append(image_row(root, png(seed, width, height), domain, len(rows), **group))

    for product in range(count):
        add(product, "article", 1000 + product, 80, 60)
        add(product, "human", 2000 + product, 60, 120)
    add(count, "article", 1000 + count, 80, 60)
    add(count + 1, "human", 2000 + count, 60, 120)
    return rows
