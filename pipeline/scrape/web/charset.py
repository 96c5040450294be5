"""The text of an HTML page: its character encoding decided by us, not guessed by a parser.

Japanese shops declare Shift_JIS and send cp932, declare nothing, or let the server declare latin-1; parsers left to
themselves return empty or Korean documents for these.
"""

from __future__ import annotations

import codecs
import re

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_XML = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]+)", re.IGNORECASE)
_HEADER = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_KANA = re.compile(r"[ぁ-んァ-ヶー]")

# What is sent under these labels is Microsoft's superset, with its circled digits and company signs.
_MEANT = {"shift_jis": "cp932", "ascii": "cp1252", "iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}
_SHIFT_JIS = frozenset("x-sjis sjis ms_kanji shift-jis windows-31j windows-932 x-ms-cp932 csshiftjis".split())
_DEFAULTS = frozenset({"cp1252"})  # what servers send when nobody configured them
# What pages are written in (Encoding Standard, and older pages of East Asia). Python has more that it calls codecs: of
# bytes into bytes, as hex, or of escapes and names of hosts, of which some fail and some make halves of characters.
_PAGES = frozenset(
    "ascii utf-8 utf-8-sig utf-16 utf-16-le utf-16-be cp1252 cp932 shift_jis shift_jis_2004 shift_jisx0213 euc_jp "
    "euc_jis_2004 euc_jisx0213 iso2022_jp iso2022_jp_1 iso2022_jp_2 iso2022_jp_3 iso2022_jp_ext iso2022_jp_2004 "
    "euc_kr cp949 johab iso2022_kr gb2312 gbk gb18030 hz big5 big5hkscs cp950 tis-620 cp874 koi8-r koi8-u cp437 cp850 "
    "cp866 mac-roman mac-cyrillic mac-latin2 mac-greek mac-turkish".split()
    + [f"cp{number}" for number in range(1250, 1259)]
    + [f"iso8859-{number}" for number in range(1, 17) if number != 12]
)


def codec(label: str) -> str | None:
    """Python's codec for a charset label of the web, or None for one that no page is written in."""
    label = label.strip().lower()
    if label in _SHIFT_JIS:
        return "cp932"
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):  # a ValueError: a NUL in it
        return None
    return _MEANT.get(name, name) if name in _PAGES else None


def decode(body: bytes, content_type: str = "", override: str | None = None) -> tuple[str, str]:
    """The text of `body` and the codec it was read with. Never fails: what does not decode becomes U+FFFD.

    In order: a byte order mark; `override`; the header, unless it is an unconfigured server's latin-1 and the page
    knows better; the page's own declaration; then what decodes strictly.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body.decode(name, "replace"), name
    in_header = _named(_HEADER.search(content_type))
    in_page = _named(_XML.search(body[:1024])) or _named(_META.search(body[:4096]))
    if in_page is not None and in_page.startswith("utf-16"):
        in_page = "utf-8"  # the declaration could be read as bytes, so it is not UTF-16
    if in_header in _DEFAULTS and in_page is not None:
        in_header = None
    chosen = (codec(override) if override else None) or in_header or in_page or _guess(body)
    return body.decode(chosen, "replace"), chosen


def _named(match: re.Match[str] | re.Match[bytes] | None) -> str | None:
    if match is None:
        return None
    label = match.group(1)
    return codec(label.decode("ascii", "replace") if isinstance(label, bytes) else label)


def _guess(body: bytes) -> str:
    if _decodes(body, "utf-8") is not None:
        return "iso2022_jp" if b"\x1b$" in body and _decodes(body, "iso2022_jp") is not None else "utf-8"
    read = {name: text for name in ("cp932", "euc_jp") if (text := _decodes(body, name)) is not None}
    if not read:
        return "utf-8"
    return max(read, key=lambda name: len(_KANA.findall(read[name])))


def _decodes(body: bytes, name: str) -> str | None:
    try:
        return body.decode(name)
    except UnicodeDecodeError:
        return None
