"""Every source with its terms, its key and its limits, for a person to choose from."""

from __future__ import annotations

import textwrap
from typing import Any

from curate.pipeline.core.config import as_dict
from curate.pipeline.scrape.sources import SOURCES, facts
from curate.pipeline.scrape.web.api_keys import read, variable

# What the terms classes mean.
TERMS = {
    "open": "every picture states an open licence",
    "platform": "the platform's own licence for all",
    "unknown": "no licence is stated: needs --allow-unknown-license",
    "own": "your own files and lists",
    "refused": "not scraped",
}


def listed() -> list[dict[str, Any]]:
    """One row per source. Keys are said to be there or not, never shown."""
    rows = []
    for name in SOURCES:
        known = facts(name)
        rows.append(
            {
                "source": name,
                "terms": known.terms,
                "what": known.what,
                "key": known.key,
                "key_variable": variable(name) if known.key != "none" else None,
                "key_is_set": read(name) is not None if known.key != "none" else None,
                "key_from": known.key_from or None,
                "limits": known.said or None,
                "settings": as_dict(known.limits) if known.base else None,
                "example": known.example,
            }
        )
    return rows


def text(rows: list[dict[str, Any]]) -> str:
    """The rows for a terminal."""
    return "\n".join(_entry(row) for row in rows)


def _entry(row: dict[str, Any]) -> str:
    lines = [f"{row['source']:10} {row['terms']}: {TERMS[row['terms']]}", *textwrap.wrap(row["what"], 100)]
    if row["key"] != "none":
        state = "set" if row["key_is_set"] else f"from {row['key_from']}"
        lines.append(f"key ({row['key']}): {row['key_variable']}, {state}")
    if row["limits"]:
        lines += textwrap.wrap(f"limits: {row['limits']}", 100)
    return "\n    ".join([*lines, row["example"]]) + "\n"
