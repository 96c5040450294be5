"""Whether a direction does what it is called: on seeds that it was not found on, how far each amount moves the measure.

NAME-check.png plots it, a line for each seed; NAME-check.json has the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core import interrupt
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.outputs import OutputPlan
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.imaging import synthetic
from curate.pipeline.imaging.photo import Photo
from curate.train.latent import edit
from curate.train.latent.direction_files import Direction
from curate.train.latent.face_measures import FaceMeasures, Identity
from curate.train.latent.latent_run import LatentRun
from curate.train.translate import metadata, picture_files

AMOUNTS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
SAME = 0.9  # cosine from which it is the same person
_WIDTH, _HEIGHT, _EDGE = 640, 400, 56  # px of the plot, and around its axes
_INK, _FAINT, _STRONG = (40, 40, 40), (190, 200, 214), (204, 90, 30)


@dataclass(frozen=True)
class Checked:
    """How a direction did on held-out seeds."""

    direction: str
    measure: str
    seeds: int
    faces: int  # seeds of which every picture shows a face: the shares are of these
    rising: float  # share whose measure rises with every amount
    rising_and_same: float  # share that also stays the same person at every amount
    identity: float | None  # mean cosine of the outermost amounts with what was not moved; None where it is not known
    means: tuple[float, ...]  # of the measure, by amount
    plot: str


def run(
    source: LatentRun,
    direction: Direction,
    seeds: Sequence[int],
    psi: float,
    out: Path,
    amounts: Sequence[float] = AMOUNTS,
    *,
    force: bool = False,
    progress: Progress = SILENT,
) -> Checked:
    """Edits the pictures of `seeds` by rising `amounts` and measures them; "same": as at the amount nearest to 0.

    Raises UsageError where none of them shows a face.
    """
    measure, faces = edit.measure_of(direction), FaceMeasures()
    direction.check(source.generator.w_dim, source.generator.num_ws, source.trained.source)
    measured = np.full((len(seeds), len(amounts)), np.nan)
    cosines, unmoved = np.full_like(measured, np.nan), int(np.argmin(np.abs(amounts)))
    picture, notes = (out / f"{direction.name}-check{ending}" for ending in (".png", ".json"))
    with OutputPlan([picture, notes], force=force) as plan, interrupt.beginning_anew():
        with progress.task(f"check {direction.name}", len(seeds)) as task:
            for row, ws in enumerate(source.codes(list(seeds), psi).split(1)):
                shown = [source.pictures(direction.added(ws, amount))[0] for amount in amounts]
                seen = [faces.with_identity(one) for one in shown]
                measured[row] = [found.get(measure, np.nan) for found, _ in seen]
                cosines[row] = _cosines([who for _, who in seen], unmoved)
                task.advance()
        whole = np.isfinite(measured).all(axis=1)
        if not whole.any():
            raise UsageError(
                f"direction {direction.name}: no face in all {len(amounts)} pictures of any of {len(seeds)} seeds",
                "the generator may need more training, or the direction smaller steps",
            )
        result = _summary(direction.name, measure, measured, cosines, whole, picture)
        drawn = _plot(measured[whole], amounts, measure, result)
        with plan.write(picture) as temporary:
            xmp = metadata.xmp(source.made_by, synthetic.GENERATED)
            temporary.write_bytes(picture_files.encode(Photo.of(drawn), ".png", xmp))
        with plan.write(notes) as temporary:
            rows = [[None if np.isnan(value) else round(float(value), 4) for value in row] for row in measured]
            said = {
                **asdict(result),
                "amounts": list(amounts),
                "psi": psi,
                "by_seed": dict(zip(seeds, rows, strict=True)),
            }
            temporary.write_text(json.dumps(said, indent=2) + "\n", "utf-8")
    return result


def _cosines(vectors: Sequence[Identity | None], unmoved: int) -> list[float]:
    """Of each picture with the one that was not moved, NaN where there is no face, or nothing to know it by."""
    before = vectors[unmoved]
    return [np.nan if one is None or before is None else float(one @ before) for one in vectors]


def _summary(
    name: str,
    measure: str,
    measured: NDArray[np.float64],
    cosines: NDArray[np.float64],
    whole: NDArray[np.bool_],
    picture: Path,
) -> Checked:
    rising = np.all(np.diff(measured[whole], axis=1) > 0, axis=1, keepdims=True)[:, 0]
    known = bool(np.isfinite(cosines).any())
    same = np.all(cosines[whole] >= SAME, axis=1, keepdims=True)[:, 0] | (not known)
    return Checked(
        name,
        measure,
        len(measured),
        int(whole.sum()),
        float(rising.mean()),
        float((rising & same).mean()),
        float(np.nanmean(cosines[whole][:, [0, -1]])) if known else None,
        tuple(round(float(value), 4) for value in measured[whole].mean(axis=0)),
        str(picture),
    )


def _plot(measured: NDArray[np.float64], amounts: Sequence[float], measure: str, result: Checked) -> NDArray[np.uint8]:
    """A line for each seed, and their mean, over the amounts."""
    canvas: NDArray[np.uint8] = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    low, high = float(measured.min()), float(measured.max())
    high = high if high > low else low + 1.0
    x = np.linspace(_EDGE, _WIDTH - 32, len(amounts))

    def line(values: NDArray[np.float64], colour: tuple[int, int, int], thick: int) -> None:
        y = _HEIGHT - 40 - (values - low) / (high - low) * (_HEIGHT - 40 - 34)
        points = np.rint(np.column_stack([x, y])).astype(np.int32)
        cv2.polylines(canvas, [points], False, colour, thick, cv2.LINE_AA)

    for row in measured:
        line(row, _FAINT, 1)
    line(measured.mean(axis=0), _STRONG, 3)

    def say(text: str, left: int, base: int) -> None:
        cv2.putText(canvas, text, (left, base), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)

    for place, amount in zip(x, amounts, strict=True):
        say(f"{amount:+g}", int(place) - 10, _HEIGHT - 18)
    say(f"{high:.2f}", 6, 38)
    say(f"{low:.2f}", 6, _HEIGHT - 40)
    identity = "" if result.identity is None else f", identity {result.identity:.2f}"
    say(f"{measure} by steps of {result.direction}: {result.rising:.0%} of {result.faces} rise{identity}", 6, 18)
    return canvas
