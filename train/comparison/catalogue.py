"""Everything that `curate evaluate` measures: what it is called, which way is better, what it is read against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """One number of a way of translating."""

    label: str
    better: Literal["less", "more", ""]  # "": neither
    reference: str  # what the number beside it is; "" for none
    by_net: bool = False  # whether it is in a feature net's eyes, whose name goes into the number's
    percent: bool = False  # a share, from 0 to 1


CATALOGUE: Mapping[str, Metric] = {
    "kid": Metric("KID", "less", "untranslated", by_net=True),
    "fid": Metric("FID", "less", "untranslated", by_net=True),
    "flip_rate": Metric("domain flip rate", "more", "untranslated", by_net=True, percent=True),
    "classifier_accuracy": Metric("classifier accuracy", "", "guessing", by_net=True, percent=True),
    "face_distance": Metric("face distance", "less", "two people"),
    "face_kept": Metric("same person", "more", "two people", percent=True),
    "cycle_l1": Metric("cycle L1", "less", "", percent=True),
    "identity_l1": Metric("identity L1", "less", "", percent=True),
    "mask_area": Metric("mask area", "", "", percent=True),
    "diversity": Metric("diversity", "", "real ones", by_net=True),
    "members": Metric("members", "", "real ones", by_net=True),
    "styles": Metric("styles", "", "real ones", by_net=True),
    "nearest": Metric("nearest training picture", "", "unseen ones", by_net=True),
}


def key(name: str, net: str) -> str:
    """What a number is called in metrics.json: kid_lite0. Numbers of two nets are never mixed."""
    return f"{name}_{net}" if CATALOGUE[name].by_net else name


def shown(name: str, value: float, spread: float | None = None) -> str:
    """`value` for people, and its `spread` after a plus-minus sign: a share as percent."""
    unit, times = (" %", 100.0) if CATALOGUE[name].percent else ("", 1.0)
    digits = 1 if unit or abs(value) >= 10 else 3
    error = "" if spread is None else f" ± {times * spread:.{digits}f}"
    return f"{times * value:.{digits}f}{error}{unit}"
