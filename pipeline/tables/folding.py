"""The one way in which words are compared: what a page, a licence or a person writes, and what a rule asks for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache


def folded(text: str) -> str:
    """`text` as words are compared: NFKC (Unicode UAX 15, so that ｷｯｽﾞ is キッズ), without case, one space for any."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def names_one(text: str, words: Iterable[str]) -> bool:
    """Whether `text` holds one of `words`, as they are compared."""
    said = folded(text)
    return any(word in said for word in map(folded, words) if word)


def matches(pattern: str, text: str) -> bool:
    """Whether the regular expression `pattern` is found in `text`, in any width and case. Raises re.error."""
    return _compiled(pattern).search(unicodedata.normalize("NFKC", text)) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    """`pattern` in NFKC; what becomes a sign of the syntax by that, as （ does, stands for itself."""
    folds = (c if c.isascii() else _plain(unicodedata.normalize("NFKC", c)) for c in pattern)
    return re.compile(unicodedata.normalize("NFC", "".join(folds)), re.IGNORECASE)


def _plain(text: str) -> str:
    return re.sub(r"[][\\^$.|?*+(){}-]", r"\\\g<0>", text)
