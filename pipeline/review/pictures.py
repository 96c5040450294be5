"""The pictures of the review page: crops as they stand, what was refused cut again, photos no larger than a screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.imaging import codec, shards, warp
from curate.pipeline.review import sort
from curate.pipeline.review.session import ReviewSession

PHOTO_SIDE = 1600  # px, longest side


def picture(session: ReviewSession, kind: str, name: str, part: str) -> bytes:
    """PNG of a crop ("crop") or of one picture of a pair ("article", "human").

    Raises UsageError for an item that there is not and CurateError for one whose file has gone or is damaged.
    """
    own = session.items(kind)
    row = _row(own.table.slice(session.place(own, name), 1).to_pylist())
    if kind == "pairs":
        path = row["article_path" if part == "article" else "human_path"]
        return shards.load_png(session.root, path, "curate pairs")
    if row["path"]:
        return shards.load_png(session.root, row["path"], "curate crop")
    sizes = sort.crop_sizes(session.root, [row["domain"]])
    found = sort.picture(row, sizes, session.root, sizes[row["domain"]])
    if found is None:
        raise CurateError(f"{row['source_path']}: not there, or unreadable", "scrape it again: curate scrape")
    return codec.encode_png(found if row["affine"] else warp.thumbnail(found, sizes[row["domain"]]))


def photo(session: ReviewSession, image: str) -> codec.RGB:
    """The photo `image`, uint8 [H, W, 3], its longer side at most PHOTO_SIDE px.

    Raises UsageError for one that there is not, CurateError for one that is not there or unreadable.
    """
    path = session.photo_path(image)
    data = shards.load_bytes(session.root, path, "curate scrape")
    try:
        shown = (codec.preview(data, PHOTO_SIDE) or (codec.decode(data), 1))[0]
    except codec.ImageError as error:
        raise CurateError(f"{path}: unreadable: {error}", "scrape it again: curate scrape") from None
    return warp.thumbnail(shown, PHOTO_SIDE)


def _row(rows: list[dict[str, Any]]) -> Mapping[str, Any]:
    if not rows:
        raise UsageError("there is no such item any more", "load the page again")
    return rows[0]
