"""What is stated about a licence, in words, codes or addresses -> one code each, and the family of a code.

Nothing stated is "unknown"; what is stated and not understood is "other", and the two are never the same: whoever
states something has thought of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from curate.pipeline.core.errors import UsageError, nearest
from curate.pipeline.tables.folding import folded

UNKNOWN, OTHER = "unknown", "other"
_PLAIN = "public-domain us-gov nkcr gfdl pixabay pexels unsplash all-rights-reserved".split()
PLAIN = frozenset({*_PLAIN, UNKNOWN, OTHER})

FAMILIES = (*"cc0 pdm by by-sa by-nc by-nc-sa by-nd by-nc-nd".split(), *_PLAIN)

_LONGEST = 1000  # characters of a statement that can be understood

_VERSIONS = ("1.0", "2.0", "2.1", "2.5", "3.0", "4.0")

# Flickr's numbers, which COCO took over: photos.licenses.getInfo names those above 10.
_FLICKR = {
    **{"0": "all-rights-reserved", "1": "cc-by-nc-sa-2.0", "2": "cc-by-nc-2.0", "3": "cc-by-nc-nd-2.0"},
    **{"4": "cc-by-2.0", "5": "cc-by-sa-2.0", "6": "cc-by-nd-2.0", "7": "nkcr", "8": "us-gov"},
    **{"9": "cc0-1.0", "10": "pdm-1.0"},
}

_NOTHING = re.compile(
    r"[\W_]*|(?:the )?(?:licen[cs]e )?(?:unknown|none|null|nan|n/?a|undefined|unspecified|unstated)|"
    r"not (?:specified|stated|known|provided|available|given)|no licen[cs]e(?: (?:stated|given))?"
)

_URLS: tuple[tuple[str, str], ...] = (  # address (a pattern) -> code
    (r"creativecommons\.org/publicdomain/zero\b", "cc0-1.0"),
    (r"creativecommons\.org/publicdomain/mark\b", "pdm-1.0"),
    (r"creativecommons\.org/licenses/publicdomain\b", "public-domain"),
    (r"flickr\.com/commons/usage", "nkcr"),
    (r"rightsstatements\.org/(?:vocab|page)/nkc\b", "nkcr"),
    (r"rightsstatements\.org/(?:vocab|page)/inc\b", "all-rights-reserved"),
    (r"usa\.gov/(?:copyright|government-copyright|government-works)", "us-gov"),
    (r"gnu\.org/(?:copyleft|licenses)/fdl", "gfdl"),
    (r"pixabay\.com/(?:\w\w/)?service/(?:licen[cs]e|terms)", "pixabay"),
    (r"pexels\.com/(?:[\w-]+/)?(?:licen[cs]e|legal-pages/licen[cs]e|photo-licen[cs]e)", "pexels"),
    (r"unsplash\.com/licen[cs]e", "unsplash"),
)
_CC_URL = re.compile(r"creativecommons\.org/licenses/([a-z+-]+)(?:/(\d\.\d))?(?![\w.])")

# Creative Commons' names of its terms, in its languages -> their abbreviations. The longest come first.
_TERMS: tuple[tuple[str, str], ...] = (
    (r"non ?commercial(?: use)?(?: only)?|not? for commercial use|no commercial use|nicht ?kommerziell(?:e nutzung)?|"
     r"pas d.?utilisation commerciale|utilisation non commerciale|no ?comercial|sin uso comercial|uso nao comercial|"
     r"nao ?comercial|não ?comercial|non commerciale|niet ?commercieel|некоммерческ\w*|"
     r"非営利|非商業性?|非商业性?使用?|비영리", "nc"),
    (r"share ?alike|weitergabe unter gleichen bedingungen|partage (?:des|dans les) [\w ]*identiques?|"
     r"partage [aà] l.identique|compartir ?igual|"
     r"compartilha ?igual|condividi allo stesso modo|gelijk ?delen|継承|相同方式共享|동일 ?조건 ?변경 ?허락", "sa"),
    (r"no ?deriv(?:ative)?s?(?: works?)?|keine bearbeitung(?:en)?|pas de modification|sin ?derivad[ao]s?|"
     r"sin obras? derivadas?|sem ?deriva(?:ções|coes|dos)|non opere derivate|geen ?afgeleide ?werken|"
     r"改変禁止|禁止改作|禁止演绎|변경 ?금지", "nd"),
    (r"attribution(?: required)?|namensnennung|paternite|paternité|reconocimiento|atribucion|atribución|atribuicao|"
     r"atribuição|attribuzione|naamsvermelding|表示|署名|姓名標示|저작자 ?표시", "by"),
)  # fmt: skip
_CHAIN = re.compile(r"\bby(?: (?:nc|nd|sa))*\b")
_FILLER = re.compile(
    r"\b(?:licen[cs]ed?|lizenz|licencia|licence|licenza|under|the|a|an|of|is|this|work|works|image|photo|picture|by|nc|nd|"
    r"sa|cc|creative ?commons?|international|internationale?|unported|generic|public|version|ver|v|legal ?code|deed|"
    r"migrated|all|intl|and|or|ライセンス|国際|日本|\d(?:\.\d)?|(?<=\d )[a-z]{2}$|germany|japan|france|spain|italy|"
    r"united states|england wales|netherlands|austria|australia|canada|brazil|poland|korea)\b|[,;|/()\[\].:]"
)
_COMMON = re.compile(r"^(?:cc )?pd\b|\bpublic ?domain\b|\bcc pddc\b|\bgemeinfrei\b|パブリック ?ドメイン|公有领域")
_DENIED = re.compile(r"\b(?:not|non|no|never|neither|nor|without|except|isn t|kein\w*|nicht|pas|sin|sem)\b")


def code(*texts: str | None, flickr: bool = False) -> str:
    """The code of what is stated: the first of `texts` that is understood. "unknown": none of them says anything.

    Codes: cc0-1.0, pdm-1.0, cc-by-4.0 and its like (without the version where none is stated), and those of PLAIN;
    "other" for what is not understood. `flickr`: a number is one of Flickr's.
    """
    stated = False
    for text in texts:
        plain = folded(text[: 2 * _LONGEST]) if text else ""
        if _NOTHING.fullmatch(plain) or plain == UNKNOWN:
            continue
        stated = True
        if len(plain) > _LONGEST:
            continue
        found = _FLICKR.get(plain) if flickr and plain.isdigit() else _from_url(plain) or _from_name(plain)
        if found:
            return found
    return OTHER if stated else UNKNOWN


def of_flickr(*addresses: str | None) -> bool:
    """Whether one of `addresses` is Flickr's, whose licences have numbers."""
    hosts = (re.match(r"https?://([^/?#:]+)", text or "", re.I) for text in addresses)
    return any(re.search(r"(?:^|\.)(?:static)?flickr\.com$", host[1], re.I) for host in hosts if host)


def permitted(families: Iterable[str]) -> None:
    """Raises UsageError for a name that is no licence's: a typo would refuse everything, or permit nothing."""
    for name in families:
        if name not in FAMILIES:
            raise UsageError(f"there is no licence '{name}'{nearest(name, FAMILIES)}", f"one of: {' '.join(FAMILIES)}")


def family(license_code: str) -> str:
    """The name in a list of permitted licences: by-sa for cc-by-sa-4.0, cc0 for cc0-1.0, the code itself otherwise."""
    return re.sub(r"-\d\.\d$", "", license_code).removeprefix("cc-")


def _from_url(text: str) -> str | None:
    for pattern, found in _URLS:
        if re.search(pattern, text):
            return found
    match = _CC_URL.search(text)
    return _attribution(set(match[1].split("-")), match[2]) if match else None


def _from_name(text: str) -> str | None:
    if text in PLAIN:
        return text
    if "://" in text:
        return None  # an address that is none of those known says nothing by its words
    plain = _spaced(text)
    reserved = re.search(r"\ball rights? reserved\b|\btous droits réservés\b|\balle rechte vorbehalten\b", plain)
    if reserved or re.search(r"無断(?:転載|使用)", plain):
        return "all-rights-reserved"
    return _free(plain) or _creative_commons(plain) or _reserved(plain)


def _spaced(text: str) -> str:
    """Words apart, however they were joined: cc_by_nc_4_0, CC-BY-NC-4.0 and ccbync4.0 are cc by nc 4.0."""
    plain = re.sub(r"(?<=\d)[_-](?=\d\b)", ".", text)
    plain = re.sub(r"[\s_\-–—+&'’\"]+", " ", plain)
    plain = re.sub(r"クリエイティブ ?・? ?コモンズ|知识共享|創用 ?cc", " creative commons ", plain)
    plain = re.sub(r"\bcc(?=by|0|zero)", "cc ", plain)
    while (apart := re.sub(r"\b(by|nc|nd|sa)(?=(?:nc|nd|sa|v?\d)+[\d.]*\b)", r"\1 ", plain)) != plain:
        plain = apart
    for pattern, term in _TERMS:
        plain = re.sub(pattern, f" {term} ", plain)
    return " ".join(plain.split())


def _free(plain: str) -> str | None:
    """The code of what may be used without a condition of Creative Commons'; None for anything else."""
    if re.search(r"\bno known (?:copyright )?restrictions?\b|\bno known copyright\b|\bnkcr?\b", plain):
        return "nkcr"
    if re.search(r"\bcc (?:0|zero)\b|\bcreative commons (?:0|zero)\b|\bno rights reserved\b", plain):
        return "cc0-1.0"
    if re.search(r"\bpublic domain mark\b|\bpdm\b", plain):
        return "pdm-1.0"
    if re.search(r"\bu\.?s\.?a?\.? gov\w*|\bunited states gov\w* works?\b|\bus gov\b", plain):
        return "us-gov"
    denied = _DENIED.search(plain)
    if not denied and re.search(
        r"^(?:cc )?pd\b|\bpublic ?domain\b|\bcc pddc\b|\bgemeinfrei\b|パブリック ?ドメイン|公有领域", plain
    ):
        return "public-domain"
    for name in ("pixabay", "pexels", "unsplash"):
        if re.fullmatch(rf"(?:the )?{name}(?: content| photo)? licen[cs]e|{name}", plain):
            return name
    return None


def _creative_commons(plain: str) -> str | None:
    """The code of a licence by its terms, wherever they stand; None if it is none, or says more than its terms."""
    named = re.search(r"\bcc by\b|\bcreative ?commons?\b|\bcc (?:nc|nd|sa)\b", plain)
    chain = _CHAIN.search(plain)
    if chain is not None and not _DENIED.search(plain):
        terms = set(re.findall(r"\b(?:by|nc|nd|sa)\b", plain))
        version = re.search(r"(?<![\d.])(\d\.\d|\d)(?![\d.]*\d)", plain[chain.end() :])
        number = f"{version[1]}.0" if version and "." not in version[1] else version and version[1]
        rest = _FILLER.sub(" ", plain).strip()
        if not rest or (named and re.search(r"\bcc by\b", plain)):
            return _attribution(terms, number or None)
    return "gfdl" if re.search(r"\bgfdl\b|\bgnu free documentation\b", plain) else None


def _reserved(plain: str) -> str | None:
    """Whether somebody claims a right and gives nothing away."""
    claimed = re.search(r"©|\(c\)|^copyright(?:ed)?\b(?! ?free)|\bin copyright\b|著作権", plain)
    given = re.search(r"\bfree\b|\bcc\b|creative ?commons|\blicen|\bpermi", plain)
    return "all-rights-reserved" if claimed and not given else None


def _attribution(parts: set[str], version: str | None) -> str | None:
    known = version is None or version in _VERSIONS
    if "by" not in parts or parts - {"by", "nc", "nd", "sa"} or {"nd", "sa"} <= parts or not known:
        return None
    terms = [part for part in ("nc", "nd", "sa") if part in parts]
    return "-".join(["cc", "by", *terms, *([version] if version else [])])
