"""What a source finds: an image that may be fetched, and everything the source said about it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_LONGEST = 500  # characters of any text that strangers wrote


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One image as its source describes it. Absent facts are None, never empty strings."""

    address: str  # identifies it within its source and domain: the image's URL, or a file's path below --input
    image_url: str | None = None
    fallbacks: tuple[str, ...] | None = None  # further URLs of it, best first; None: image_url is sure to be its own
    file: str | None = None  # absolute path of a local file, instead of image_url
    file_name: str | None = None  # the same below --input, as local_paths.spelled, for the table
    data: bytes | None = field(default=None, repr=False)  # bytes that the source made itself, instead of image_url
    page_url: str | None = None
    title: str | None = None
    creator: str | None = None
    license: str = "unknown"  # a code of sources.licenses
    license_url: str | None = None
    domain: str | None = None  # where the source knows better than the query
    role: str | None = None
    group_id: str | None = None
    variant: str | None = None  # of the product: its colour, mostly
    refused: str | None = None  # a reason, from the images table's list, not to fetch it
    extra: Mapping[str, Any] = field(default_factory=dict)  # what else the source said; plain JSON


def tidy(text: object) -> str | None:
    """`text` as one clean line: NFC, without tags and control characters, cut at 500 characters; None if empty."""
    if not isinstance(text, str | int | float) or isinstance(text, bool):
        return None
    bare = re.sub(r"<[^<>]{1,300}>", " ", str(text))
    bare = "".join(" " if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} else c for c in bare)
    return unicodedata.normalize("NFC", " ".join(bare.split()))[:_LONGEST] or None
