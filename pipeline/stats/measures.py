"""What was measured, by domain: how it is spread, which threshold cuts it, and the pictures at both ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup
from numpy.typing import NDArray

from curate.pipeline.stats.charts import histogram, number
from curate.pipeline.stats.gallery import Gallery, Picture
from curate.pipeline.stats.tables import Row, Tables
from curate.pipeline.stats.thresholds import Threshold
from curate.pipeline.tables.arrow import as_float
from curate.pipeline.tables.manifest import ACCEPTED

ENDS = 3  # pictures at each end
STRETCH = 0.5  # a threshold is drawn if it lies at most so far outside of what was measured, in its width
OF_CROPS = {
    "face_px": ("Face size", "side of the face box, px"),
    "sharpness": ("Sharpness", "variance of the Laplacian"),
    "brightness": ("Brightness", "mean luma, 0 to 255"),
    "roll": ("Head tilt", "degrees"),
    "padding": ("Padding", "share of the crop outside the picture"),
    "unrest": ("Unrest", "how far landmarks move when the box does, in eye distances"),
    "shape_error": ("Shape", "landmarks from the mean face, in eye distances"),
    "skin": ("Skin", "share of the box's middle with skin's colour"),
    "outlines": ("Outlines", "share of the crop on hard edges; high in drawings"),
}
OF_PAIRS = {
    "agreement": ("Agreement", "share of the article whose colours the person wears"),
    "others": ("Other clothes", "share of the torso in other colours"),
    "worn_at": ("Worn at", "face heights below the chin"),
    "border": ("Plain ground", "share of the article's border in its colour"),
    "aspect": ("Aspect", "height over width of the article"),
    "hair": ("Back view", "share of the head in hair's colour"),
    "article_shown": ("Article shown", "share of the article's picture that shows something"),
    "human_shown": ("Person shown", "share of the person's picture that shows something"),
}
ALWAYS = frozenset({"face_px", "sharpness", "brightness", "roll", "padding"})  # others only where they refuse something


@dataclass(frozen=True)
class DomainSpread:
    """One measure of one domain."""

    domain: str
    svg: Markup
    median: str
    limits: Sequence[str]  # the keys and values of its thresholds that are drawn
    lowest: Sequence[Picture]
    highest: Sequence[Picture]


@dataclass(frozen=True)
class Measure:
    """One measure, all its domains on one scale."""

    title: str
    unit: str
    spreads: Sequence[DomainSpread]


def measures(tables: Tables, gallery: Gallery) -> Iterator[Measure]:
    """Each measure that has values: of images and crops, then of pairs."""
    side = pc.min_element_wise(tables.images["width"], tables.images["height"], skip_nulls=False)
    images = tables.images.append_column("side", side)
    own = list(gallery.thresholds.of_images())
    yield from _measure(images, "side", "Image size", "shorter side, px", lambda _: own, gallery.candidate)

    def crop(row: Row) -> Picture | None:
        return gallery.crop(row["crop_id"])

    for column, (title, unit) in OF_CROPS.items():
        if column in ALWAYS or _refuses(tables.crops, column, gallery.thresholds.of_crops):
            yield from _measure(tables.crops, column, title, unit, gallery.thresholds.of_crops, crop)

    def person(row: Row) -> Picture | None:
        return next(reversed(gallery.pair(row)), None)

    limits = list(gallery.thresholds.of_pairs())
    for column, (title, unit) in OF_PAIRS.items():
        yield from _measure(tables.pairs, column, title, unit, lambda _: limits, person)


def _refuses(table: pa.Table, column: str, limits: Callable[[str], Sequence[Threshold]]) -> bool:
    """Whether a threshold on `column` refused a row of `table`."""
    for domain in _domains(table):
        values = as_float(table[column].filter(pc.equal(table["domain"], domain)))
        for limit in limits(domain):
            if limit.column == column and ((values < limit.low) | (values > limit.high)).any():
                return True
    return False


def _measure(
    table: pa.Table,
    column: str,
    title: str,
    unit: str,
    limits: Callable[[str], Sequence[Threshold]],
    show: Callable[[Row], Picture | None],
) -> Iterator[Measure]:
    known = table.filter(pc.is_valid(table[column]))
    kept = pc.equal(known["status"], ACCEPTED).to_numpy(zero_copy_only=False)
    if not kept.any():
        return
    values = as_float(known[column])
    low, high = (float(q) for q in np.quantile(values[kept], [0.005, 0.995]))
    own = {domain: [limit for limit in limits(domain) if limit.column == column] for domain in _domains(known)}
    low, high = _stretched(low, high, [bound for found in own.values() for limit in found for bound in limit.bounds()])
    spreads = []
    for domain, found in own.items():
        here = np.asarray(pc.equal(known["domain"], domain).to_numpy(zero_copy_only=False))
        if (mine := np.flatnonzero(here & kept)).size:
            drawn = {bound: limit.key for limit in found for bound in limit.bounds() if low <= bound <= high}
            svg = histogram(values[mine], values[here & ~kept], low, high, f"{title}, {domain}", list(drawn))
            lowest, highest = _ends(known, mine[np.argsort(values[mine], kind="stable")], show)
            told = [f"{key} {number(bound)}" for bound, key in drawn.items()]
            spreads.append(DomainSpread(domain, svg, number(float(np.median(values[mine]))), told, lowest, highest))
    yield Measure(title, unit, spreads)


def _stretched(low: float, high: float, bounds: Sequence[float]) -> tuple[float, float]:
    """The range, and the thresholds that lie near it."""
    room = (high - low) * STRETCH
    near = [bound for bound in bounds if low - room <= bound <= high + room]
    return min([low, *near]), max([high, *near])


def _ends(
    table: pa.Table, order: NDArray[np.int64], show: Callable[[Row], Picture | None]
) -> tuple[list[Picture], list[Picture]]:
    """The pictures of the first and of the last rows of `table` in `order`."""
    count = min(ENDS, len(order) // 2)
    parts = order[:count], order[len(order) - count :]
    shown = ([show(table.slice(int(at), 1).to_pylist()[0]) for at in part] for part in parts)
    lowest, highest = ([picture for picture in part if picture] for part in shown)
    return lowest, highest


def _domains(table: pa.Table) -> list[str]:
    return sorted(pc.unique(table["domain"]).to_pylist())
