"""The table that `curate suspects` leaves for the report: what each crop's neighbours say, and a map of them all."""

from __future__ import annotations

import pyarrow as pa

from curate.pipeline.tables.schema import CROPS, Table

SUSPECTS = Table(
    "suspects",
    1,
    "crop_id",
    pa.schema(
        [
            pa.field("crop_id", pa.string(), nullable=False),  # of crops
            pa.field("path", pa.string(), nullable=False),  # the crop, below processed/crops
            pa.field("domain", pa.string(), nullable=False),  # of the crop, as decisions have it
            pa.field("voted", pa.string(), nullable=False),  # the other domain that most of its neighbours are of
            pa.field("score", pa.float32(), nullable=False),  # share of its neighbours' votes against its domain, 0..1
            pa.field("rank", pa.int32()),  # 1 is the first to look at; null for what a person has decided on
            pa.field("neighbours", pa.list_(pa.string()), nullable=False),  # crop_ids of the three nearest
            pa.field("x", pa.float32(), nullable=False),  # on the map, 0..1: near is alike
            pa.field("y", pa.float32(), nullable=False),  # the same, downwards
        ]
    ),
    "curate suspects",
    paths={"path": CROPS.pictures},
    ids=("crop_id",),
    folder="processed/views",
)
