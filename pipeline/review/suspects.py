"""Crops that look as if they were in the wrong domain: their neighbours say so. A list, a contact sheet and a table.

The table, processed/views/suspects.parquet, is what `curate suspects --move 1-9` counts by, and what the report draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.pipeline.core.errors import TableError, UsageError
from curate.pipeline.core.progress import SILENT, Progress, Task
from curate.pipeline.core.text_table import table as as_text
from curate.pipeline.imaging import codec, shards
from curate.pipeline.pages import contact_sheet
from curate.pipeline.pages.contact_sheet import Shown, Tile
from curate.pipeline.pages.thumbnails import inside
from curate.pipeline.review import crop_features, neighbours, set_map
from curate.pipeline.review.crop_features import CropNet
from curate.pipeline.tables import crop_status, decisions, manifest, provenance
from curate.pipeline.tables.suspects_table import SUSPECTS

FEWEST = 4  # crops of a domain
NAMED = 10  # suspects that a terminal shows
_BESIDE = 40  # px of a neighbour on the sheet: three are as wide as the crop
_LEAD = "The numbers are those that --move, --reject and --keep take. Below each crop: the three that are most like it."
_HEADER = ("rank", "crop_id", "score", "domain", "voted", "path", "source_path")


@dataclass(frozen=True)
class Suspect:
    """A crop, and what its neighbours say."""

    rank: int
    crop_id: str
    score: float  # share of their votes against its domain
    domain: str
    voted: str  # the domain that they would put it into
    path: str
    source_path: str


@dataclass(frozen=True)
class FoundSuspects:
    """What was found, and where it is written down."""

    net: str  # whose features were compared
    crops: int  # that were asked about
    unjudged: int  # that the net can say nothing of
    doubtful: int  # whose neighbours mostly are of another domain
    first: tuple[Suspect, ...]
    files: contact_sheet.SheetFiles


def run(
    net: CropNet, root: Path, *, domains: Sequence[str] = (), top: int | None = None, progress: Progress = SILENT
) -> FoundSuspects:
    """Writes processed/views/suspects.html, .tsv and .parquet: every crop that trains, the most doubtful first.

    The sheet shows the `top`; without it those whose neighbours mostly are of another domain. What a person has said
    to keep or to move is not on the list any more, but still votes, where it was moved to. Only crops of `domains` are
    compared, those of all for none. Raises UsageError for less than two domains with FEWEST crops, or an unknown one;
    TableError when crops.parquet is missing.
    """
    made_from = provenance.inputs(SUSPECTS, root)
    decided = decisions.read(root, progress.note)
    crops = manifest.accepted(crop_status.crop_statuses(root, ("landmarks", "affine"), decided))
    crops = manifest.filter_domains(manifest.CROPS, crops, domains, root)
    features = crop_features.of_crops(crops, net, root, progress)
    judged = np.isfinite(features).all(1)
    crops, directions = crops.filter(pa.array(judged)), neighbours.directions(features[judged])
    names = _domains(crops)
    codes = np.searchsorted(names, np.array(crops["domain"].to_pylist(), str)).astype(np.int64)
    votes = neighbours.vote(directions, codes, _groups(crops, root))
    settled = np.array([_settled(decided, *ids) for ids in _ids(crops)], bool)
    order = votes.order[~settled[votes.order]]
    meta = {"net": net.name, provenance.INPUTS: made_from}
    _write(crops, votes, names, order, set_map.place(directions), root, meta)
    ranked = list(_ranked(crops, votes, names, order))
    doubtful = sum(one.score > 0.5 for one in ranked)
    shown = top or min(doubtful, contact_sheet.SHOWN)
    first, nearest = ranked[:shown], votes.nearest[order[:shown]]
    with progress.task("sheet", len(first)) as task:
        files = contact_sheet.write(
            root,
            SUSPECTS.name,
            heading="in the wrong domain?",
            lead=f"{', '.join(names)}; by {net.name}: {len(first):,} of {len(ranked):,}. {_LEAD}",
            header=_HEADER,
            rows=[tuple(getattr(one, name) for name in _HEADER) for one in ranked],
            shown=_shown(first, crops, nearest, root, task),
        )
    return FoundSuspects(net.name, len(codes), int((~judged).sum()), doubtful, tuple(ranked[:NAMED]), files)


def text(found: FoundSuspects) -> str:
    """What was found, for a terminal."""
    rows = [(one.rank, f"{one.score:.2f}", one.domain, one.voted, one.path) for one in found.first]
    unjudged = f"; {found.unjudged} without landmarks, of which {found.net} says nothing" if found.unjudged else ""
    return "\n".join(
        [
            f"{found.doubtful} of {found.crops} crops look more like another domain's, by {found.net}{unjudged}",
            as_text(("", "score", "is in", "looks like", "crop"), rows, left=0) if rows else "",
            contact_sheet.text(found.files),
            "look at the sheet, then decide by its numbers: curate suspects --move 2,5-9   (or --reject, --keep)",
        ]
    )


def _domains(crops: pa.Table) -> list[str]:
    """The domains of `crops`, by name. Raises UsageError unless there are two to compare."""
    counts = {row["values"]: row["counts"] for row in pc.value_counts(crops["domain"]).to_pylist()}
    enough = [name for name, count in counts.items() if count >= FEWEST]
    if len(enough) < 2:
        told = ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
        raise UsageError(
            f"suspects: two domains are compared, of {FEWEST} crops each at least; there are: {told}",
            "see what was kept: curate stats",
        )
    return sorted(counts)


def _groups(crops: pa.Table, root: Path) -> list[NDArray[np.int64]]:
    """What has no vote on each other, as numbers, [n] each: one photo; copies of one picture, or one person."""
    groups = [crops["image_id"]]
    if manifest.exists(manifest.DEDUP, root):
        dedup = manifest.read(manifest.DEDUP, root, ["crop_id", "cluster_id", "identity_id"])
        at = pc.index_in(crops["crop_id"], value_set=dedup["crop_id"].combine_chunks())
        for name in ("cluster_id", "identity_id"):
            groups.append(pc.coalesce(dedup[name].take(at), crops["crop_id"]))
    return [pc.dictionary_encode(one.combine_chunks()).indices.to_numpy().astype(np.int64) for one in groups]


def _settled(decided: decisions.Decisions, crop_id: str, image_id: str) -> bool:
    found = decided.decision(crop_id, image_id)
    return found is not None and found.by_person


def _ids(crops: pa.Table) -> Iterator[tuple[str, str]]:
    return zip(crops["crop_id"].to_pylist(), crops["image_id"].to_pylist(), strict=True)


def _ranked(
    crops: pa.Table, votes: neighbours.Votes, names: Sequence[str], order: NDArray[np.int64]
) -> Iterator[Suspect]:
    rows = crops.select(["crop_id", "domain", "path", "source_path"]).take(pa.array(order)).to_pylist()
    told = zip(rows, votes.score[order].tolist(), votes.voted[order].tolist(), strict=True)
    for rank, (row, score, code) in enumerate(told, 1):
        yield Suspect(rank=rank, score=round(score, 4), voted=names[code], **row)


def _write(
    crops: pa.Table,
    votes: neighbours.Votes,
    names: Sequence[str],
    order: NDArray[np.int64],
    places: set_map.Map,
    root: Path,
    meta: dict[str, Any],
) -> None:
    ids = crops["crop_id"].to_pylist()
    ranks = np.zeros(len(ids), np.int32)
    ranks[order] = np.arange(1, len(order) + 1)
    columns = {
        "crop_id": ids,
        "path": crops["path"],
        "domain": crops["domain"],
        "voted": [names[code] for code in votes.voted.tolist()],
        "score": votes.score.astype(np.float32),
        "rank": pa.array(ranks, mask=ranks == 0),
        "neighbours": [[ids[at] for at in row if at >= 0] for row in votes.nearest.tolist()],
        "x": places[:, 0].astype(np.float32),
        "y": places[:, 1].astype(np.float32),
    }
    manifest.write(SUSPECTS, pa.table(columns), root, meta)


def _shown(
    suspects: Sequence[Suspect], crops: pa.Table, nearest: NDArray[np.int64], root: Path, task: Task
) -> Iterator[Shown]:
    """Each suspect beside its neighbours; those whose file has gone are left out."""
    paths, domains = crops["path"].to_pylist(), crops["domain"].to_pylist()

    def tile(path: str, label: str, *side: int) -> Tile | None:
        try:
            return Tile(inside(codec.decode(shards.read(root, path)), *side), label)
        except (OSError, codec.ImageError):
            return None

    for one, row in zip(suspects, nearest.tolist(), strict=True):
        task.advance()
        if crop := tile(one.path, one.crop_id):
            beside = [tile(paths[at], domains[at], _BESIDE) for at in row if at >= 0]
            value = f"{one.rank}: {one.score:.2f}"
            yield Shown(crop, value, f"{one.domain} → {one.voted}", beside=[t for t in beside if t], id=one.crop_id)


def table(root: Path) -> pa.Table:
    """What the last `run` has left below `root`. Raises TableError where there was none."""
    if not manifest.exists(SUSPECTS, root):
        raise TableError(f"{SUSPECTS.path(root)}: not there yet", f"make it, and look: {SUSPECTS.made_by}")
    return manifest.read(SUSPECTS, root)
