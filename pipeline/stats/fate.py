"""What became of a picture, and the command that would change it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from curate.pipeline.stats.reasons import REASONS
from curate.pipeline.stats.thresholds import Threshold
from curate.pipeline.tables.manifest import OK
from curate.pipeline.tables.provenance import CUT

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Fate:
    """What became of a picture, why, and how to change that."""

    state: str
    because: str = ""
    change: str = ""  # in words, before the command
    command: str = ""  # "" where none would change it


_SCRAPE = {  # reason -> the key that would have to say something else; "" for one that may pass another time
    "too_large": "scrape.max_bytes",
    "too_slow": "scrape.deadline",
    "bomb": "scrape.max_pixels",
    "too_small": "scrape.min_side",
    "license": "scrape.licenses",
    "no_contact": "scrape.contact",
    "animated": "scrape.animated",
    **dict.fromkeys(("http_4xx", "http_5xx", "network", "quota", "host_off", "robots_unreachable"), ""),
}
_CROP = {
    "many_faces": "crop.faces",
    "not_largest": "crop.faces",
}


def of_candidate(row: Row) -> Fate:
    """Of a row of images.parquet."""
    reason = row["reason"]
    if reason == OK:
        command = f'curate reject {row["image_id"]} --reason "..." && curate build'
        return Fate("fetched", "", "Take out whatever is made of it:", command)
    state, because = f"refused: {reason}", REASONS["scrape"].get(reason, "")
    if reason not in _SCRAPE:
        return Fate(state, because)
    key = _SCRAPE[reason]
    change = f"Change {key} in params.yaml, then" if key else "It may pass another time:"
    return Fate(state, because, change, f"curate scrape --retry-failed={reason}")


def of_crop(row: Row, copied: Row | None, held: Row | None, limits: Iterable[Threshold]) -> Fate:
    """Of a row of crops.parquet, its row of dedup.parquet and its row of dataset.parquet, where there are any."""
    crop_id, reason = row["crop_id"], row["reason"]
    if reason == "review" or (held and held["reason"] == "review"):
        return Fate("taken out by a person", "", "Put it back:", f"curate keep {crop_id} && curate build")
    if reason != OK:
        return _refused_crop(row, limits)
    if copied and copied["reason"] != OK:
        return Fate(
            "given up as a copy",
            REASONS["dedup"].get(copied["reason"], ""),
            "Lower dedup.radius or raise dedup.likeness in params.yaml, then",
            "curate dedup && curate build",
        )
    if held and held["reason"] == "select":
        return Fate("left out by curate select", "", "Take the selection back:", "curate select --undo")
    state = f"in the set: {held['split']}" if held else "kept"
    return Fate(state, "", "Take it out:", f'curate reject {crop_id} --reason "..." && curate build')


def _refused_crop(row: Row, limits: Iterable[Threshold]) -> Fate:
    reason = row["reason"]
    state, because = f"refused: {reason}", REASONS["crop"].get(reason, "")
    broken = next((one for one in limits if one.reason == reason and one.broken_by(row.get(one.column))), None)
    if broken:
        return Fate(state, broken.words(row[broken.column]), f"Change {broken.key} in params.yaml, then", CUT)
    if reason == "no_face":
        return Fate(state, because, "Click on its eyes and mouth on the page of", "curate review")
    if reason in _CROP:
        return Fate(state, because, f"Change {_CROP[reason]} in params.yaml, then", CUT)
    return Fate(state, because)


def of_pair(row: Row, limits: Iterable[Threshold]) -> Fate:
    """Of a row of pairs.parquet."""
    pair_id, reason = row["pair_id"], row["reason"]
    if reason == OK:
        command = f'curate reject {pair_id} --reason "..." && curate pairs'
        return Fate(f"in the set: {row['split']}", "", "Take it out:", command)
    state, because = f"refused: {reason}", REASONS["pairs"].get(reason, "")
    if not (row["article_path"] and row["human_path"]):
        return Fate(state, because)  # without both pictures there is nothing to keep
    broken = next((one for one in limits if one.reason == reason and one.broken_by(row.get(one.column))), None)
    if broken:
        because = broken.words(row[broken.column])
    return Fate(state, because, "Keep it all the same:", f"curate keep {pair_id} && curate pairs")
