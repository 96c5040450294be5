"""The one way in which words are compared: what a page, a licence or a person writes, and what a rule asks for."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """`text` as words are compared: NFKC (Unicode UAX 15, so that ｷｯｽﾞ is キッズ), without case, one space for any."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
