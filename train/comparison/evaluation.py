"""What was measured of a run, and where it is kept: processed/evaluated/RUN.

evaluation.json       all of it, the pictures' names and what was not measured, and why
metrics.json          the numbers alone, for `dvc metrics show` and `dvc metrics diff`
nearest.jpg           the made pictures that come nearest to training pictures, beside these
pictures/WAY          before/0000.jpg, an image as the networks saw it; after/, what they made of it; article/, what
                      people were given to wear; nearest/, the training picture nearest to what was made
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec

from curate.pipeline.core.files import write_text
from curate.train.comparison.catalogue import CATALOGUE, key
from curate.train.comparison.scores import Score

FOLDER = Path("processed/evaluated")
DOCUMENT, METRICS, PICTURES = "evaluation.json", "metrics.json", "pictures"
Kind = Literal["before", "after", "article", "nearest"]
KINDS: Sequence[Kind] = get_args(Kind)  # folders of a way's pictures


WayName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9]+\Z")]  # also its folder


class HeldOutImage(msgspec.Struct, frozen=True, kw_only=True):
    """A held-out image of a way; its pictures are called by its number among all."""

    id: str  # crop_id, pair_id, or a seed
    nearest: str  # id of the training picture nearest to what was made
    ratio: float  # how near: 1 as pictures that never trained, 0 a copy


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a run translates."""

    label: str  # long to short: by the domains' names, which runs have in common
    scores: Mapping[str, Score]  # by name in CATALOGUE
    unmeasured: Mapping[str, str]  # why not, by name
    photos: Sequence[HeldOutImage]
    kinds: Sequence[Kind]  # those that there are


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it was measured."""

    run: str  # its folder's name, and @STEP or @best where a checkpoint was named
    recipe: str
    step: int | None
    seed: int
    settings: str  # digest of everything that a run is told but the seed: equal for runs that differ by it alone
    made_by: str  # digest of all that the numbers follow from
    net: str  # the feature net
    split: str
    ways: Mapping[WayName, Way]  # a2b, b2a, repainted, generated

    @property
    def numbers(self) -> dict[str, dict[str, dict[str, float]]]:
        """{a2b: {kid_lite0: {value, spread}}}."""
        return {
            name: {
                key(measure, self.net): {"value": score.value, "spread": score.spread}
                for measure, score in way.scores.items()
            }
            for name, way in self.ways.items()
        }


def write(evaluation: Evaluation, root: Path) -> Path:
    """Writes both documents into the run's folder below `root`, and returns it. Raises CurateError for a full disk."""
    folder = root / FOLDER / evaluation.run
    plain: Any = msgspec.to_builtins(evaluation)
    write_text(folder / METRICS, json.dumps(evaluation.numbers, indent=2) + "\n")
    write_text(folder / DOCUMENT, json.dumps(plain, ensure_ascii=False, indent=2) + "\n")
    return folder


def read(run: str, root: Path) -> Evaluation | None:
    """What `write` wrote of `run`; None where it was never measured, not by this version, or where it is another's."""
    try:
        found = msgspec.json.decode((root / FOLDER / run / DOCUMENT).read_bytes(), type=Evaluation)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None
    names = {name for way in found.ways.values() for name in (*way.scores, *way.unmeasured)}
    return found if found.run == run and names <= CATALOGUE.keys() else None


def over_seeds(evaluations: Sequence[Evaluation]) -> Iterator[tuple[Sequence[Evaluation], Mapping[str, Any]]]:
    """Runs that differ by their seed alone, and {way: {measure: Score}} over them: value is the mean, spread the
    standard deviation from run to run. Those without a second seed are left out.
    """
    groups: dict[str, list[Evaluation]] = {}
    for one in evaluations:
        group = groups.setdefault(f"{one.settings} {one.step} {one.net} {one.split}", [])
        if one.seed not in {other.seed for other in group}:
            group.append(one)
    for group in groups.values():
        if len(group) > 1:
            yield group, {way: _between([one.ways[way].scores for one in group]) for way in group[0].ways}


def _between(scores: Sequence[Mapping[str, Score]]) -> dict[str, Score]:
    shared = [name for name in CATALOGUE if all(name in one for one in scores)]
    return {name: _over([one[name] for one in scores]) for name in shared}


def _over(scores: Sequence[Score]) -> Score:
    mean = sum(score.value for score in scores) / len(scores)
    square = sum((score.value - mean) ** 2 for score in scores) / (len(scores) - 1)
    return Score(value=mean, spread=square**0.5, images=scores[0].images, reference=scores[0].reference)
