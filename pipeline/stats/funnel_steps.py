"""The steps of each domain: how many there are, and what became of those that did not reach the next one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.tables import manifest
from curate.pipeline.tables.arrow import is_in
from curate.pipeline.tables.manifest import ACCEPTED, OK
from curate.pipeline.tables.splits import SPLITS

Kind = Literal["faces", "pairs"]
UNITS: Mapping[Kind, Mapping[str, str]] = {  # the steps in order, and what each counts
    "faces": {
        "found": "pictures",
        "fetched": "pictures",
        "with_face": "pictures",
        "faces": "faces",
        "kept": "faces",
        "different": "faces",
    },
    "pairs": {
        "found": "pictures",
        "fetched": "pictures",
        "products": "products",
        "whole": "products",
        "pairs": "pairs",
    },
}
NO_PAIR = ("no_article", "no_human")
MOVED = "moved"  # a decision gave it to another domain
WAITING = "waiting"  # its stage has not looked at it yet

Column: TypeAlias = pa.Array | pa.ChunkedArray


@dataclass(frozen=True)
class Loss:
    """What did not reach the next step, for one reason: a stage's, MOVED or WAITING."""

    stage: str
    reason: str
    count: int


@dataclass(frozen=True)
class Step:
    """How many there are; less the losses that is the next step of the same unit, or what the set holds."""

    unit: str
    count: int
    losses: tuple[Loss, ...] = ()


@dataclass
class Part:
    """One domain's way through the stages, as far as they have run.

    Of faces: pictures found, fetched and with a face; the faces in them, those kept, and those that are no copies. Of
    pairs: pictures found and fetched; their products, and those with both pictures; and the pairs that these make.
    """

    domain: str
    kind: Kind
    steps: dict[str, Step] = field(default_factory=dict)
    split: dict[str, int] = field(default_factory=dict)  # what the set holds; empty as long as there is none
    moved_here: int = 0  # of that: from other domains, by decision

    def count(self, name: str) -> int | None:
        """The number of a step or a split; None where no stage has got that far."""
        return self.steps[name].count if name in self.steps else self.split.get(name)

    @property
    def most(self) -> int:
        """The largest of its numbers, 1 at least: how long the longest bar is."""
        return max(1, sum(self.split.values()), *(step.count for step in self.steps.values()))

    @property
    def losses(self) -> list[Loss]:
        """Those of all steps, in order."""
        return [loss for step in self.steps.values() for loss in step.losses]


class _Parts:
    """Collects the parts of all domains, a step at a time."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self.parts: dict[str, Part] = {}

    def of(self, domain: str) -> Part:
        return self.parts.setdefault(domain, Part(domain, self.kind))

    def add(self, name: str, stage: str, domains: Column, fates: Column | None = None) -> None:
        """A step with a thing for each of `domains`; `fates` are OK, or why it goes no further, as `stage` says."""
        fates = pa.repeat(OK, len(domains)) if fates is None else fates
        counts: dict[str, Counter[str]] = {domain: Counter() for domain in self.parts}
        for (domain, fate), n in count(pa.table({"domain": domains, "fate": fates}), "domain", "fate").items():
            counts.setdefault(domain, Counter())[fate] = n
        for domain, found in counts.items():
            lost = sorted((reason for reason in found if reason != OK), key=lambda reason: (-found[reason], reason))
            losses = tuple(Loss(stage, reason, found[reason]) for reason in lost)
            self.of(domain).steps[name] = Step(UNITS[self.kind][name], found.total(), losses)

    def hold(self, table: pa.Table) -> None:
        """What the set holds: the rows of `table`, by split."""
        held = count(table, "domain", "split")
        for domain in {*self.parts, *(domain for domain, _ in held)}:
            self.of(domain).split = {name: held[domain, name] for name in SPLITS}

    def sorted(self) -> list[Part]:
        return [self.parts[domain] for domain in sorted(self.parts)]


def count(table: pa.Table | None, *keys: str) -> Counter[tuple[str, ...]]:
    """Rows per combination of `keys`."""
    if table is None:
        return Counter()
    groups = table.group_by(list(keys)).aggregate([([], "count_all")]).to_pylist()
    return Counter({tuple(row[key] for key in keys): row["count_all"] for row in groups})


def pair_parts(images: pa.Table) -> pa.ChunkedArray:
    """Which rows of images.parquet are pictures of products, or candidates of a domain that has nothing else."""
    role = pc.is_valid(images["role"])
    loose = images.filter(pc.and_(pc.invert(role), pc.equal(images["status"], ACCEPTED)))
    with_role = set(pc.unique(images["domain"].filter(role)).to_pylist())
    only_products = sorted(with_role - set(pc.unique(loose["domain"]).to_pylist()))
    return pc.or_(role, is_in(images["domain"], only_products))


def of_faces(
    images: pa.Table | None, crops: pa.Table | None, dedup: pa.Table | None, dataset: pa.Table | None
) -> Iterator[Part]:
    """The parts of domains that have faces, as far as the tables are there. What a table holds beyond the one before
    it is left out: it is out of date there."""
    parts = _Parts("faces")
    if images is not None:
        images = images.filter(pc.invert(pair_parts(images)))
        parts.add("found", "scrape", images["domain"], images["reason"])
        images = manifest.accepted(images)
        seen = None if crops is None else _with_face(images, crops)
        parts.add("fetched", "crop", images["domain"], seen)
        if crops is not None:
            parts.add("with_face", "crop", images["domain"].filter(pc.equal(seen, OK)))
            crops = crops.filter(_among(crops["image_id"], images["image_id"]))
    if crops is not None:
        faces = crops.filter(_has_face(crops))
        parts.add("faces", "crop", faces["domain"], faces["reason"])
        kept = manifest.accepted(faces)
        copied = None if dedup is None else _reasons(kept["crop_id"], dedup, "crop_id")
        parts.add("kept", "dedup", kept["domain"], copied)
        if copied is not None:
            _add_set(parts, kept.filter(pc.equal(copied, OK)), dataset)
    elif dataset is not None:
        parts.hold(manifest.accepted(dataset))
    yield from parts.sorted()


def of_pairs(images: pa.Table | None, pairs: pa.Table | None) -> Iterator[Part]:
    """The parts of domains that have products."""
    parts = _Parts("pairs")
    if images is not None:
        images = images.filter(pair_parts(images))
        parts.add("found", "scrape", images["domain"], images["reason"])
        parts.add("fetched", "pairs", manifest.accepted(images)["domain"])
    if pairs is not None:
        product = pc.binary_join_element_wise(pairs["domain"], pairs["group_id"], "\n")
        lone = is_in(pairs["reason"], NO_PAIR)
        whole = _among(product, product.filter(pc.invert(lone)))
        products = pa.table(
            {"domain": pairs["domain"], "product": product, "fate": pc.if_else(whole, OK, pairs["reason"])}
        )
        products = products.group_by(["domain", "product"]).aggregate([("fate", "min")])
        parts.add("products", "pairs", products["domain"], products["fate_min"])
        parts.add("whole", "pairs", products["domain"].filter(pc.equal(products["fate_min"], OK)))
        made = pairs.filter(whole)
        parts.add("pairs", "pairs", made["domain"], made["reason"])
        parts.hold(manifest.accepted(pairs))
    yield from parts.sorted()


def _add_set(parts: _Parts, different: pa.Table, dataset: pa.Table | None) -> None:
    """The step of crops that are no copies, and what of them the set holds, in the domain that decisions put it."""
    if dataset is None:
        parts.add("different", "build", different["domain"])
        return
    place = pc.index_in(different["crop_id"], value_set=dataset["crop_id"].combine_chunks())
    now = pc.fill_null(dataset["domain"].take(place), "")
    fates = _reasons(different["crop_id"], dataset, "crop_id")
    away = pc.and_(pc.equal(fates, OK), pc.not_equal(now, different["domain"]))
    parts.add("different", "build", different["domain"], pc.if_else(away, MOVED, fates))
    known = dataset.filter(_among(dataset["crop_id"], different["crop_id"]))
    parts.hold(manifest.accepted(known))
    for (domain,), n in count(pa.table({"domain": now.filter(away)}), "domain").items():
        parts.of(domain).moved_here = n


def _has_face(crops: pa.Table) -> Column:
    """Which rows are a face, or a picture that is taken as one."""
    return pc.or_(pc.greater_equal(crops["face_index"], 0), pc.equal(crops["status"], ACCEPTED))


def _with_face(images: pa.Table, crops: pa.Table) -> Column:
    """OK for each picture with a face, else why crop found none."""
    faceless = _reasons(images["image_id"], crops.filter(pc.invert(_has_face(crops))), "image_id")
    return pc.if_else(_among(images["image_id"], crops["image_id"].filter(_has_face(crops))), OK, faceless)


def _reasons(keys: Column, later: pa.Table, key: str) -> Column:
    """The reason that `later` gives for each of `keys`; WAITING for those that it does not have."""
    return pc.fill_null(later["reason"].take(pc.index_in(keys, value_set=later[key].combine_chunks())), WAITING)


def _among(values: Column, known: Column) -> Column:
    return pc.is_in(values, value_set=known.combine_chunks() if isinstance(known, pa.ChunkedArray) else known)
