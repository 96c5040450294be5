"""What stands beside an export: which licences its pictures are under, and who made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.files import atomic_write
from curate.pipeline.core.terminal_text import visible_line
from curate.pipeline.tables import attribution
from curate.pipeline.tables.arrow import is_in

LICENSES = "LICENSES.txt"
ATTRIBUTION = "ATTRIBUTION.csv"


def write(root: Path, out: Path, places: Mapping[str, Sequence[str]]) -> None:
    """Writes LICENSES.txt and ATTRIBUTION.csv for the photos of `places`: image_id -> their pictures below `out`.

    Raises CurateError for a disk that refuses. Photos that images.parquet does not know are of unknown licence.
    """
    used = {image: " ".join(names) for image, names in places.items()}
    photos = attribution.read_photos(root, required=False)
    photos = photos.filter(is_in(photos["image_id"], used))
    attribution.write_csv(out / ATTRIBUTION, photos, used)
    with atomic_write(out / LICENSES) as temporary:
        temporary.write_text(_licenses(photos, len(used)), "utf-8")


def licenses(table: pa.Table) -> list[tuple[str, str | None, int]]:
    """Code, address and photos of each licence in `table`, the most frequent first."""
    groups = table.group_by(["license", "license_url"]).aggregate([("image_id", "count_distinct")]).to_pylist()
    found = [(row["license"], row["license_url"], row["image_id_count_distinct"]) for row in groups]
    return sorted(found, key=lambda one: (-one[2], one[0], one[1] or ""))


def _licenses(table: pa.Table, photos: int) -> str:
    lines = [
        "The pictures in this folder were cut from photos that belong to those who made them.",
        f"{ATTRIBUTION} names the maker, the licence and the page of each photo, and the pictures cut from it.",
        "",
        f"{photos} photos, by licence as their sources state it:",
        *(visible_line(f"  {count:7}  {code}{f'  {url}' if url else ''}") for code, url, count in licenses(table)),
    ]
    if unknown := photos - pc.count_distinct(table["image_id"]).as_py():
        lines.append(f"  {unknown:7}  not known: manifests/images.parquet has no row of them")
    lines += ["", "A licence speaks for the photo, not for the person in it.", ""]
    return "\n".join(lines)
