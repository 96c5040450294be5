"""What `curate evaluate` measured of runs, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.pipeline.core.files import entries
from curate.pipeline.stats.charts import number
from curate.pipeline.stats.run_tables import read_json

EVALUATED = "processed/evaluated"
_LARGEST = 1e300


@dataclass(frozen=True)
class ScoreRow:
    """One metric of several runs."""

    name: str
    cells: Sequence[str]  # for each run its value and the spread of it; "" where it was not measured
    reference: str  # what an input that nobody translated gets, or real pictures; "" where there is no such thing


@dataclass(frozen=True)
class EvaluatedWay:
    """One direction: every run that goes it, on held-out pictures."""

    label: str  # "long to short", say
    runs: Sequence[str]
    rows: Sequence[ScoreRow]


def evaluated(root: Path) -> list[EvaluatedWay]:
    """Every direction that runs below processed/evaluated were measured in. What is no such file is passed over."""
    by_way: dict[str, dict[str, dict[str, Any]]] = {}  # label -> run -> score -> numbers
    for path in (folder / "evaluation.json" for folder in entries(root / EVALUATED)):
        document = read_json(path)
        net = str(document.get("net") or "")
        for way in _mapping(document.get("ways")).values():
            scores = _mapping(_mapping(way).get("scores"))
            found = {name: one for name, one in scores.items() if _is_number(_mapping(one).get("value"))}
            if found:
                label = " by ".join(filter(None, (str(_mapping(way).get("label") or ""), net)))
                by_way.setdefault(label, {})[path.parent.name] = found
    return [_way(label, runs) for label, runs in sorted(by_way.items())]


def _way(label: str, runs: Mapping[str, Mapping[str, Any]]) -> EvaluatedWay:
    rows = []
    for name in dict.fromkeys(name for scores in runs.values() for name in scores):
        told = [scores.get(name) for scores in runs.values()]
        reference = next((one["reference"] for one in told if one and _is_number(one.get("reference"))), None)
        words = "" if reference is None else number(float(reference))
        rows.append(ScoreRow(name, [_cell(one) if one else "" for one in told], words))
    return EvaluatedWay(label, list(runs), rows)


def _cell(score: Mapping[str, Any]) -> str:
    spread = score.get("spread")
    return number(float(score["value"])) + (f" ± {number(float(spread))}" if _is_number(spread) and spread else "")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST  # nor NaN


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
