"""`curate project`: photos in, the w's that make them out, with a picture and a film of how each was found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from curate.pipeline.core import interrupt, scraps
from curate.pipeline.core.config import override
from curate.pipeline.core.errors import InterruptionError, UsageError
from curate.pipeline.core.outputs import OutputPlan, Record
from curate.pipeline.core.progress import SILENT, Progress, Task
from curate.pipeline.faces.alignment import Aligner
from curate.pipeline.imaging import synthetic, warp
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.photo import Photo
from curate.pipeline.tables.manifest import OK
from curate.train.data import transforms
from curate.train.data.transforms import to_float, to_uint8
from curate.train.engine import safetensors_file
from curate.train.latent import code_files, tuning
from curate.train.latent.code_files import Codes
from curate.train.latent.latent_run import LatentRun
from curate.train.latent.perceptual import Perceptual
from curate.train.latent.projection import NoiseMaps, ProjectionSettings, project, psnr, synthesised
from curate.train.latent.tuning import TuneSettings
from curate.train.translate import animation, metadata, picture_files
from curate.train.translate.photos import UnreadablePhoto, list_photos, read_photo
from curate.train.translate.pictures import side_by_side
from curate.train.translate.results import Destination
from curate.train.translate.translator import affine_at, lenient

FRAMES = 40  # of a film
SHOWN = 256  # px, side of its pictures
FRAME, LAST_FRAME = 100, 2500  # ms
FINISHING = "finishing the photos that are begun; once more to stop at once"
_ENDINGS = (".safetensors", ".png", ".gif", ".json")
_OWN = "-generator.safetensors"


@dataclass(frozen=True)
class Projected:
    """What became of one photo: `reason` is "ok", no_face, or why it can't be read."""

    input: str
    output: str | None
    reason: str
    detail: str = ""
    net: str | None = None  # that the distance is of
    distance: float | None = None
    psnr: float | None = None  # dB, of the picture of w and noise beside the photo
    tuned_psnr: float | None = None
    kept: bool = False  # it was there from before


@dataclass(frozen=True)
class _Target:
    path: Path
    place: Path  # NAME.safetensors
    picture: Tensor  # [1, 3, R, R]
    digest: str  # SHA-256 of the photo's file
    affine: list[float]  # 2x3, row-major: index coordinates of the photo -> of the picture


def run(
    source: LatentRun,
    inputs: Iterable[Path],
    out: Path,
    settings: ProjectionSettings,
    perceptual: Perceptual,
    tune: TuneSettings | None = None,
    *,
    align: bool = True,
    batch: int = 4,
    force: bool = False,
    progress: Progress = SILENT,
) -> list[Projected]:
    """Finds the w of the largest face of each photo, `batch` at once; photos that were done before, alike, are kept.

    With `align` it is cut as the run's training images were, which matters: a face that lies elsewhere is projected
    badly. Without, the photo's middle square is taken. Raises UsageError for files that are not curate's, and
    InterruptionError, after which the same command goes on with the photos that are left.
    """
    photos = list_photos(inputs)
    if photos.made:
        progress.note(f"{photos.made} pictures that curate wrote are passed over")
    if out.suffix.lower() in picture_files.SUFFIXES | animation.SUFFIXES:
        raise UsageError(f"-o {out}: a photo becomes several files", "name a folder")
    scraps.sweep(out)  # where all photos are done, nothing below looks at the folder
    place = Destination(out, len(photos.files))
    names = [place.name(path.stem) for path in photos.files]
    said = _said(source, settings, tune, perceptual, align=align)
    record = Record(out)
    results: dict[Path, Projected] = {}
    todo: list[tuple[Path, Path]] = []
    for path, name in zip(photos.files, names, strict=True):
        file = out / f"{name}.safetensors"
        kept = _kept(file, path, said, record)
        if kept is not None and not force:
            results[path] = kept
        else:
            todo.append((path, file))
    endings = (*_ENDINGS, _OWN) if tune else _ENDINGS
    targets = [file.with_name(f"{file.stem}{ending}") for _, file in todo for ending in endings]
    with OutputPlan(targets, photos.files, force=force) as plan:
        found = _targets(source, todo, results, align=align)
        steps = len(found) * (settings.steps + (tune.steps if tune else 0))
        try:
            with interrupt.deferred(FINISHING) as interrupted, progress.task("project", steps) as task:
                for at in range(0, len(found), batch):
                    if interrupted():
                        break
                    part = found[at : at + batch]
                    results |= _batch(source, part, settings, perceptual, tune, said, plan, task)
        except KeyboardInterrupt:
            left = sum(target.path not in results for target in found)
            raise InterruptionError(
                f"interrupted: {left} photos are left", "the same command goes on with them"
            ) from None
    return [results[path] for path in photos.files]


class _Film:
    """The way of each picture of a batch, some frames of it."""

    def __init__(self, targets: Sequence[Tensor], steps: int, task: Task, worth: int) -> None:
        self.seen = [_frame(to_uint8(target)[0].numpy()) for target in targets]
        self.frames: list[list[RGB]] = [[] for _ in targets]
        self._every, self._steps, self._task, self._worth = max(1, steps // FRAMES), steps, task, worth

    def __call__(self, step: int, pictures: Tensor, distances: Tensor) -> None:
        self._task.advance(self._worth, distance=f"{float(distances.mean()):.4f}")
        if step == 1 or step % self._every == 0 or step == self._steps:
            for frames, shown in zip(self.frames, to_uint8(pictures).numpy(), strict=True):
                frames.append(_frame(shown))

    def gif(self, index: int, last: RGB, xmp: bytes) -> bytes:
        """The photo beside what was found, step after step, and at the end `last`."""
        frames = [side_by_side([self.seen[index], one]) for one in (*self.frames[index], _frame(last))]
        return animation.moving(frames, [FRAME] * (len(frames) - 1) + [LAST_FRAME], ".gif", xmp)


def _frame(picture: RGB) -> RGB:
    """At a size that is seen, and can be sent."""
    if len(picture) >= SHOWN:
        return warp.thumbnail(picture, SHOWN)
    return np.asarray(cv2.resize(picture, (SHOWN, SHOWN), interpolation=cv2.INTER_CUBIC), np.uint8)


def _batch(
    source: LatentRun,
    part: Sequence[_Target],
    settings: ProjectionSettings,
    perceptual: Perceptual,
    tune: TuneSettings | None,
    said: dict[str, Any],
    plan: OutputPlan,
    task: Task,
) -> dict[Path, Projected]:
    film = _Film([target.picture for target in part], settings.steps, task, len(part))
    made = project(source, torch.cat([target.picture for target in part]), settings, perceptual, film)
    results = {}
    for index, target in enumerate(part):
        one = slice(index, index + 1)
        noise = {name: value[one] for name, value in made.noise.items()}
        codes = Codes(target.place.stem, made.ws[one], noise)
        picture = _shown(source.generator, codes.ws, noise)
        result = Projected(
            str(target.path),
            str(target.place),
            OK,
            net=made.net,
            distance=float(made.distance[index]),
            psnr=float(psnr(picture, target.picture)),
        )
        if tune is not None:
            own = _Film([target.picture], tune.steps, task, 1)
            tuned = tuning.tune(source.generator, codes.ws, noise, target.picture, tune, perceptual, own)
            task.advance(tune.steps - tuned.steps)  # it was near enough
            film.frames[index] += own.frames[0]
            picture = _shown(tuned.generator, codes.ws, noise)
            result = replace(result, distance=tuned.distance, tuned_psnr=float(psnr(picture, target.picture)))
            state = tuned.generator.synthesis.state_dict()
            with plan.write(target.place.with_name(f"{target.place.stem}{_OWN}")) as temporary:
                safetensors_file.write(temporary, state)
        _write(source, target, codes, picture, result, film, index, said, plan)
        results[target.path] = result
    return results


def _write(
    source: LatentRun,
    target: _Target,
    codes: Codes,
    picture: Tensor,
    result: Projected,
    film: _Film,
    index: int,
    said: dict[str, Any],
    plan: OutputPlan,
) -> None:
    """Picture, film, notes, and last the w: where that stands, the photo is done."""
    xmp = metadata.xmp(source.made_by, synthetic.GENERATED)
    shown = to_uint8(picture)[0].numpy()
    with plan.write(target.place.with_suffix(".png")) as temporary:
        temporary.write_bytes(picture_files.encode(Photo.of(shown), ".png", xmp))
    with plan.write(target.place.with_suffix(".gif")) as temporary:
        temporary.write_bytes(film.gif(index, shown, xmp))
    about = {
        **said,
        "photo": str(target.path),
        "photo_sha256": target.digest,
        "affine": target.affine,
        "result": asdict(result),
    }
    if result.tuned_psnr is not None:
        about["generator"] = f"{target.place.stem}{_OWN}"
    with plan.write(target.place.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", "utf-8")
    code_files.write(target.place, replace(codes, about=about), plan)


@torch.no_grad()
def _shown(generator: Any, ws: Tensor, noise: NoiseMaps) -> Tensor:
    return synthesised(generator, ws, noise)


def _aligner(source: LatentRun, *, align: bool) -> Aligner:
    rules = source.rules if align else override(source.rules, "crop", align="none")
    side = max(32, min(source.generator.resolution, 1024))
    return Aligner(lenient(override(rules, "crop", size=side), all_faces=False))


def _targets(
    source: LatentRun, todo: Sequence[tuple[Path, Path]], results: dict[Path, Projected], *, align: bool
) -> list[_Target]:
    """The faces of the photos `todo`, each with its file; a photo without any has its result at once."""
    aligner = _aligner(source, align=align) if todo else None
    found: list[_Target] = []
    for path, file in todo:
        assert aligner is not None
        seen = _target(source, aligner, path, file)
        if isinstance(seen, Projected):
            results[path] = seen
        else:
            found.append(seen)
    return found


def _target(source: LatentRun, aligner: Aligner, path: Path, file: Path) -> _Target | Projected:
    photo = read_photo(path)
    if isinstance(photo, UnreadablePhoto):
        return Projected(str(path), None, photo.reason, photo.detail)
    cuts = aligner(photo.shown)
    cut = next((cut for cut in cuts if cut.reason == OK), None)
    if cut is None:
        return Projected(str(path), None, cuts[0].reason if cuts else "no_face")
    side = source.generator.resolution
    picture = transforms.resize(to_float(torch.from_numpy(cut.image)[None], source.device), side)
    return _Target(path, file, picture, _digest(path), np.asarray(affine_at(cut, side), float).ravel().tolist())


def _said(
    source: LatentRun,
    settings: ProjectionSettings,
    tune: TuneSettings | None,
    perceptual: Perceptual,
    *,
    align: bool,
) -> dict[str, Any]:
    made_by = {"run": str(source.trained.source), "weights": list(source.made_by.weights)}
    asked = {"projection": asdict(settings), "tune": asdict(tune) if tune else None}
    return {**made_by, **asked, "net": perceptual.name, "align": align}


def _kept(file: Path, photo: Path, said: dict[str, Any], record: Record) -> Projected | None:
    """What an earlier call found for `photo` by the same settings; None where it found nothing, or otherwise."""
    if not file.is_file() or not record.holds(file):
        return None
    about = code_files.read(file).about
    alike = all(about.get(key) == value for key, value in said.items() if key != "run")
    alike = alike and photo.is_file() and about.get("photo_sha256") == _digest(photo)
    return Projected(**{**about["result"], "input": str(photo), "output": str(file), "kept": True}) if alike else None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
