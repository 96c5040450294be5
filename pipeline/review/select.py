"""The best of each domain, balanced over poses: written as decisions into manifests/review.jsonl, and undone there.

A domain's crops fall into bins by yaw and pitch, those without landmarks into one of their own. Each bin gets an equal
share of what is to be kept; one with fewer crops passes the rest on to the others. Within a bin the sharpest faces
are taken, `pool` times as many as needed, and of these the ones least alike, among themselves and to what the bins
before have. What a person said to keep is in, whatever its bin; what a person rejected is out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.pipeline.core.errors import TableError, UsageError
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.core.text_table import table as as_text
from curate.pipeline.hashing import ordering
from curate.pipeline.review import sort_keys
from curate.pipeline.review.config import Select
from curate.pipeline.tables import crop_status, decisions, manifest
from curate.pipeline.tables.arrow import as_float, is_in
from curate.pipeline.tables.decisions import Decision
from curate.pipeline.tables.provenance import again

Counts: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Bin:
    """What was taken of one pose."""

    yaw: str  # degrees, as "-7..7"; "none" for crops without landmarks
    pitch: str
    candidates: int
    chosen: int


@dataclass(frozen=True)
class Choice:
    """What was taken of one domain."""

    domain: str
    candidates: int  # accepted crops that are no copies and that no person rejected
    chosen: int
    bins: tuple[Bin, ...]  # that have candidates


def run(section: Select, root: Path, *, domains: Sequence[str] = (), progress: Progress = SILENT) -> tuple[Choice, ...]:
    """Rejects, by decisions of "select", all but the best `keep` crops of each of `domains` (none: of every domain).

    What it decided before on these domains is replaced; other decisions stay. Equal tables give equal decisions, and
    equal decisions leave the file as it is. Raises UsageError for edges that do not rise or an unknown domain,
    TableError when a table is missing or dedup was not made from what crop accepted.
    """
    for name, edges in (("yaw", section.yaw), ("pitch", section.pitch)):
        if list(edges) != sorted(set(edges)):
            raise UsageError(f"select.{name}: {list(edges)}: must rise", f"mend select.{name} in params.yaml")
    decided = decisions.read(root, progress.note)
    asked = [column for key in section.only for column in _numbers(key).columns]
    crops = crop_status.crop_statuses(root, ("landmarks", "face_sharpness", *asked), decided.by_persons())
    crops = manifest.accepted(manifest.filter_domains(manifest.CROPS, crops, domains, root))
    if crops["phash"].null_count:
        raise TableError(
            f"{manifest.DEDUP.path(root)}: made from other crops than those in {manifest.CROPS.path(root)}",
            f"make it again: {again(manifest.DEDUP, root)}",
        )
    choices, rejected = [], _on_other_domains(decided, domains, root)
    for domain in sorted(pc.unique(crops["domain"]).to_pylist()):
        own = crops.filter(pc.equal(crops["domain"], domain))
        required = np.array([decided.kept_by_person(*ids) for ids in _ids(own)], bool)
        chosen, bins = choose(own, required, section)
        choices.append(Choice(domain, own.num_rows, int(chosen.sum()), tuple(bins)))
        reason, when = f"not among the best of {domain}", decisions.now()
        for (crop_id, _), stays in zip(_ids(own), chosen.tolist(), strict=True):
            if not stays:
                rejected[crop_id] = Decision(
                    item=crop_id, decision="reject", reason=reason, by=decisions.SELECT, when=when
                )
    decisions.replace(root, decisions.SELECT, rejected)
    return tuple(choices)


def undo(root: Path, domains: Sequence[str] = ()) -> int:
    """Takes back what `run` decided on `domains`, on all for none; returns how many decisions that were."""
    if not domains:
        return decisions.remove(root, decisions.SELECT)
    decided = decisions.read(root)
    left = _on_other_domains(decided, domains, root)
    decisions.replace(root, decisions.SELECT, left)
    return len(decided.by_command(decisions.SELECT)) - len(left)


def choose(crops: pa.Table, required: NDArray[np.bool_], section: Select) -> tuple[NDArray[np.bool_], list[Bin]]:
    """Which of the `crops` of one domain are taken, [n], and how many of each bin; `required` ones, [n], always are."""
    fits = required | _inside(crops, section)
    chosen, bins = _choose(crops.filter(pa.array(fits)), required[fits], section)
    placed = np.zeros(len(fits), np.bool_)
    placed[fits] = chosen
    return placed, bins


def _numbers(name: str) -> sort_keys.Key:
    """A key of `only`. Raises UsageError for one that is none, or whose values follow from an order."""
    key = sort_keys.named(name)
    if key.values is None:
        raise UsageError(f"select.only: {name}: orders crops, it has no values", "leave it out of select.only")
    return key


def _inside(crops: pa.Table, section: Select) -> NDArray[np.bool_]:
    """Which crops `only` lets pass, [n]: with all of its values in their ranges, so one without a value does not.

    A range from high to low goes round: hues from 340 to 20 are reds.
    """
    fits = np.ones(crops.num_rows, np.bool_)
    for name, (low, high) in section.only.items():
        key = _numbers(name)
        assert key.values is not None, "checked"
        values = key.values(crops)
        above, below = values >= low, values <= high
        fits &= above & below if low <= high else np.isfinite(values) & (above | below)
    return fits


def _choose(crops: pa.Table, required: NDArray[np.bool_], section: Select) -> tuple[NDArray[np.bool_], list[Bin]]:
    names, bin_of = _bins(sort_keys.poses(crops), section)
    sharpness = as_float(crops["face_sharpness"])
    hashes = crops["phash"].to_numpy().astype(np.uint64)
    counts = np.bincount(bin_of, minlength=len(names))
    quotas = shared(section.keep, counts, np.bincount(bin_of[required], minlength=len(names)))
    chosen = required.copy()
    for index in np.argsort(counts, kind="stable"):  # rare poses choose first; the others keep away from them
        more = int(quotas[index] - chosen[bin_of == index].sum())
        rest = np.flatnonzero((bin_of == index) & ~chosen)
        best = rest[np.argsort(-np.nan_to_num(sharpness[rest], nan=-1.0), kind="stable")][: ceil(more * section.pool)]
        places, _ = ordering.least_alike(hashes[best], more, hashes[chosen])
        chosen[best[places]] = True
    taken = np.bincount(bin_of[chosen], minlength=len(names))
    return chosen, [Bin(*names[i], int(counts[i]), int(taken[i])) for i in np.flatnonzero(counts)]


def shared(total: int, counts: Counts, least: Counts) -> Counts:
    """`total` shared evenly among bins that have `counts`, [n]: none gets more than it has nor less than `least`.

    What a bin cannot take goes to the others; what cannot be shared goes to the bins with the most. The sum is `total`
    unless the counts are fewer or `least` asks for more.
    """
    low, high = 0, int(counts.max(initial=0))
    while low < high:  # the highest level that all bins can be filled to
        level = (low + high + 1) // 2
        low, high = (level, high) if np.clip(level, least, counts).sum() <= total else (low, level - 1)
    quotas = np.clip(low, least, counts)
    open_ = np.flatnonzero((quotas == low) & (counts > low))
    rest = max(total - int(quotas.sum()), 0)
    quotas[open_[np.argsort(-counts[open_], kind="stable")][:rest]] += 1
    return quotas


def text(choices: Sequence[Choice]) -> str:
    """What was taken, for a terminal."""
    blocks = []
    for choice in choices:
        rows = [(b.yaw, b.pitch, b.candidates, b.chosen) for b in choice.bins]
        head = f"{choice.domain}: {choice.chosen} of {choice.candidates} crops"
        blocks.append(f"{head}\n{as_text(('yaw', 'pitch', 'crops', 'chosen'), rows, left=2)}")
    return "\n\n".join([*blocks, "next: curate build   (to take it back: curate select --undo)"])


def _bins(poses: sort_keys.Values, section: Select) -> tuple[list[tuple[str, str]], Counts]:
    """The bins' names, and the bin of each of `poses` [n, 2]."""
    yaws, pitches = _ranges(section.yaw), _ranges(section.pitch)
    names = [(yaw, pitch) for yaw in yaws for pitch in pitches] + [("none", "none")]
    across, up = (np.searchsorted(edges, poses[:, i], "right") for i, edges in enumerate((section.yaw, section.pitch)))
    return names, np.where(np.isnan(poses[:, 0]), len(names) - 1, across * len(pitches) + up)


def _ranges(edges: Sequence[float]) -> list[str]:
    ends = ["", *(f"{edge:g}" for edge in edges), ""]
    return [f"{low}..{high}" for low, high in pairwise(ends)]


def _ids(crops: pa.Table) -> Iterator[tuple[str, str]]:
    """crop_id and image_id of each row."""
    return zip(crops["crop_id"].to_pylist(), crops["image_id"].to_pylist(), strict=True)


def _on_other_domains(decided: decisions.Decisions, domains: Sequence[str], root: Path) -> dict[str, Decision]:
    """What select decided on crops that are there and of other domains than `domains`; nothing where these are all."""
    if not domains:
        return {}
    crops = crop_status.crop_statuses(root, decided=decided.by_persons())
    manifest.filter_domains(manifest.CROPS, crops, domains, root)
    others = crops.filter(pc.invert(is_in(crops["domain"], domains)))
    there = set(others["crop_id"].to_pylist())
    return {item: one for item, one in decided.by_command(decisions.SELECT).items() if item in there}
