"""Article/Human pairs from the pictures of each product: letterboxed, free of copies, split by product.

Of a product's pictures the first article, by order of discovery, stands for the garment; each picture of a person
wearing it makes a pair with it. Products whose articles are copies of one another share a cluster and a split, and
only the first of them is kept.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import copies, hashing, images, manifest, splits
from pipeline.engine import WorkerDied
from pipeline.engine import run as run_engine
from pipeline.geometry import Affine
from pipeline.images import RGB
from pipeline.params import Engine, Pairs, as_dict
from pipeline.progress import SILENT, Progress

FOLDER = "processed/pairs"


class Picture(NamedTuple):
    """One received picture of a product."""

    image_id: str
    path: str  # below the root
    license: str


class Product(NamedTuple):
    """The pictures of one product, in order of discovery."""

    domain: str
    group_id: str
    articles: tuple[Picture, ...]
    humans: tuple[Picture, ...]

    @property
    def missing(self) -> str | None:
        """The reason why it makes no pair, if so."""
        return "no_article" if not self.articles else None if self.humans else "no_human"


class Cut(NamedTuple):
    """What became of one Article/Human combination."""

    reason: str
    article_affine: list[float] | None = None
    human_affine: list[float] | None = None
    phash: int | None = None
    colours: bytes = b""  # of the article, see copies.colours


def run(section: Pairs, root: Path, *, engine: Engine, progress: Progress = SILENT) -> manifest.Summary:
    """Writes manifests/pairs.parquet and the pictures below processed/pairs from the rows that have a role.

    Pictures that stand there already are not made again. Raises UsageError for shares above 1 and TableError when
    images.parquet is missing or broken.
    """
    splits.check_shares("pairs", section.val, section.test)
    products = list(_products(section, root))
    whole = [product for product in products if not product.missing]
    rows = [_incomplete(product) for product in products if product.missing]
    firsts: list[tuple[Product, Cut]] = []  # a product and its article, for finding copies
    made: list[tuple[Product, dict[str, Any]]] = []
    with progress.task("pairs", len(whole)) as task:
        for product, cuts in _cut_all(section, root, whole, engine):
            pairs = [_row(section, product, human, cut) for human, cut in zip(product.humans, cuts, strict=True)]
            made += [(product, row) for row in pairs]
            firsts += [(product, cut) for cut in cuts if cut.phash is not None][:1]
            task.advance(pairs=len(made))
    _mark_copies(section, firsts, made)
    rows += [row for _, row in made]
    for row in rows:
        row["split"] = splits.split_of(row["cluster_id"], val=section.val, test=section.test)
    data = manifest.from_rows(manifest.PAIRS, rows)
    os.sync()  # the pictures reach the disk before the table that names them
    manifest.write(manifest.PAIRS, data, root, meta={"section": as_dict(section)})
    _sweep(root, {row.get(key) for row in rows for key in ("article_path", "human_path")})
    _tell_gaps(section, rows, progress)
    return manifest.summarize(manifest.PAIRS, data)


def letterbox(width: int, height: int, size: int) -> tuple[Affine, tuple[int, int]]:
    """The map of a `width` x `height` picture into the middle of a `size` x `size` square, and its px size in there.

    [2, 3], raw px -> square px, index coordinates. The ratio is kept to the nearest pixel.
    """
    scale = size / max(width, height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    affine = np.zeros((2, 3))
    for axis, (raw, fitted) in enumerate(zip((width, height), inner, strict=True)):
        ratio = fitted / raw
        affine[axis, axis] = ratio
        affine[axis, 2] = (ratio - 1) / 2 + (size - fitted) // 2
    return affine, inner


def boxed(rgb: RGB, size: int, background: tuple[int, int, int]) -> RGB:
    """`rgb`, uint8 [H, W, 3], letterboxed on `background`, uint8 [size, size, 3]."""
    height, width = rgb.shape[:2]
    _, (w, h) = letterbox(width, height, size)
    shrinks = max(width, height) > size
    inner = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    square: NDArray[np.uint8] = np.full((size, size, 3), background, np.uint8)
    left, top = (size - w) // 2, (size - h) // 2
    square[top : top + h, left : left + w] = inner
    return square


def _products(section: Pairs, root: Path) -> Iterator[Product]:
    """The products with at least one received picture, by order of discovery within their domain."""
    columns = "image_id path domain license role group_id rank status reason candidate_id".split()
    table = manifest.read(manifest.IMAGES, root, columns).to_pylist()
    paths = {row["image_id"]: row["path"] for row in table if row["status"] == manifest.ACCEPTED}
    groups: dict[tuple[str, str], dict[str, list[Picture]]] = {}
    for row in sorted(table, key=lambda row: (row["domain"], row["rank"], row["candidate_id"])):
        # Bytes that came before, from another address, are refused as a second image but belong to this product, too.
        received = row["status"] == manifest.ACCEPTED or row["reason"] == "duplicate"
        if row["role"] in {section.article, section.human} and received and row["image_id"] in paths:
            group = groups.setdefault((row["domain"], row["group_id"] or row["image_id"]), {})
            picture = Picture(row["image_id"], paths[row["image_id"]], row["license"])
            group.setdefault(row["role"], []).append(picture)
    for (domain, group_id), roles in groups.items():
        articles, humans = (tuple(dict.fromkeys(roles.get(role, ()))) for role in (section.article, section.human))
        yield Product(domain, group_id, articles, humans)


def _pair_id(section: Pairs, product: Product, human: Picture) -> str:
    """Names a pair by everything that its pictures depend on, so that one that stands there is the right one."""
    parts = (product.domain, product.group_id, product.articles[0].image_id, human.image_id)
    settings = (section.size, *section.background)
    return hashlib.sha256("\n".join(map(str, (*parts, *settings))).encode()).hexdigest()[:32]


def _paths(pair_id: str) -> tuple[str, str]:
    """Of the article and the human, below the root."""
    stem = f"{FOLDER}/{pair_id[:2]}/{pair_id}"
    return f"{stem}_article.png", f"{stem}_human.png"


def _incomplete(product: Product) -> dict[str, Any]:
    pictures = product.articles or product.humans
    name = hashlib.sha256(f"{product.domain}\n{product.group_id}".encode()).hexdigest()[:32]
    return {
        "pair_id": name,
        "group_id": product.group_id,
        "domain": product.domain,
        "article_image_id": product.articles[0].image_id if product.articles else None,
        "human_image_id": product.humans[0].image_id if product.humans else None,
        "cluster_id": product.group_id,
        "license": pictures[0].license,
        "status": manifest.REJECTED,
        "reason": product.missing,
    }


def _row(section: Pairs, product: Product, human: Picture, cut: Cut) -> dict[str, Any]:
    article, pair_id = product.articles[0], _pair_id(section, product, human)
    fine = cut.reason == manifest.OK
    paths = _paths(pair_id) if fine else (None, None)
    return {
        "pair_id": pair_id,
        "group_id": product.group_id,
        "domain": product.domain,
        "article_image_id": article.image_id,
        "human_image_id": human.image_id,
        "article_path": paths[0],
        "human_path": paths[1],
        "article_affine": cut.article_affine,
        "human_affine": cut.human_affine,
        "article_phash": cut.phash,
        "cluster_id": product.group_id,
        "license": "+".join(sorted({article.license, human.license})),  # both bind whoever uses the pair
        "status": manifest.ACCEPTED if fine else manifest.REJECTED,
        "reason": cut.reason,
    }


def _cut_all(
    section: Pairs, root: Path, products: Sequence[Product], engine: Engine
) -> Iterator[tuple[Product, list[Cut]]]:
    """Each product with one Cut per human picture, in order."""
    settings = {"section": section, "root": root}
    batches = [products[i : i + engine.batch] for i in range(0, len(products), engine.batch)]
    results = run_engine(_cutter, settings, batches, engine)
    for batch, result in zip(batches, results, strict=True):
        if isinstance(result, WorkerDied):  # one of them kills its decoder: the others still count
            singles = run_engine(_cutter, settings, ([product] for product in batch), engine)
            result = [[] if isinstance(cuts, WorkerDied) else cuts[0] for cuts in singles]
        for product, cuts in zip(batch, result, strict=True):
            yield product, cuts or [Cut("worker_died")] * len(product.humans)


def _cutter(section: Pairs, root: Path) -> Callable[[Sequence[Product]], list[list[Cut]]]:
    cv2.setNumThreads(1)  # the pool has a process per core already
    return lambda batch: [_cut(section, root, product) for product in batch]


def _cut(section: Pairs, root: Path, product: Product) -> list[Cut]:
    """Letterboxes the pictures of one product and writes those that are not there yet."""
    cuts = []
    for human in product.humans:
        try:
            article_path, human_path = _paths(_pair_id(section, product, human))
            article_affine, article = _letterboxed(section, root, product.articles[0], article_path)
            human_affine, _ = _letterboxed(section, root, human, human_path)
            affines = article_affine.ravel().tolist(), human_affine.ravel().tolist()
            cuts.append(Cut(manifest.OK, *affines, hashing.phash(article), copies.colours(article)))
        except OSError:
            cuts.append(Cut("missing_file"))
        except images.ImageError:
            cuts.append(Cut("decode_failed"))
    return cuts


def _letterboxed(section: Pairs, root: Path, picture: Picture, target: str) -> tuple[Affine, RGB]:
    """The letterboxed picture, from `target` if it stands there, and the map from raw px to its px."""
    data = (root / picture.path).read_bytes()
    info = images.inspect(data)
    affine, _ = letterbox(info.width, info.height, section.size)
    try:
        return affine, images.decode((root / target).read_bytes())
    except (FileNotFoundError, images.ImageError):
        square = boxed(images.decode(data), section.size, section.background)
        with manifest.replacing(root / target, durable=False) as temporary:
            temporary.write_bytes(images.encode_png(square))
        return affine, square


def _mark_copies(
    section: Pairs, firsts: Sequence[tuple[Product, Cut]], made: Sequence[tuple[Product, dict[str, Any]]]
) -> None:
    """Gives products whose articles are copies one cluster, and refuses the pairs of all but the first of them."""
    hashes = np.array([cut.phash for _, cut in firsts], np.uint64)
    grids = np.frombuffer(b"".join(cut.colours for _, cut in firsts), np.uint8)
    near = copies.near(hashes, grids.reshape(len(firsts), copies.GRID**2, 3), section.radius, section.colour)
    products = [product for product, _ in firsts]
    cluster = {p: products[i] for p, i in zip(products, hashing.components(len(firsts), near), strict=True)}
    kept = {p: products[i] for p, i in zip(products, copies.stand_ins(len(firsts), near), strict=True)}
    pair_of: dict[Product, str] = {}
    for product, row in made:
        if row["reason"] == manifest.OK:
            pair_of.setdefault(product, row["pair_id"])
    for product, row in made:
        stand_in = kept.get(product, product)
        row["cluster_id"] = cluster.get(product, product).group_id
        if stand_in != product and row["reason"] == manifest.OK:
            row |= {"status": manifest.REJECTED, "reason": "duplicate", "duplicate_of": pair_of[stand_in]}


def _sweep(root: Path, named: set[str | None]) -> None:
    """Takes away the pictures that no row names: of older settings, or half-written when a run was killed."""
    for path in (root / FOLDER).glob("*/*"):
        if path.relative_to(root).as_posix() not in named:
            path.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()  # only when it is empty


def _tell_gaps(section: Pairs, rows: Sequence[dict[str, Any]], progress: Progress) -> None:
    counts = Counter((row["domain"], row["split"]) for row in rows if row["status"] == manifest.ACCEPTED)
    domains = sorted({domain for domain, _ in counts})
    for line in splits.gaps(counts, domains, {"val": section.val, "test": section.test}):
        progress.note(line)
