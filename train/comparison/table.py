"""The numbers of evaluated runs side by side: for a terminal, and as the rows of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from curate.pipeline.core import text_table
from curate.train.comparison.catalogue import CATALOGUE, shown
from curate.train.comparison.evaluation import Evaluation, Way, over_seeds
from curate.train.comparison.scores import Score

BETTER = {"less": "less is better", "more": "more is better", "": ""}


@dataclass(frozen=True)
class Going:
    """A run that goes a way, which it calls `name`."""

    evaluation: Evaluation
    name: str
    way: Way

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each image, by its id."""
        return {photo.id: number for number, photo in enumerate(self.way.photos)}


class Row(NamedTuple):
    """A number of each run."""

    label: str
    values: Sequence[str | None]
    beside: str  # what they are read against
    better: str


class WayTable(NamedTuple):
    """The rows of a way under the names of runs; then what was not measured, and why."""

    header: Sequence[str]
    rows: Sequence[Row]
    unmeasured: Sequence[str]  # after what was measured of a council


def text(evaluations: Sequence[Evaluation]) -> str:
    """A table per way, the runs side by side."""
    return "\n\n".join(_text(label, evaluations) for label in labels(evaluations))


def labels(evaluations: Sequence[Evaluation]) -> list[str]:
    """The ways of all runs, each once."""
    return list(dict.fromkeys(way.label for one in evaluations for way in one.ways.values()))


def going(label: str, evaluations: Sequence[Evaluation]) -> list[Going]:
    """The runs that go the way `label`."""
    return [Going(one, name, way) for one in evaluations for name, way in one.ways.items() if way.label == label]


def choice(evaluation: Evaluation) -> str:
    """By whom of a council, and how, its pictures and numbers are: what `render` takes unasked; else nothing."""
    return ", member 0, style 0" if evaluation.recipe == "council" else ""


def way_table(label: str, evaluations: Sequence[Evaluation]) -> WayTable:
    """The numbers of the runs that go the way `label`, and of those that differ by their seed their mean."""
    runs = going(label, evaluations)
    columns = [one.way.scores for one in runs]
    header = [one.evaluation.run for one in runs]
    for group, scores in over_seeds([one.evaluation for one in runs]):
        name = next(one.name for one in runs if one.evaluation is group[0])
        columns.append(scores[name])
        header.append(f"{group[0].run}, {len(group)} seeds")
    found = ((name, [scores.get(name) for scores in columns]) for name in CATALOGUE)
    rows = [_row(name, scores) for name, scores in found if any(scores)]
    chosen = [f"{one.evaluation.run}{choice(one.evaluation)}" for one in runs if choice(one.evaluation)]
    painted = [f"measured and shown: {name}" for name in chosen]
    return WayTable(header, rows, [*painted, *(line for one in runs for line in _unmeasured(one))])


def _row(name: str, scores: Sequence[Score | None]) -> Row:
    about = CATALOGUE[name]
    reference = next((one.reference for one in scores if one and one.reference is not None), None)
    beside = "" if reference is None else f"{shown(name, reference)} {about.reference}"
    values = [shown(name, one.value, one.spread) if one else None for one in scores]
    return Row(about.label, values, beside, BETTER[about.better])


def _unmeasured(one: Going) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for name, why in one.way.unmeasured.items():
        reasons.setdefault(why, []).append(CATALOGUE[name].label)
    return [f"{one.evaluation.run}: no {', '.join(names)}: {why}" for why, names in reasons.items()]


def _text(label: str, evaluations: Sequence[Evaluation]) -> str:
    found, first = way_table(label, evaluations), going(label, evaluations)[0]
    rows = [[row.label, *row.values, row.beside, row.better] for row in found.rows]
    measured = f"{len(first.way.photos)} images of {first.evaluation.split}, net {first.evaluation.net}"
    lines = [text_table.table([label, *found.header, "", ""], rows), f"{measured}; ± is the bootstrap's spread"]
    return "\n".join([*lines, *found.unmeasured])
