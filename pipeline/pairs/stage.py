"""Article/Human pairs from the pictures of each product: letterboxed, measured, free of copies, split by family.

Of the pictures of a product, or of one colour of it, the first article, by order of discovery, stands for the garment;
each picture of a person wearing it makes a pair with it. Copies of pairs are kept once; products that are one another's
colour variants share a cluster, and so a split. What was measured for a pair stays in its row, and a row
that stands needs no pixels again: thresholds, copies and splits are decided from the rows.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2

from curate.pipeline.core.at_work import at_work
from curate.pipeline.core.config import as_dict, digest
from curate.pipeline.core.confined_path import inside
from curate.pipeline.core.errors import TableError
from curate.pipeline.core.files import atomic_write, files_below
from curate.pipeline.core.parallel import Engine, WorkerDied
from curate.pipeline.core.parallel import run as run_engine
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.faces.alignment import Aligner
from curate.pipeline.faces.config import CropRules
from curate.pipeline.hashing import phash
from curate.pipeline.imaging import codec, letterbox
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.geometry import Affine, Box
from curate.pipeline.imaging.shards import ChangedPhotoError, read_photo
from curate.pipeline.pairs import article_copies, evidence, families, products, refusals
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.pairs.families import Row
from curate.pipeline.pairs.products import Product, ProductPicture
from curate.pipeline.tables import decisions, manifest, provenance, splits
from curate.pipeline.tables.manifest import OK, PAIRS
from curate.pipeline.tables.partial import PartialTable

_VERSION = 2  # raise it when the same pictures give other evidence
_UNTRIED = frozenset({"missing_file", "changed", "worker_died", "decode_failed"})  # looked at again by the next run
_MEASURED = (  # what no row lacks that was measured; one that does counts as not measured
    *("article_affine", "human_affine", "article_phash", "article_colours", "human_phash", "human_colours"),
    *("article_shown", "human_shown", "border"),
)
_FACES = CropRules(faces="all", min_face=24, max_upscale=1000.0, max_padding=1.0)  # how small does not matter here


@at_work(writes=["pairs"])
def run(section: Pairs, root: Path, *, engine: Engine, progress: Progress = SILENT) -> manifest.Summary:
    """Writes manifests/pairs.parquet and the pictures below processed/pairs from the rows that have a role.

    Pairs that were measured before are not opened again. Decisions in manifests/review.jsonl outrank the thresholds;
    a pair that is rejected stands for no copy. Raises UsageError for shares above 1 and for thresholds on faces that
    are not looked for, and TableError when images.parquet is missing or broken.
    """
    splits.check_shares("pairs", section.val, section.test)
    refusals.check(section)
    inputs = provenance.inputs(PAIRS, root)
    found = list(products.read(root, section.article, section.human))
    whole = [product for product in found if not product.missing]
    partial = PartialTable(PAIRS, root, f"{PAIRS.pictures}/.parts")
    work = digest({"version": _VERSION, "faces": section.faces})
    known = _known(root, partial, work)
    todo = [product for product in whole if any(_pair_id(section, product, h) not in known for h in product.humans)]
    lost: dict[str, Row] = {}
    with progress.task("pairs", len(todo)) as task:
        for rows in _measured_all(section, root, todo, engine):
            partial.add(work, [row for row in rows if row["reason"] not in _UNTRIED])
            lost |= {row["pair_id"]: row for row in rows if row["reason"] in _UNTRIED}
            task.advance(len({row["group_id"] for row in rows}))
    known = _known(root, partial, work) | lost
    decided = decisions.read(root, progress.note)
    shared = products.shared_articles(whole)
    made = [
        (product, _with_status(section, product, human, known[_pair_id(section, product, human)], decided, shared))
        for product in whole
        for human in product.humans
    ]
    families.join(section, made)
    rows = [_incomplete(product) for product in found if product.missing] + [row for _, row in made]
    for row in rows:
        row["split"] = splits.split_of(row["cluster_id"], val=section.val, test=section.test)
    data = manifest.from_rows(PAIRS, rows)
    (root / PAIRS.pictures).mkdir(parents=True, exist_ok=True)  # an output of the stage, be there pairs or not
    os.sync()  # the pictures reach the disk before the table that names them
    manifest.write(PAIRS, data, root, meta={"section": as_dict(section), "work": work, provenance.INPUTS: inputs})
    partial.clear()
    _sweep(root, {row.get(key) for row in rows for key in ("article_path", "human_path")})
    places = ((row["domain"], row["split"]) for row in rows if row["status"] == manifest.ACCEPTED)
    for line in splits.gaps(places, {"val": section.val, "test": section.test}):
        progress.note(line)
    return manifest.summarize(PAIRS, data)


def _known(root: Path, partial: PartialTable, work: str) -> dict[str, Row]:
    """The rows that earlier runs measured the same way and whose pictures stand, by pair_id."""
    tables = [partial.read(work)]
    with suppress(TableError):  # a broken table counts as none
        if manifest.exists(PAIRS, root) and manifest.meta(PAIRS, root).get("work") == work:
            tables.append(manifest.read(PAIRS, root))
    pictures = (path for path in files_below(root / PAIRS.pictures) if path.suffix == ".png")
    there = {path.relative_to(root).as_posix() for path in pictures if path.stat().st_size}
    return {
        row["pair_id"]: row
        for table in tables
        for row in table.to_pylist()
        if None not in map(row.get, _MEASURED) and {row["article_path"], row["human_path"]} <= there
    }


def _pair_id(section: Pairs, product: Product, human: ProductPicture) -> str:
    """Names a pair by everything that its pictures depend on, so that one that stands there is the right one."""
    names = (product.domain, product.group_id, product.articles[0].image_id, human.image_id)
    return hashlib.sha256("\n".join(map(str, (*names, section.size, *section.background))).encode()).hexdigest()[:32]


def _paths(pair_id: str) -> tuple[str, str]:
    """Of the article and the human, below the root."""
    stem = f"{PAIRS.pictures}/{pair_id[:2]}/{pair_id}"
    return f"{stem}_article.png", f"{stem}_human.png"


def _incomplete(product: Product) -> Row:
    names = filter(None, (product.domain, product.group_id, product.variant))
    name = hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]
    article, human = (next(iter(pictures), None) for pictures in (product.articles, product.humans))
    return _row(name, product, article, human, product.missing or OK)


def _row(
    pair_id: str, product: Product, article: ProductPicture | None, human: ProductPicture | None, reason: str
) -> Row:
    """What is known of a pair without its pixels."""
    pictures = [picture for picture in (article, human) if picture]
    return {
        "pair_id": pair_id,
        "group_id": product.group_id,
        "variant": product.variant,
        "domain": product.domain,
        "article_image_id": article and article.image_id,
        "human_image_id": human and human.image_id,
        "article_text": " ".join(filter(None, [product.title, article.text if article else ""])) or None,
        "human_text": (human and human.text) or None,
        "cluster_id": product.group_id,
        "split": "train",
        "license": "+".join(sorted({picture.license for picture in pictures})),  # all bind whoever uses the pair
        "status": manifest.ACCEPTED if reason == OK else manifest.REJECTED,
        "reason": reason,
    }


def _measured_all(section: Pairs, root: Path, todo: Sequence[Product], engine: Engine) -> Iterator[list[Row]]:
    """The rows of each batch of products, measured and not judged, in order."""
    settings = {"section": section, "root": root.resolve()}
    batches = [todo[i : i + engine.batch] for i in range(0, len(todo), engine.batch)]
    for batch, result in zip(batches, run_engine(PairWorker, settings, batches, engine), strict=True):
        if isinstance(result, WorkerDied):  # one of them kills its decoder: the others still count
            for product in batch:
                [alone] = run_engine(PairWorker, settings, [[product]], engine)
                yield _died(section, product) if isinstance(alone, WorkerDied) else alone
        else:
            yield result


def _died(section: Pairs, product: Product) -> list[Row]:
    article = product.articles[0]
    return [_row(_pair_id(section, product, h), product, article, h, "worker_died") for h in product.humans]


class PairWorker:
    """Letterboxes and measures batches of products; lives in each worker process."""

    def __init__(self, section: Pairs, root: Path) -> None:
        cv2.setNumThreads(1)  # the pool has a process per core already
        self.section, self.root = section, root

    def __call__(self, batch: Sequence[Product]) -> list[Row]:
        return [row for product in batch for row in self._rows(product)]

    def _rows(self, product: Product) -> Iterator[Row]:
        """A row per person in `product`; the pictures that are not there yet are written."""
        article = product.articles[0]
        for human in product.humans:
            pair_id = _pair_id(self.section, product, human)
            article_path, human_path = _paths(pair_id)
            try:
                measured = self._measured(self._image(article), self._image(human), article_path, human_path)
            except OSError:
                yield _row(pair_id, product, article, human, "missing_file")
            except ChangedPhotoError:
                yield _row(pair_id, product, article, human, "changed")
            except codec.ImageError:
                yield _row(pair_id, product, article, human, "decode_failed")
            else:
                paths = {"article_path": article_path, "human_path": human_path}
                yield _row(pair_id, product, article, human, OK) | paths | measured

    def _image(self, picture: ProductPicture) -> RGB:
        return codec.decode(read_photo(self.root, picture.path, picture.image_id))

    def _measured(self, article: RGB, human: RGB, article_path: str, human_path: str) -> Row:
        """The columns that pixels decide, uint8 RGB [H, W, 3] in."""
        article_affine, square = self._letterboxed(article, article_path)
        human_affine, person = self._letterboxed(human, human_path)
        faces = [self._faces(rgb) if self.section.faces else None for rgb in (article, human)]
        return {
            "article_affine": article_affine.ravel().tolist(),
            "human_affine": human_affine.ravel().tolist(),
            "article_phash": phash.phash(square),
            "article_colours": article_copies.colours(square),
            "human_phash": phash.phash(person),
            "human_colours": article_copies.colours(person),
            "article_faces": None if faces[0] is None else len(faces[0]),
            "human_faces": None if faces[1] is None else len(faces[1]),
            "article_shown": evidence.shown(article),
            "human_shown": evidence.shown(human),
            "border": evidence.border(article),
            "aspect": evidence.aspect(article),
            **evidence.worn(article, human, faces[1] or ()),
        }

    def _letterboxed(self, rgb: RGB, target: str) -> tuple[Affine, RGB]:
        height, width = rgb.shape[:2]
        square = letterbox.boxed(rgb, self.section)
        with atomic_write(inside(self.root, target), durable=False) as temporary:
            temporary.write_bytes(codec.encode_png(square))
        return letterbox.affine(width, height, self.section.size), square

    def _faces(self, rgb: RGB) -> list[Box]:
        """The faces that look like one."""
        return [cut.box for cut in self._aligner(rgb) if cut.reason == OK and cut.box]

    @cached_property
    def _aligner(self) -> Callable[[RGB], list[Any]]:
        return Aligner(_FACES)


def _with_status(
    section: Pairs,
    product: Product,
    human: ProductPicture,
    measured: Mapping[str, Any],
    decided: decisions.Decisions,
    shared: frozenset[str],
) -> Row:
    """`measured` with today's texts and licences, and the reason that a decision gives, else the thresholds."""
    items = measured["pair_id"], product.articles[0].image_id, human.image_id
    if measured["reason"] in _UNTRIED:
        reason = measured["reason"]
    elif decided.refusal(*items):
        reason = "review"
    elif decided.kept_by_person(items[0]):
        reason = OK
    elif items[1] in shared:
        reason = "blank_article"
    else:
        text = f"{product.title} {product.articles[0].text} {human.text}"
        reason = refusals.reason(section, text, human.text, measured)
    return {**measured, **_row(measured["pair_id"], product, product.articles[0], human, reason), "duplicate_of": None}


def _sweep(root: Path, named: set[str | None]) -> None:
    """Takes away the pictures that no row names: of older settings, or half-written when a run was killed."""
    for path in inside(root, PAIRS.pictures).glob("*/*"):
        if path.relative_to(root).as_posix() not in named and (path.is_symlink() or not path.is_dir()):
            path.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()  # only when it is empty
