"""The numbers of evaluated runs as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from curate.pipeline.core.text_table import table
from curate.train.comparison.catalogue import CATALOGUE, shown
from curate.train.comparison.evaluation import Evaluation, over_seeds
from curate.train.comparison.scores import Score

ARROWS = {"less": "less is better", "more": "more is better", "": ""}


def text(evaluations: Sequence[Evaluation]) -> str:
    """A table per way, the runs side by side, then what was not measured, and why."""
    return "\n\n".join(_way(label, evaluations) for label in labels(evaluations))


def labels(evaluations: Sequence[Evaluation]) -> list[str]:
    """The ways of all runs, each once."""
    return list(dict.fromkeys(way.label for one in evaluations for way in one.ways.values()))


def _way(label: str, evaluations: Sequence[Evaluation]) -> str:
    going = [(one, name, way) for one in evaluations for name, way in one.ways.items() if way.label == label]
    first = going[0]
    columns = [way.scores for _, _, way in going]
    header = [f"{label}", *(one.run for one, _, _ in going)]
    for group, scores in over_seeds(evaluations):
        name = next((name for name, way in group[0].ways.items() if way.label == label), None)
        if name is not None:
            columns.append(scores[name])
            header.append(f"{len(group)} seeds")
    rows = []
    for measure, about in CATALOGUE.items():
        found = [scores.get(measure) for scores in columns]
        if any(found):
            beside = next(
                f"{shown(measure, s.reference)} {about.reference}" if s.reference is not None else ""
                for s in found
                if s
            )
            rows.append([about.label, *(_cell(measure, score) for score in found), beside, ARROWS[about.better]])
    lines = [table([*header, "", ""], rows)]
    lines.append(f"{len(first[2].photos)} images of {first[0].split}, net {first[0].net}; ± is the bootstrap's spread")
    for one, _, way in going:
        for why in dict.fromkeys(way.unmeasured.values()):
            names = ", ".join(CATALOGUE[name].label for name, reason in way.unmeasured.items() if reason == why)
            lines.append(f"{one.run}: no {names}: {why}")
    return "\n".join(lines)


def _cell(measure: str, score: Score | None) -> str | None:
    return shown(measure, score.value, score.spread) if score else None
