"""Every table of curate: its columns, and reading, checking and writing it.

This is the only place where column names are declared. Tables are Parquet, sorted by key, with relative posix paths;
equal content gives equal bytes. A refused row stays, with `status` rejected and a `reason` from the table's closed
list; an accepted row has the reason ok.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import CurateError, TableError

ACCEPTED, REJECTED, OK = "accepted", "rejected", "ok"

_UTC = pa.timestamp("us", tz="UTC")


def _needed(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


@dataclass(frozen=True)
class Table:
    """What one manifest is: its name, its version, its columns, what sorts and identifies its rows, who writes it."""

    name: str
    version: int
    key: str
    schema: pa.Schema
    made_by: str
    reasons: frozenset[str] = field(default_factory=frozenset)
    paths: tuple[str, ...] = ()

    def path(self, root: Path) -> Path:
        """Where the table stands below `root`."""
        return root / "manifests" / f"{self.name}.parquet"


IMAGES = Table(
    "images",
    1,
    "candidate_id",
    pa.schema(
        [
            _needed("candidate_id", pa.string()),  # hash of source, domain and address: one row per candidate seen
            pa.field("image_id", pa.string()),  # sha256 of the received bytes; null when nothing was received
            pa.field("path", pa.string()),  # the bytes as received, below raw/images
            _needed("domain", pa.string()),
            _needed("source", pa.string()),
            pa.field("query", pa.string()),  # as a person typed it
            pa.field("image_url", pa.string()),
            pa.field("final_url", pa.string()),  # after redirects
            pa.field("page_url", pa.string()),
            pa.field("title", pa.string()),
            pa.field("creator", pa.string()),
            _needed("license", pa.string()),  # a normalised code; "unknown" when the source states none
            pa.field("license_url", pa.string()),
            pa.field("role", pa.string()),  # article, human, ... for the pictures of one product
            pa.field("group_id", pa.string()),  # shared by the pictures of one product
            _needed("rank", pa.int64()),  # order of discovery within the domain
            pa.field("width", pa.int32()),  # px, after EXIF rotation
            pa.field("height", pa.int32()),
            pa.field("bytes", pa.int64()),
            pa.field("retrieved_at", _UTC),
            pa.field("etag", pa.string()),
            pa.field("last_modified", pa.string()),
            pa.field("http_status", pa.int32()),
            pa.field("extra", pa.string()),  # JSON object: what else the source said
            _needed("status", pa.string()),
            _needed("reason", pa.string()),
        ]
    ),
    "curate scrape",
    frozenset(
        "ok duplicate surplus robots_denied robots_unreachable optout_header optout_meta ssrf_blocked too_large "
        "too_slow not_image unsupported animated decode_failed bomb too_small http_4xx http_5xx network quota "
        "license host_off incomplete excluded bad_url".split()
    ),
    ("path",),
)

CROPS = Table(
    "crops",
    1,
    "crop_id",
    pa.schema(
        [
            _needed("crop_id", pa.string()),  # hash of image, face and the rules it was cut by
            _needed("image_id", pa.string()),
            _needed("source_path", pa.string()),  # the raw image
            _needed("domain", pa.string()),
            _needed("license", pa.string()),
            _needed("detector", pa.string()),
            _needed("align", pa.string()),
            _needed("faces", pa.int32()),  # faces found in the image
            _needed("face_index", pa.int32()),  # by falling score; -1 for an image without one
            pa.field("box", pa.list_(pa.float32(), 4)),  # x, y, width, height in raw px
            pa.field("score", pa.float32()),  # the detector's own
            pa.field("landmarks", pa.list_(pa.float32())),  # 68 x (x, y) in raw px, flat
            pa.field("roll", pa.float32()),  # degrees by which the eye line falls to the right, in the raw image
            pa.field("affine", pa.list_(pa.float64(), 6)),  # 2x3, row-major: raw px -> crop px
            pa.field("face_px", pa.float32()),  # side of the detector's box in raw px
            pa.field("upscale", pa.float32()),  # crop px per raw px
            pa.field("padding", pa.float32()),  # share of the crop outside the raw image
            pa.field("sharpness", pa.float32()),  # variance of the Laplacian of the crop's luma at 128 px
            pa.field("brightness", pa.float32()),  # mean luma of the crop, 0..255
            pa.field("path", pa.string()),  # the crop, below processed/crops
            _needed("status", pa.string()),
            _needed("reason", pa.string()),
        ]
    ),
    "curate crop",
    frozenset(
        "ok no_face many_faces not_largest implausible too_small upscaled padding blurry too_dark too_bright "
        "decode_failed bomb missing_file worker_died no_model review".split()
    ),
    ("source_path", "path"),
)

DEDUP = Table(
    "dedup",
    1,
    "crop_id",
    pa.schema(
        [
            _needed("crop_id", pa.string()),
            _needed("domain", pa.string()),
            _needed("phash", pa.uint64()),
            _needed("cluster_id", pa.string()),  # the crop_id that stands for the cluster
            pa.field("duplicate_of", pa.string()),  # the crop_id that is kept instead
            _needed("status", pa.string()),
            _needed("reason", pa.string()),
        ]
    ),
    "curate dedup",
    frozenset("ok duplicate".split()),
)

DATASET = Table(
    "dataset",
    1,
    "crop_id",
    pa.schema(
        [
            _needed("crop_id", pa.string()),
            _needed("path", pa.string()),
            _needed("source_path", pa.string()),
            _needed("domain", pa.string()),
            _needed("split", pa.string()),  # train, val or test
            _needed("cluster_id", pa.string()),
            _needed("license", pa.string()),
            pa.field("landmarks", pa.list_(pa.float32())),  # 68 x (x, y) in crop px, flat
        ]
    ),
    "curate build",
    paths=("path", "source_path"),
)

PAIRS = Table(
    "pairs",
    1,
    "pair_id",
    pa.schema(
        [
            _needed("pair_id", pa.string()),
            _needed("group_id", pa.string()),  # the product
            _needed("domain", pa.string()),
            pa.field("article_image_id", pa.string()),
            pa.field("human_image_id", pa.string()),
            pa.field("article_path", pa.string()),  # letterboxed, below processed/pairs
            pa.field("human_path", pa.string()),
            pa.field("article_affine", pa.list_(pa.float64(), 6)),  # 2x3, row-major: raw px -> letterboxed px
            pa.field("human_affine", pa.list_(pa.float64(), 6)),
            pa.field("article_phash", pa.uint64()),
            pa.field("duplicate_of", pa.string()),  # the pair_id that is kept instead
            _needed("cluster_id", pa.string()),  # products whose articles are copies of each other share one
            _needed("split", pa.string()),
            _needed("license", pa.string()),
            _needed("status", pa.string()),
            _needed("reason", pa.string()),
        ]
    ),
    "curate pairs",
    frozenset("ok duplicate no_article no_human decode_failed missing_file worker_died".split()),
    ("article_path", "human_path"),
)

TABLES: Mapping[str, Table] = {t.name: t for t in (IMAGES, CROPS, DEDUP, DATASET, PAIRS)}

_VERSION, _META = b"curate.version", b"curate.meta"


def from_rows(table: Table, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """`rows` as an Arrow table of `table`'s schema; a key that is absent is null. Raises TableError if ill-typed."""
    rows = list(rows)
    stray = {key for row in rows for key in row} - set(table.schema.names)
    if stray:
        raise TableError(f"{table.name}: no such column: {', '.join(sorted(stray))}")
    try:
        return pa.Table.from_pylist(rows, schema=table.schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise TableError(f"{table.name}: {error}") from error


def empty(table: Table) -> pa.Table:
    """A `table` without rows."""
    return table.schema.empty_table()


def accepted(data: pa.Table) -> pa.Table:
    """The rows of `data` that were not refused."""
    return data.filter(pc.equal(data["status"], ACCEPTED))


def write(table: Table, data: pa.Table, root: Path, meta: Mapping[str, Any] | None = None) -> Path:
    """Checks, sorts and writes `data` below `root`, whole or not at all, and returns the file's path.

    `meta` is kept as JSON in the file's metadata: the settings that made the table. Raises TableError for data that
    break the table's rules and CurateError for a disk that refuses.
    """
    try:
        data = data.cast(table.schema).sort_by(table.key).combine_chunks()
    except (ValueError, pa.ArrowException) as error:
        raise TableError(f"{table.name}: {error}") from error
    _check(table, data, table.name)
    notes = {_VERSION: str(table.version).encode(), _META: json.dumps(meta or {}, sort_keys=True).encode()}
    path = table.path(root)
    with replacing(path) as temporary:
        pq.write_table(data.replace_schema_metadata(notes), temporary, compression="zstd", store_schema=True)
    return path


def read(table: Table, root: Path, columns: list[str] | None = None) -> pa.Table:
    """The checked table below `root`, in key order.

    Raises TableError when it is missing, broken, invalid or of another schema version.
    """
    path = table.path(root)
    metadata = _metadata(table, path)
    found = metadata.get(_VERSION, b"none").decode("ascii", "replace")
    if found != str(table.version):
        raise TableError(
            f"{path}: schema version {found}, this curate reads {table.version}",
            f"make it again: {table.made_by}",
        )
    try:
        data = pq.read_table(path, columns=columns, memory_map=True)
    except (OSError, pa.ArrowException) as error:
        raise TableError(f"{path}: broken: {error}", f"make it again: {table.made_by}") from error
    data = data.replace_schema_metadata(None)
    if columns is None:
        try:
            data = data.cast(table.schema)
            _check(table, data, str(path))
        except (ValueError, pa.ArrowException) as error:
            raise TableError(f"{path}: {error}", f"make it again: {table.made_by}") from error
    return data


def meta(table: Table, root: Path) -> dict[str, Any]:
    """The settings that made the table below `root`. Raises TableError like `read`."""
    settings: dict[str, Any] = json.loads(_metadata(table, table.path(root)).get(_META, b"{}"))
    return settings


def exists(table: Table, root: Path) -> bool:
    """Whether the table's file stands below `root`."""
    return table.path(root).is_file()


def _metadata(table: Table, path: Path) -> Mapping[bytes, bytes]:
    try:
        return pq.read_schema(path, memory_map=True).metadata or {}
    except FileNotFoundError:
        raise TableError(f"{path}: not there yet", f"make it: {table.made_by}") from None
    except (OSError, pa.ArrowException) as error:
        raise TableError(f"{path}: not a Parquet file: {error}", f"make it again: {table.made_by}") from None


def _check(table: Table, data: pa.Table, where: str) -> None:
    if data.schema.names != table.schema.names:
        raise TableError(f"{where}: columns {data.schema.names}, not {table.schema.names}")
    for column in table.schema:
        if not column.nullable and data[column.name].null_count:
            raise TableError(f"{where}: {column.name}: {data[column.name].null_count} rows are empty")
    keys = data[table.key].to_numpy(zero_copy_only=False)
    if len(keys) > 1 and not (keys[1:] > keys[:-1]).all():
        raise TableError(f"{where}: {table.key}: not sorted, or not unique")
    for name in table.paths:
        paths = pc.drop_null(data[name])
        if pc.any(pc.match_substring_regex(paths, r"^$|^/|\\|(^|/)\.\.(/|$)|^[A-Za-z]:")).as_py():
            raise TableError(f"{where}: {name}: not a relative posix path below the root")
    if table.reasons:
        _check_reasons(table, data, where)


def _check_reasons(table: Table, data: pa.Table, where: str) -> None:
    stray = set(pc.unique(data["reason"]).to_pylist()) - table.reasons
    if stray:
        raise TableError(f"{where}: reason: not in the list: {', '.join(sorted(stray))}")
    unsaid = set(pc.unique(data["status"]).to_pylist()) - {ACCEPTED, REJECTED}
    agree = pc.equal(pc.equal(data["status"], ACCEPTED), pc.equal(data["reason"], OK))
    if unsaid or not pc.all(agree, min_count=0).as_py():
        raise TableError(f"{where}: status: must be accepted with the reason ok, or rejected with another")


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes when it does not.

    Makes the folder. `durable` waits until the bytes are on the disk, which is slow for many small files. Raises
    CurateError when the disk is full or not writable.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if durable:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise CurateError(
            f"{path}: cannot write: {error.strerror or error}",
            "free some space or mend the rights, then run it again",
        ) from error
    finally:
        with contextlib.suppress(OSError):  # mostly it is gone: renamed, or never written
            temporary.unlink()


@dataclass(frozen=True)
class Summary:
    """How a stage went: rows by what became of them."""

    table: str
    rows: int
    accepted: int
    reasons: Mapping[str, int]  # why the others were refused, most frequent first


def summarize(table: Table, data: pa.Table) -> Summary:
    """Counts `data` by status and reason."""
    if not table.reasons:
        return Summary(table.name, data.num_rows, data.num_rows, {})
    counts = pc.value_counts(data["reason"]).to_pylist()
    reasons = {c["values"]: c["counts"] for c in sorted(counts, key=lambda c: (-c["counts"], c["values"]))}
    return Summary(table.name, data.num_rows, reasons.pop(OK, 0), reasons)
