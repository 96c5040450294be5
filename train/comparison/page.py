"""The page of `curate compare`: every held-out photo as each run translates it, the numbers, and blind votes.

It stands on its own, pictures and script inside: it can be sent to somebody who votes and sends a file of votes back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from curate.pipeline.core.config import digest
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.imaging import codec, shards
from curate.pipeline.pages import templates
from curate.pipeline.pages.thumbnails import Thumb, inside
from curate.train.comparison import table
from curate.train.comparison.evaluation import FOLDER, PICTURES, Evaluation

SIDE = 256  # px, the longer side of a picture at the most
NEAREST = 6  # training pictures that are shown per run
INPUTS = {"before": "photo", "article": "article"}  # what stands before the runs' pictures
INPUT = " "  # what marks one of them, which no run's name begins with


def page_id(evaluations: Sequence[Evaluation]) -> str:
    """A name for these runs as they were measured: votes on one page are never counted with those on another."""
    return digest([[one.run, one.made_by] for one in evaluations])


def render(evaluations: Sequence[Evaluation], root: Path, progress: Progress = SILENT) -> str:
    """The page for runs whose pictures lie below `root`. Everything in it that came from elsewhere is escaped."""
    count = sum(len(way.photos) for one in evaluations for way in one.ways.values())
    with progress.task("page", count) as running:
        view = {
            "page": page_id(evaluations),
            "runs": [one.run for one in evaluations],
            "ways": [
                _Pictures(label, evaluations, root, running.advance).view() for label in table.labels(evaluations)
            ],
        }
    return templates.render("compare.html", view, "curate.train.comparison")


class _Pictures:
    """One way of those runs that go it."""

    def __init__(self, label: str, evaluations: Sequence[Evaluation], root: Path, advance: Any) -> None:
        self.label, self.root, self.advance = label, root, advance
        self.going = table.going(label, evaluations)
        self.table = table.way_table(label, evaluations)

    def view(self) -> dict[str, Any]:
        """What the template shows."""
        first = self.going[0]
        kinds = [kind for kind in INPUTS if kind in first.way.kinds]
        return {
            "label": self.label,
            "split": first.evaluation.split,
            "net": first.evaluation.net,
            "header": self.table.header,
            "rows": self.table.rows,
            "unmeasured": self.table.unmeasured,
            "columns": len(kinds) + len(self.going),
            "photos": [self._photo(number, kinds) for number in range(len(first.way.photos))],
            "nearest": list(self._nearest()),
        }

    def _photo(self, number: int, kinds: Sequence[str]) -> dict[str, Any]:
        """A photo, and what each run made of it; they may have numbered it otherwise, or not have been given it."""
        first = self.going[0]
        name = first.way.photos[number].id
        pictures = [(INPUT + kind, self._picture(first, kind, number), INPUTS[kind]) for kind in kinds]
        for one in self.going:
            at = one.numbers.get(name)
            made = None if at is None else self._picture(one, "after", at)
            pictures.append((one.evaluation.run, made, one.evaluation.run + table.choice(one.evaluation)))
            self.advance()
        return {"id": name, "pictures": pictures}

    def _nearest(self) -> Iterator[dict[str, Any]]:
        for one in self.going:
            photos: Sequence[Any] = one.way.photos
            for number in sorted(range(len(photos)), key=lambda n: float(photos[n].ratio))[:NEAREST]:
                photo = photos[number]
                yield {
                    "run": one.evaluation.run + table.choice(one.evaluation),
                    "after": self._picture(one, "after", number),
                    "training": self._picture(one, "nearest", number),
                    "ratio": f"training picture: {photo.ratio:.2f}",
                    "id": photo.id,
                    "nearest": photo.nearest,
                }

    def _picture(self, one: table.Going, kind: str, number: int) -> Thumb | None:
        path = f"{FOLDER}/{one.evaluation.run}/{PICTURES}/{one.name}/{kind}/{number:04}.jpg"
        try:
            return inside(codec.decode(shards.read(self.root, path)), SIDE)
        except (OSError, codec.ImageError):
            return None
