"""Pictures that stand in their own addresses: data: URLs (RFC 2397), where the user allows them."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from curate.pipeline.scrape.sources.candidate import Candidate

LARGEST = 1 << 20  # bytes of a picture


def unpacked(candidate: Candidate) -> Candidate:
    """`candidate` with the bytes of its data: URL, if that is what it has, and called data:sha256:... from then on.

    Refused with bad_url when they are not base64, with too_large above LARGEST.
    """
    url = candidate.image_url or ""
    if url[:5].lower() != "data:":
        return candidate
    head, _, text = url[5:].partition(",")
    data, refused = b"", "bad_url"
    if len(text) > 2 * LARGEST:  # base64 takes 4 characters for 3 bytes, and line ends may be percent-encoded
        refused = "too_large"
    elif head.lower().endswith(";base64"):
        with contextlib.suppress(binascii.Error):
            data = base64.b64decode(b"".join(unquote_to_bytes(text).split()), validate=True)
    if len(data) > LARGEST:
        data, refused = b"", "too_large"
    name = f"data:sha256:{hashlib.sha256(data or url.encode('utf-8', 'replace')).hexdigest()}"
    named = replace(candidate, address=name, image_url=name)
    return replace(named, data=data) if data else replace(named, refused=candidate.refused or refused)
