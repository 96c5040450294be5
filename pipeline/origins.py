"""Where each value of a section comes from: the default, another key, a recipe, params.yaml, or the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.params import as_dict
from pipeline.section import Section

Layer = tuple[str, Mapping[str, Any]]
"""Who says so, and what: values by key. Later layers override earlier ones."""


@dataclass(frozen=True)
class Origin:
    """A value, and who said so."""

    key: str  # dotted
    value: Any  # plain: lists and dicts
    origin: str


def origins(section: Section, where: str, layers: Iterable[Layer]) -> list[Origin]:
    """Every key of `section`, which `layers` were merged into, in its order. `where` is the section's dotted name."""
    layers, said = list(layers), dict[str, str]()
    written = {key: value for _, values in layers for key, value in values.items()}
    for kind, case in type(section).FOLLOWS.items():  # only what is written down brings others about
        chosen = str(written.get(kind))
        said |= dict.fromkeys(case.get(chosen, {}), f"follows from {kind}: {chosen}")
    for who, values in layers:
        said |= dict.fromkeys(values, who)
    return [Origin(f"{where}.{key}", value, said.get(key, "default")) for key, value in as_dict(section).items()]
