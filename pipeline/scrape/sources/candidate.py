"""What a source finds: an image that may be fetched, and everything the source said about it."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from curate.pipeline.scrape.web.json_reader import is_well_formed, well_formed
from curate.pipeline.scrape.web.url import LONGEST, is_readable, parts_of

LONGEST_TEXT = 10_000  # characters that are read of any text that strangers wrote
_LONGEST = 500  # characters that are kept of it
_TEXTS = ("title", "creator", "license", "domain", "role", "group_id", "variant")
_LARGEST = 1 << 53  # of numbers: JSON's readers agree on those below


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
    bare = re.sub(r"<[^<>]{1,300}>", " ", str(text)[:LONGEST_TEXT])
    bare = "".join(" " if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} else c for c in bare)
    return unicodedata.normalize("NFC", " ".join(bare.split()))[:_LONGEST] or None


def storable(candidate: Candidate) -> Candidate:
    """`candidate` as journal and table take it, whatever its source was told.

    Its characters are whole and its cells bounded; an address that is too long is refused, as bad_url or not_image,
    under a short name; further addresses, and those of its page and licence, are left out where they cannot be parsed.
    """
    changes: dict[str, Any] = {}
    for name in _TEXTS:
        if (text := getattr(candidate, name)) and (len(text) > _LONGEST or not is_well_formed(text)):
            changes[name] = well_formed(text)[:_LONGEST]
    for name in ("page_url", "license_url"):
        if (url := getattr(candidate, name)) and not (url.isascii() and _is_parsed(url)):
            changes[name] = well_formed(url) if _is_parsed(url) else None
    for name in ("address", "image_url"):
        url = getattr(candidate, name)
        if url is None or (candidate.file_name is not None and name == "address"):
            continue
        if len(url) > LONGEST:
            changes |= {name: _short_name(url), "refused": candidate.refused or _refusal(url)}
        elif not is_well_formed(url):
            changes[name] = well_formed(url)
    if candidate.fallbacks and not all(map(is_readable, candidate.fallbacks)):
        changes["fallbacks"] = tuple(filter(is_readable, candidate.fallbacks))
    extra = {name: _bounded(value) for name, value in candidate.extra.items()}
    if extra != candidate.extra:
        changes["extra"] = extra
    return replace(candidate, **changes) if changes else candidate


def _is_parsed(url: str) -> bool:
    return len(url) <= LONGEST and any(parts_of(url))


def _short_name(url: str) -> str:
    """A name for an address that is too long to be one: its beginning and a digest of it."""
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{well_formed(url[:100])}...sha256:{digest}"


def _refusal(url: str) -> str:
    return "not_image" if url[:5].lower() == "data:" else "bad_url"


def _bounded(value: Any) -> Any:
    """A value of `extra`: texts are cut, numbers that JSON's readers do not agree on are null."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST and is_well_formed(value) else well_formed(value[:LONGEST])
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and abs(value) > _LARGEST:
        return None
    if isinstance(value, list):
        return [_bounded(one) for one in value]
    return value
