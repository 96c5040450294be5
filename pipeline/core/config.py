"""The typed sections of params.yaml, and the strict reader of them.

A section is a frozen struct with a default for every key, so that each command works without a params.yaml. Unknown
keys, wrong types and values out of range are UsageErrors that name the dotted key, the value and the nearest legal
name. The sections themselves stand with their stages; SECTIONS names them, so that `core` imports none.
"""

from __future__ import annotations

import hashlib
import json
import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
from msgspec import Meta

from curate.pipeline.core.documents import DocumentError, from_yaml
from curate.pipeline.core.errors import LONGEST, UsageError, clipped, nearest
from curate.pipeline.core.registry import Registry

Positive = Annotated[int, Meta(ge=1)]


NonNegative = Annotated[int, Meta(ge=0)]


Share = Annotated[float, Meta(ge=0.0, le=1.0)]


Seconds = Annotated[float, Meta(ge=0.0, le=86_400.0)]  # a day at most: none waits for ever


Measure = Annotated[float, Meta(ge=0.0)]  # of anything that has no negative values


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every section: immutable, keyword-only, no unknown keys."""

    FOLLOWS: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {}
    """Defaults that follow from another key: {"preset": {"hair": {"ema": 0.999}}}. What is written down goes first."""
    RENAMED: ClassVar[Mapping[str, str]] = {}
    """Keys of earlier versions: what each is called now, and after a comma what else has changed about it."""


class Translate(Section, frozen=True, kw_only=True):
    """What `dvc repro` translates."""

    runs: tuple[str, ...] = ()  # recipes with two domains; each translates its held-out photos
    shipped: tuple[str, ...] = ()  # drawn-hair, drawn-icon: networks that come with curate; before all that is trained


class Evaluate(Section, frozen=True, kw_only=True):
    """How trained runs are measured on held-out images: `curate evaluate`."""

    runs: tuple[str, ...] = ()  # recipes; those whose runs `dvc repro` measures
    split: Literal["test", "val", "train"] = "test"  # whose images; the next one where a domain has fewer than 2 there
    images: Annotated[int, Meta(ge=2, le=5000)] = 500  # of each domain, at the most
    features: str | None = None  # the net of KID and the like, as train.NAME.run.features; None: lite0 if it is there
    resamples: Annotated[int, Meta(ge=10, le=10000)] = 200  # bootstrap samples of the images, for the spread


SECTIONS = Registry(
    "section",
    {
        "scrape": "curate.pipeline.scrape.config:Scrape",
        "crop": "curate.pipeline.crop.config:Crop",
        "dedup": "curate.pipeline.dedup.config:Dedup",
        "pairs": "curate.pipeline.pairs.config:Pairs",
        "build": "curate.pipeline.build.config:Build",
        "select": "curate.pipeline.review.config:Select",
        "export": "curate.pipeline.export.config:Export",
        "translate": "curate.pipeline.core.config:Translate",
        "evaluate": "curate.pipeline.core.config:Evaluate",
        "stats": "curate.pipeline.stats.config:Stats",
        "engine": "curate.pipeline.core.parallel:Engine",
    },
)

S = TypeVar("S", bound=Section)

LARGEST = 2**31 - 1  # of any number, up or down: what libraries call an int


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
        raw = from_yaml(path.read_text("utf-8"))
    except FileNotFoundError:
        return Params({}, None)
    except OSError as error:
        raise UsageError(f"{path}: cannot read: {error.strerror}", "mend the file or its rights") from None
    except (DocumentError, UnicodeDecodeError) as error:
        line = f", line {error.line}" if isinstance(error, DocumentError) and error.line else ""
        raise UsageError(
            f"{path}{line}: not valid YAML: {error}",
            "mend the file; to begin anew, with this one kept as params.yaml.1: curate init PRESET --force",
        ) from None
    if raw is None:
        return Params({}, path)
    if not isinstance(raw, Mapping):
        raise UsageError(
            f"{path}: holds {type(raw).__name__}, not sections", "see how one is laid out: curate params show"
        )
    for name in raw:
        if name not in SECTIONS and name != "train":
            raise UsageError(
                f"{path}: there is no section '{clipped(str(name))}'{nearest(str(name), [*SECTIONS, 'train'])}",
                f"sections: {', '.join([*SECTIONS, 'train'])}",
            )
    return Params(raw, path)


def parse(kind: type[S], raw: Any, where: str, path: Path | None = None) -> S:
    """`raw` as a `kind`. Raises UsageError that names the dotted key, the value and the nearest legal name."""
    if isinstance(raw, Mapping):
        raw = under_todays_names(kind, raw, f"{path}: {where}" if path else where)
        raw = {**_followers(kind, raw), **raw}
    _check_numbers(raw, where, path)
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise UsageError(_explain(kind, raw, where, str(error), path), f"mend {where} and try again") from None


def _check_numbers(value: Any, where: str, path: Path | None) -> None:
    """Raises UsageError for a number in `value`, at dotted `where`, that is none or beyond LARGEST."""
    if isinstance(value, Mapping | list | tuple):
        parts = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, part in parts:
            _check_numbers(
                part, f"{where}.{clipped(str(name))}" if isinstance(value, Mapping) else f"{where}[{name}]", path
            )
    elif isinstance(value, int | float) and not -LARGEST <= value <= LARGEST:  # NaN is neither
        file = f"{path}: " if path else ""
        raise UsageError(
            f"{file}{where}: {_SHORT.repr(value)}: expected a number from {-LARGEST} to {LARGEST}",
            f"mend {where} and try again",
        )


def under_todays_names(kind: type[Section], plain: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`plain`, values of a `kind`, with every earlier key that means the same today under its name of today.

    Keys whose meaning has changed, too, stay, to be refused: RENAMED says more of them than a name. Raises UsageError
    for a key that is given under both names.
    """
    now: dict[str, Any] = {}
    for key, value in plain.items():
        name = kind.RENAMED.get(key, key)
        moved = isinstance(name, str) and "," not in name and key not in kind.__struct_fields__
        if moved and name != key and name in plain:
            raise UsageError(f"{where}.{key}: it is called {name} now, and {name} is there, too", f"leave {key} out")
        now[name if moved else key] = value
    return now


def override(section: S, where: str, **flags: Any) -> S:
    """`section` with the command-line `flags` that were given (None = not given), checked like the file's values."""
    given = {key: value for key, value in flags.items() if value is not None}
    if not given:
        return section
    kind, current = type(section), as_dict(section)
    given = under_todays_names(kind, given, where)
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


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = LONGEST


def _explain(kind: type[Section], raw: Any, where: str, text: str, path: Path | None) -> str:
    message, _, tail = text.partition(" - at `$")
    dotted = where + tail.rstrip("`")
    file = f"{path}: " if path else ""
    if unknown := re.search(r"unknown field `(.+?)`", message, re.DOTALL):
        name = unknown.group(1)
        if name in kind.RENAMED and dotted == where:
            return f"{file}{dotted}.{name}: it is called {_now(kind.RENAMED[name])}"
        return f"{file}{dotted}.{clipped(name)}: there is no such key{nearest(name, _fields(kind, tail))}"
    if (name := tail.strip(".`")) in kind.RENAMED:  # a key whose name means something else today
        return f"{file}{dotted}: {_SHORT.repr(raw[name])}: what it was is called {_now(kind.RENAMED[name])}"
    value = raw
    for step in re.findall(r"\.(\w+)|\[(\d+)\]", tail):
        try:
            value = value[step[0]] if step[0] else value[int(step[1])]
        except (KeyError, IndexError, TypeError):
            break
    return f"{file}{dotted}: {_SHORT.repr(value)}: {message[0].lower()}{clipped(message[1:])}{_as_number(value)}"


def _now(renamed: str) -> str:
    name, comma, rest = renamed.partition(",")
    return f"{name} now{comma}{rest}"


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
    """The struct inside optional, list, tuple or mapping types."""
    if isinstance(info, msgspec.inspect.StructType):
        return info
    for part in (*getattr(info, "types", ()), *(getattr(info, name, None) for name in ("item_type", "value_type"))):
        if part is not None and hasattr(found := _struct_in(part), "fields"):
            return found
    return info


Layer = tuple[str, Mapping[str, Any]]
"""Who says so, and what: values by key. Later layers override earlier ones."""


@dataclass(frozen=True)
class Origin:
    """A value, and who said so."""

    key: str  # dotted
    value: Any  # plain: lists and dicts
    origin: str


def explain(section: Section, where: str, layers: Iterable[Layer]) -> list[Origin]:
    """Every key of `section`, which `layers` were merged into, in its order. `where` is the section's dotted name."""
    kind_of = type(section)
    layers = [(who, under_todays_names(kind_of, values, where)) for who, values in layers]
    said: dict[str, str] = {}
    written = {key: value for _, values in layers for key, value in values.items()}
    for kind, case in type(section).FOLLOWS.items():  # only what is written down brings others about
        chosen = str(written.get(kind))
        said |= dict.fromkeys(case.get(chosen, {}), f"follows from {kind}: {chosen}")
    for who, values in layers:
        said |= dict.fromkeys(values, who)
    return [Origin(f"{where}.{key}", value, said.get(key, "default")) for key, value in as_dict(section).items()]


def digest(value: Any) -> str:
    """A short name for a plain value (dicts, lists, scalars): equal values, equal names."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
