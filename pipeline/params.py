"""The typed sections of params.yaml, and the strict reader of them.

A section is a frozen struct with a default for every key, so that each command works without a params.yaml. Unknown
keys, wrong types and values out of range are UsageErrors that name the dotted key, the value and the nearest legal
name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import yaml
from msgspec import Meta

from pipeline.choices import Export as Export
from pipeline.choices import Select as Select
from pipeline.copyrules import Dedup as Dedup
from pipeline.errors import UsageError, nearest
from pipeline.rules import CropRules as CropRules
from pipeline.rules import Range as Range
from pipeline.section import NonNegative as NonNegative
from pipeline.section import Positive as Positive
from pipeline.section import Seconds as Seconds
from pipeline.section import Section as Section
from pipeline.section import Share as Share


class Engine(Section, frozen=True, kw_only=True):
    """How batches are run."""

    kind: Literal["inline", "process", "ray"] = "process"
    workers: NonNegative = 0  # processes; 0 = one per core, of the cluster with ray
    batch: Positive = 16  # images per batch
    address: str | None = None  # ray: of the cluster; None: one is started on this machine


class Demo(Section, frozen=True, kw_only=True):
    """The drawn world that stands in for the web: how much of it there is."""

    seed: int = 7
    portraits: Positive = 40  # per hair length
    anime: NonNegative = 24
    garments: NonNegative = 24  # products, two pictures each


class Query(Section, frozen=True, kw_only=True):
    """One search: where to look, for what, and which domain its images belong to."""

    source: str = "openverse"
    query: str | None = None  # as a person typed it, in any script
    domain: str | None = None  # None: the query, or the folder's or list's name
    site: str | None = None  # source html: its site file
    input: str | None = None  # sources urls and folder: the list or the folder
    base_url: str | None = None  # another host that answers like the source's own
    every: Annotated[float, Meta(gt=0.0)] | None = None  # source video: s between frames; None: at scene changes
    want: Positive | None = None  # None: the section's


class Scrape(Section, frozen=True, kw_only=True):
    """Finding and downloading images."""

    contact: str | None = None  # mail or URL of whoever runs this; goes into the User-Agent
    queries: tuple[Query, ...] = ()
    want: Positive | None = None  # accepted images per query; None: all there are
    limit: Positive | None = None  # candidates per query; None: all there are
    allow_unknown_license: bool = False  # what a source found needs this without a stated licence; own lists do not
    licenses: tuple[str, ...] = ("cc0", "pdm", "public-domain", "by", "by-sa")
    allow_scrape_source: bool = False  # search engines, whose terms forbid it, need this
    map: Mapping[str, Mapping[str, str]] = {}  # what a query is called elsewhere: {ロングヘア: {danbooru: long_hair}}
    sources: Mapping[str, Mapping[str, Any]] = {}  # limits of a source, where its own have changed
    animated: Literal["reject", "first"] = "reject"  # what becomes of an animation: nothing, or its first frame
    allow_data_urls: bool = False  # pictures that stand in a list themselves (data:...;base64), up to a MiB each
    min_side: Positive = 256  # px, the shorter side of an accepted image
    max_bytes: Positive = 30 * 1024 * 1024  # per image, decoded
    max_pixels: Positive = 64_000_000  # per image, read from its header before decoding
    delay: Seconds = 1.0  # between two requests to one host
    per_host: Positive = 2  # connections to one image host
    workers: Positive = 8  # connections in all
    connect_timeout: Seconds = 10.0
    read_timeout: Seconds = 20.0  # the longest silence within a response
    deadline: Seconds = 120.0  # for one whole response
    tries: Positive = 4
    demo: Demo | None = None  # serve the drawn world on loopback while this stage runs


class Crop(CropRules, frozen=True, kw_only=True):
    """Detecting, aligning and measuring faces; `domains` overrides any key for one domain."""

    domains: Mapping[str, Mapping[str, Any]] = {}
    shard_above: NonNegative = 50_000  # accepted crops; more of them are packed into tar shards
    shard_size: Positive = 1000  # crops in one shard

    def rules(self, domain: str) -> CropRules:
        """The rules for `domain`: this section with that domain's overrides. Raises UsageError for a bad one."""
        own = {key: getattr(self, key) for key in CropRules.__struct_fields__}
        return parse(CropRules, {**own, **self.domains.get(domain, {})}, f"crop.domains.{domain}")


class Pairs(Section, frozen=True, kw_only=True):
    """Article/Human pairs from product pages."""

    size: Annotated[int, Meta(ge=32, le=1024)] = 256  # px, side of the letterboxed pictures
    article: str = "article"  # the role of the picture of the garment alone
    human: str = "human"  # the role of the picture of a person wearing it
    background: tuple[int, int, int] = (255, 255, 255)  # RGB of the letterbox
    radius: Annotated[int, Meta(ge=0, le=32)] = 8  # bits of 64 in which copies of an article may differ
    colour: Annotated[float, Meta(ge=0.0, le=255.0)] = 8.0  # mean difference in colour of copies, 0..255
    family_radius: Annotated[int, Meta(ge=0, le=32)] = 4  # bits in which articles of one cut and other colours differ
    faces: bool = True  # look for faces in both pictures; without, no_face and article_person refuse nothing
    val: Share = 0.1
    test: Share = 0.1

    # Thresholds on the evidence, which stays in the table: other values measure nothing again
    exclude: tuple[str, ...] = ()  # words in what the page says, in any width and case: bottom only, back view
    need_face: bool = False  # a person whose face is not seen may show the back
    max_article_faces: NonNegative | None = None  # 0: nobody in the article's picture
    min_border: Share = 0.0  # how plain the article's ground is
    aspect: Range = (0.0, 100.0)  # height over width of the article
    min_agreement: Share = 0.0  # share of the article whose colours the person wears; true pairs have 0.9
    max_others: Share = 1.0  # share of the torso in other colours than the article's, skin and ground
    worn_at: Range = (-10.0, 100.0)  # face heights below the chin; a top lies at 1.5, bottoms alone lower


class Build(Section, frozen=True, kw_only=True):
    """The split into training, validation and test images."""

    val: Share = 0.1
    test: Share = 0.1
    salt: str = ""  # another salt, another split


class Stats(Section, frozen=True, kw_only=True):
    """The funnel and the report."""

    per_sheet: Positive = 40  # pictures on a contact sheet


class Translate(Section, frozen=True, kw_only=True):
    """What `dvc repro` translates once it has trained."""

    runs: tuple[str, ...] = ()  # recipes with two domains; each translates its held-out photos


SECTIONS: Mapping[str, type[Section]] = {
    "engine": Engine,
    "scrape": Scrape,
    "crop": Crop,
    "dedup": Dedup,
    "pairs": Pairs,
    "build": Build,
    "select": Select,
    "export": Export,
    "translate": Translate,
    "stats": Stats,
}

S = TypeVar("S", bound=Section)


class Params:
    """A params.yaml, read once; each section is checked when it is asked for."""

    def __init__(self, raw: Mapping[str, Any], path: Path | None) -> None:
        self._raw = raw
        self.path = path

    def section(self, name: str, kind: type[S]) -> S:
        """The section at dotted `name` as a `kind`; defaults where the file is silent. Raises UsageError."""
        return parse(kind, self.written(name), name, self.path)

    def written(self, name: str) -> Any:
        """What the file has at dotted `name`, unchecked; an empty section where it is silent."""
        value: Any = self._raw
        for key in name.split("."):
            value = (value or {}).get(key) if isinstance(value, Mapping | None) else value
        return value if value is not None else {}


def load(root: Path) -> Params:
    """Reads root/params.yaml; an absent file means every default.

    Raises UsageError for YAML that does not parse and for sections that do not exist.
    """
    path = root / "params.yaml"
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        return Params({}, None)
    except OSError as error:
        raise UsageError(f"{path}: cannot read: {error.strerror}", "mend the file or its rights") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise UsageError(
            f"{path}{line}: not valid YAML: {getattr(error, 'problem', None) or error}",
            "mend the file, or start again with: curate init demo --force",
        ) from None
    if raw is None:
        return Params({}, path)
    if not isinstance(raw, Mapping):
        raise UsageError(f"{path}: holds {type(raw).__name__}, not sections", "see: curate init demo")
    for name in raw:
        if name not in SECTIONS and name != "train":
            raise UsageError(
                f"{path}: there is no section '{name}'{nearest(str(name), [*SECTIONS, 'train'])}",
                f"sections: {', '.join([*SECTIONS, 'train'])}",
            )
    return Params(raw, path)


def parse(kind: type[S], raw: Any, where: str, path: Path | None = None) -> S:
    """`raw` as a `kind`. Raises UsageError that names the dotted key, the value and the nearest legal name."""
    try:
        return msgspec.convert({**_followers(kind, raw), **raw} if isinstance(raw, Mapping) else raw, kind)
    except msgspec.ValidationError as error:
        raise UsageError(_explain(kind, raw, where, str(error), path), f"mend {where} and try again") from None


def override(section: S, where: str, **flags: Any) -> S:
    """`section` with the command-line `flags` that were given (None = not given), checked like the file's values."""
    given = {key: value for key, value in flags.items() if value is not None}
    if not given:
        return section
    kind, current = type(section), as_dict(section)
    if kind.FOLLOWS.keys() & given.keys():  # what only followed from the old value follows from the new one instead
        old = as_dict(parse(kind, {key: current[key] for key in kind.FOLLOWS}, where))
        current = {key: value for key, value in current.items() if value != old[key]}
    return parse(kind, {**current, **given}, f"{where} (from the command line)")


def as_dict(section: Section) -> dict[str, Any]:
    """`section` as plain dicts, lists and scalars, for JSON, metadata and digests."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(section))  # makes tuples lists, too
    return plain


def _followers(kind: type[Section], raw: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that `raw` brings about by its own keys."""
    cases = (case.get(raw[key], {}) for key, case in kind.FOLLOWS.items() if isinstance(raw.get(key), str))
    return {key: value for case in cases for key, value in case.items()}


def _explain(kind: type[Section], raw: Any, where: str, text: str, path: Path | None) -> str:
    message, _, tail = text.partition(" - at `$")
    dotted = where + tail.rstrip("`")
    file = f"{path}: " if path else ""
    if unknown := re.search(r"unknown field `(.+?)`", message):
        name = unknown.group(1)
        return f"{file}{dotted}.{name}: there is no such key{nearest(name, _fields(kind, tail))}"
    value = raw
    for step in re.findall(r"\.(\w+)|\[(\d+)\]", tail):
        try:
            value = value[step[0]] if step[0] else value[int(step[1])]
        except (KeyError, IndexError, TypeError):
            break
    return f"{file}{dotted}: {value!r}: {message[0].lower()}{message[1:]}{_as_number(value)}"


def _as_number(value: Any) -> str:
    """A word on numbers that YAML 1.1 reads as text, such as 1e-4."""
    number = re.fullmatch(r"([-+]?\d+)(\.\d*)?e([-+]?)(\d+)", value, re.IGNORECASE) if isinstance(value, str) else None
    if number:
        whole, part, sign, power = number.groups()
        return f"; YAML reads it as text: write {whole}{part or '.0'}e{sign or '+'}{power}"
    return ""


def _fields(kind: type[Section], tail: str) -> tuple[str, ...]:
    """Legal names at the place `tail` points to, as far as it is a known struct."""
    info: Any = msgspec.inspect.type_info(kind)
    for name in re.findall(r"\.(\w+)|\[", tail.rstrip("`")):
        info = _struct_in(next((f.type for f in info.fields if f.encode_name == name), info)) if name else info
    return tuple(field.encode_name for field in info.fields)


def _struct_in(info: Any) -> Any:
    """The struct inside optional, list or tuple types."""
    if isinstance(info, msgspec.inspect.StructType):
        return info
    for part in (*getattr(info, "types", ()), getattr(info, "item_type", None)):
        if part is not None and hasattr(found := _struct_in(part), "fields"):
            return found
    return info
