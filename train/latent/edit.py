"""`curate edit`: a picture along a direction, measured at each amount, as a strip, a film, and back in its photo."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from curate.pipeline.core import interrupt
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.outputs import OutputPlan
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.imaging import synthetic, warp
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.photo import Photo
from curate.train.data.transforms import to_float, to_uint8, to_values
from curate.train.engine import safetensors_file
from curate.train.latent import code_files
from curate.train.latent.code_files import Codes
from curate.train.latent.direction_files import Direction
from curate.train.latent.face_measures import COLUMNS, MEASURES, FaceMeasures
from curate.train.latent.latent_run import LatentGenerator, LatentRun
from curate.train.latent.projection import synthesised
from curate.train.translate import animation, colour_match, composite, metadata, picture_files
from curate.train.translate.composite import Layer
from curate.train.translate.photos import UnreadablePhoto, read_photo
from curate.train.translate.pictures import side_by_side

SHOWN = 256  # px, side of a picture of the strip and the film
FRAMES, FRAME, REST = 24, 60, 800  # of a film, there and back; ms of one, and of both ends
_FOOT, _INK = 58, (40, 40, 40)
MOST = 50.0  # steps: beyond that there is no picture


@dataclass(frozen=True)
class EditSettings:
    """What is made of a w."""

    amounts: tuple[float, ...]  # rising, in steps of the direction
    photo: bool = False  # each picture laid back over the photo that was projected


@dataclass(frozen=True)
class Edited:
    """One picture along the way."""

    amount: float
    output: str
    measured: float | None  # None where no face was found
    identity: float | None  # cosine with the unedited picture, by dlib's network; None where it is not known


@dataclass(frozen=True)
class EditResult:
    """What became of one w."""

    input: str
    direction: str
    measure: str
    strip: str
    film: str
    pictures: tuple[Edited, ...]


def run(
    source: LatentRun,
    codes: Codes,
    where: Path,
    direction: Direction,
    settings: EditSettings,
    out: Path,
    *,
    force: bool = False,
    progress: Progress = SILENT,
) -> EditResult:
    """Writes NAME-DIRECTION.png, .gif and .json and a picture for each amount, in full size, into the folder `out`.

    `where` is the file of `codes`, beside which the generator of a tuned one stands. Raises UsageError for a direction
    or a w of other networks, for a w without a photo where one is asked for, and for files that are not curate's.
    """
    generator = _generator(source, codes, where)
    code_files.check(codes, generator, source.trained.source)
    direction.check(generator.w_dim, generator.num_ws, source.trained.source)
    photo = _photo(codes) if settings.photo else None
    stem = f"{codes.name}-{direction.name}"
    places = [out / f"{stem}{amount:+g}.png" for amount in settings.amounts]
    strip, film, notes = (out / f"{stem}{ending}" for ending in (".png", ".gif", ".json"))
    inputs = [where, *([photo[0]] if photo else [])]
    with OutputPlan([*places, strip, film, notes], inputs, force=force) as plan, interrupt.beginning_anew():
        source_type = synthetic.GENERATED if photo is None else synthetic.SOURCE_TYPE
        xmp = metadata.xmp(source.made_by, source_type)
        measure = measure_of(direction)
        faces, shown, edited = _Faces(measure), [], []
        before = _picture(generator, codes, direction, 0.0)
        with progress.task(f"edit {stem}", len(places)) as task:
            for amount, place in zip(settings.amounts, places, strict=True):
                made = _picture(generator, codes, direction, amount)
                shown.append(to_uint8(made)[0].numpy())
                edited.append(Edited(amount, str(place), *faces(shown[-1], to_uint8(before)[0].numpy())))
                whole = Photo.of(shown[-1]) if photo is None else _laid_over(photo[1], made, codes.about["affine"])
                with plan.write(place) as temporary:
                    temporary.write_bytes(picture_files.encode(whole, ".png", xmp))
                task.advance()
        with plan.write(strip) as temporary:
            picture = Photo.of(side_by_side([_captioned(*one, measure) for one in zip(shown, edited, strict=True)]))
            temporary.write_bytes(picture_files.encode(picture, ".png", xmp))
        with plan.write(film) as temporary:
            temporary.write_bytes(_film(generator, codes, direction, settings.amounts, xmp))
        result = EditResult(str(where), direction.name, measure, str(strip), str(film), tuple(edited))
        with plan.write(notes) as temporary:
            temporary.write_text(json.dumps(asdict(result), indent=2, ensure_ascii=False) + "\n", "utf-8")
    return result


def parse_amounts(text: str, steps: int = 7) -> tuple[float, ...]:
    """-3..3 in `steps`, one number, or several with commas. Raises UsageError."""
    hint = "--amount -3..3, --amount 2, or --amount=-1,0,2"
    first, dots, last = text.partition("..")
    try:
        ends = [float(part) for part in ((first, last) if dots else text.split(","))]
    except ValueError:
        raise UsageError(f"--amount {text}: no number and no range", hint) from None
    if not all(abs(end) <= MOST for end in ends):  # NaN, too
        raise UsageError(f"--amount {text}: from {-MOST:g} to {MOST:g} steps there may be a picture", hint)
    if not dots:
        return tuple(sorted(set(ends)))
    low, high = ends
    if low >= high:
        raise UsageError(f"--amount {text}: the smaller one first", hint)
    return tuple(round(float(amount), 4) for amount in np.linspace(low, high, steps))


def measure_of(direction: Direction) -> str:
    """The measure that says how far a direction went: its label where that is one, else what goes with it most."""
    names = {column: name for name, column in COLUMNS.items()}
    label = str(direction.about.get("label", ""))
    label = names.get(label, label)
    return label if label in MEASURES else next(iter(direction.about.get("correlations") or {}), "smile")


class _Faces:
    """What is written below a picture: its measure, and how much it is still the same person."""

    def __init__(self, measure: str) -> None:
        self.measure, self._faces = measure, FaceMeasures()
        self._first: Any = None

    def __call__(self, picture: RGB, before: RGB) -> tuple[float | None, float | None]:
        measured, now = self._faces.with_identity(picture)
        if self._first is None:
            self._first = (self._faces.identity(before),)
        then = self._first[0]
        return measured.get(self.measure), None if now is None or then is None else float(now @ then)


@torch.no_grad()
def _picture(generator: LatentGenerator, codes: Codes, direction: Direction, amount: float) -> torch.Tensor:
    device = generator.mapping.w_avg.device
    ws = direction.added(codes.ws.to(device), amount)
    return synthesised(generator, ws, {name: value.to(device) for name, value in codes.noise.items()})


def _generator(source: LatentRun, codes: Codes, where: Path) -> LatentGenerator:
    """The run's, or the one that was tuned to the picture. Raises UsageError where that is not there."""
    name = codes.about.get("generator")
    if not name:
        return source.generator
    path = where.with_name(Path(str(name)).name)
    _, state = safetensors_file.read(path, "project the photo again, with --tune")
    own = copy.deepcopy(source.generator)
    try:
        own.synthesis.load_state_dict(state)
    except RuntimeError as error:
        first = next(iter(str(error).splitlines()))
        raise UsageError(f"{path}: not {source.trained.source}'s networks: {first}", "--run names its run") from None
    return own


def _photo(codes: Codes) -> tuple[Path, Photo]:
    """The photo that was projected. Raises UsageError where there is none, or it is not where it was."""
    path, affine = codes.about.get("photo"), codes.about.get("affine")
    if not path or not isinstance(affine, list) or len(affine) != 6:
        raise UsageError(f"{codes.name}: comes from no photo", "leave --photo out, or name what curate project wrote")
    found = read_photo(Path(path))
    if isinstance(found, UnreadablePhoto):
        raise UsageError(f"{path}: {found.detail or found.reason}", "bring the photo back, or leave --photo out")
    return Path(path), found


def _laid_over(photo: Photo, made: torch.Tensor, numbers: Sequence[float]) -> Photo:
    """The picture over the part of the photo that was projected, its colours matched at the border, where it fades."""
    affine = np.array(numbers, np.float64).reshape(2, 3)
    paint = to_values(made)
    layer = Layer(paint, np.ones(paint.shape[:2], np.float32), affine, composite.AREA)
    seen = to_values(to_float(torch.from_numpy(warp.cut(photo.shown, affine, len(paint)))[None]))
    around = composite.surroundings(layer, *photo.size)
    return composite.laid_over(photo, layer._replace(paint=colour_match.matched(paint, seen, around)))


def _sized(picture: RGB) -> RGB:
    if len(picture) >= SHOWN:
        return warp.thumbnail(picture, SHOWN)
    return np.asarray(cv2.resize(picture, (SHOWN, SHOWN), interpolation=cv2.INTER_CUBIC), np.uint8)


def _captioned(picture: RGB, edited: Edited, measure: str) -> RGB:
    """The picture, and below it how much it was changed and what that did."""
    shown = np.vstack([_sized(picture), np.full((_FOOT, SHOWN, 3), 255, np.uint8)])
    measured = "no face" if edited.measured is None else f"{measure} {edited.measured:.2f}"
    identity = "" if edited.identity is None else f"identity {edited.identity:.2f}"
    for row, text in enumerate((f"{edited.amount:+g}", measured, identity)):
        at = (4, SHOWN + 16 + 18 * row)
        cv2.putText(shown, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return shown


def _film(
    generator: LatentGenerator, codes: Codes, direction: Direction, amounts: Sequence[float], xmp: bytes
) -> bytes:
    """From the least amount to the largest and back; of one amount, from none to it."""
    low, high = min(amounts), max(amounts)
    low, high = (low, high) if low < high else (min(0.0, low), max(0.0, high))
    way = np.linspace(low, high, FRAMES)
    there = [_sized(to_uint8(_picture(generator, codes, direction, float(amount)))[0].numpy()) for amount in way]
    times = [REST, *[FRAME] * (FRAMES - 2), REST, *[FRAME] * (FRAMES - 2)]
    return animation.moving([*there, *there[-2:0:-1]], times, ".gif", xmp)
