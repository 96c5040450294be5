"""Licence names of the web -> one code each, and the family that a code belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable

from curate.pipeline.core.errors import UsageError, nearest

UNKNOWN = "unknown"
PLAIN = frozenset({"public-domain", "us-gov", "nkcr", "pixabay", "pexels", "all-rights-reserved", UNKNOWN})

FAMILIES = (*"cc0 pdm public-domain by by-sa by-nc by-nc-sa by-nd by-nc-nd us-gov nkcr".split(), "all-rights-reserved")

_VERSIONS = ("1.0", "2.0", "2.5", "3.0", "4.0")
_URL = re.compile(r"creativecommons\.org/(?P<area>licenses|publicdomain)/(?P<code>[a-z-]+)/(?P<version>\d\.\d)", re.I)
_NAME = re.compile(
    r"\b(?:cc|creative[ -]commons)[ -]+(?P<code>by(?:[ -](?:nc|nd|sa))*)(?:[ -]+(?P<version>\d\.\d))?\b", re.I
)
_ZERO = re.compile(r"\bcc[ -]?(0|zero)\b", re.I)


def code(*texts: str | None) -> str:
    """The code of a licence, from its URL (best given first) or its name; "unknown" when none of `texts` tells.

    Codes: cc0-1.0, pdm-1.0, cc-by-4.0 and its like (without the version where none is stated), and those of PLAIN.
    """
    for text in texts:
        if text and (found := _from_url(text) or _from_name(text)):
            return found
    return UNKNOWN


def permitted(families: Iterable[str]) -> None:
    """Raises UsageError for a name that is no licence's: a typo would refuse everything, or permit nothing."""
    for name in families:
        if name not in FAMILIES:
            raise UsageError(f"there is no licence '{name}'{nearest(name, FAMILIES)}", f"one of: {' '.join(FAMILIES)}")


def family(license_code: str) -> str:
    """The name in a list of permitted licences: by-sa for cc-by-sa-4.0, cc0 for cc0-1.0, the code itself otherwise."""
    return re.sub(r"-\d\.\d$", "", license_code).removeprefix("cc-")


def _from_url(text: str) -> str | None:
    match = _URL.search(text)
    if match is None:
        return None
    name, version = match["code"].lower(), match["version"]
    if match["area"].lower() == "publicdomain":
        return {"zero": "cc0-1.0", "mark": "pdm-1.0"}.get(name)
    return _attribution(name, version)


def _from_name(text: str) -> str | None:
    plain = " ".join(text.lower().split())
    if plain in PLAIN:
        return plain
    if _ZERO.search(plain):
        return "cc0-1.0"
    if re.search(r"\b(public domain mark|pdm)\b", plain):
        return "pdm-1.0"
    if match := _NAME.search(plain):
        return _attribution(match["code"].replace(" ", "-"), match["version"])
    if re.search(r"\bpublic[ -]domain\b", plain):
        return "public-domain"
    if "all rights reserved" in plain:
        return "all-rights-reserved"
    return None


def _attribution(name: str, version: str | None) -> str | None:
    parts = set(name.split("-"))
    known = version is None or version in _VERSIONS
    if "by" not in parts or parts - {"by", "nc", "nd", "sa"} or {"nd", "sa"} <= parts or not known:
        return None
    terms = [part for part in ("nc", "nd", "sa") if part in parts]
    return "-".join(["cc", "by", *terms, *([version] if version else [])])
