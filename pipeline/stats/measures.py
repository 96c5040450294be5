"""The numbers of the report: measures by domain, and who is to be credited."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from curate.pipeline.stats.charts import histogram, number
from curate.pipeline.stats.gather import Tables
from curate.pipeline.tables import manifest

MEASURES = {
    "side": ("Image size", "shorter side, px"),
    "face_px": ("Face size", "side of the face box, px"),
    "sharpness": ("Sharpness", "variance of the Laplacian"),
    "brightness": ("Brightness", "mean luma, 0 to 255"),
    "roll": ("Head tilt", "degrees"),
    "padding": ("Padding", "share of the crop outside the picture"),
}
CREDITS = ("title", "creator", "license", "license_url", "page_url", "image_url", "source", "path")


@dataclass(frozen=True)
class Measure:
    """One measure, a chart and a median per domain, all on one scale."""

    title: str
    unit: str
    charts: Mapping[str, tuple[Markup, str]]


def measures(tables: Tables) -> Iterator[Measure]:
    """Each measure that has values, over what was accepted."""
    images = manifest.accepted(tables.images)
    side = pc.min_element_wise(images["width"], images["height"], skip_nulls=False)
    images = images.append_column("side", side)
    crops = manifest.accepted(tables.crops)
    for column, (title, unit) in MEASURES.items():
        table = images if column == "side" else crops
        known = table.filter(pc.is_valid(table[column]))
        if known.num_rows:
            yield Measure(title, unit, _charts(known, column, title))


def _charts(table: pa.Table, column: str, title: str) -> dict[str, tuple[Markup, str]]:
    values = table[column].to_numpy().astype(np.float64)
    domains = table["domain"].to_numpy()
    low, high = (float(q) for q in np.quantile(values, [0.005, 0.995]))
    charts = {}
    for domain in sorted(set(domains)):
        own = values[domains == domain]
        charts[domain] = (histogram(own, low, high, f"{title}, {domain}"), number(float(np.median(own))))
    return charts


def attribution(tables: Tables) -> list[dict[str, Any]]:
    """Title, maker, licence and page of each image that trains, by domain and order of discovery."""
    crops = set(manifest.accepted(tables.dataset)["source_path"].to_pylist())
    pairs = manifest.accepted(tables.pairs)
    ids = set(pairs["article_image_id"].to_pylist()) | set(pairs["human_image_id"].to_pylist())
    rows = manifest.accepted(tables.images).to_pylist()
    used = [row for row in rows if row["path"] in crops or row["image_id"] in ids]
    return sorted(used, key=lambda row: (row["domain"], row["rank"], row["candidate_id"]))


def attribution_csv(rows: list[dict[str, Any]]) -> str:
    """`rows` of `attribution` as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CREDITS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
