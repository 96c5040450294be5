"""JSON of the web: of answers, of pages and of lists. Whatever is wrong with it is a ValueError, and only that.

It is more lenient than core.documents: one half of a character in one title, or a NaN, costs no whole answer.
"""

from __future__ import annotations

import json
from typing import Any

from curate.pipeline.core.documents import DEEPEST, check_depth, too_deep

_decoder = json.JSONDecoder(strict=False, parse_constant=lambda name: None)  # NaN and Infinity are no JSON


def read_json(text: str | bytes) -> Any:
    """What `text` says, in whole characters. Raises ValueError, also for what is nested deeper than DEEPEST."""
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "replace")
    text = text.removeprefix("\ufeff")
    try:
        value = _decoder.decode(text)
    except RecursionError:
        raise too_deep() from None
    if text.count("[") + text.count("{") > DEEPEST:
        check_depth(value)
    return _mended(value) if "\\ud" in text or "\\uD" in text or not is_well_formed(text) else value


def is_well_formed(text: str) -> bool:
    """Whether no half of a character, a lone surrogate, is in `text`: only then it is text that can be stored."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def well_formed(text: str) -> str:
    """`text` with U+FFFD for each half of a character."""
    return text if is_well_formed(text) else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, list):
        return [_mended(one) for one in value]
    if isinstance(value, dict):
        return {well_formed(name): _mended(one) for name, one in value.items()}
    return value
