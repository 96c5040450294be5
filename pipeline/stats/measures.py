"""The measures of the report, by domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from curate.pipeline.stats.charts import histogram, number
from curate.pipeline.stats.tables import Tables
from curate.pipeline.tables import manifest

MEASURES = {
    "side": ("Image size", "shorter side, px"),
    "face_px": ("Face size", "side of the face box, px"),
    "sharpness": ("Sharpness", "variance of the Laplacian"),
    "brightness": ("Brightness", "mean luma, 0 to 255"),
    "roll": ("Head tilt", "degrees"),
    "padding": ("Padding", "share of the crop outside the picture"),
}


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
