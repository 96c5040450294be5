"""Stage `curate translate`: files of photos in, translated photos out, and notes beside each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from curate.pipeline.core.config import as_dict
from curate.pipeline.core.confined_path import inside
from curate.pipeline.core.errors import DetectorLostError, UsageError
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.photo import Photo
from curate.pipeline.imaging.values import rounded
from curate.pipeline.tables import manifest
from curate.pipeline.tables.manifest import OK
from curate.train.translate import composite, member_sheet
from curate.train.translate.composite import Layer
from curate.train.translate.kept_results import KeptResults
from curate.train.translate.member_sheet import MemberChoice
from curate.train.translate.metadata import MadeBy
from curate.train.translate.photos import UnreadablePhoto, list_photos, read_photo
from curate.train.translate.pictures import PHOTO, Output, PictureWriter
from curate.train.translate.results import Destination, TranslationResult, interruptible
from curate.train.translate.translator import TranslatedFace, TranslatedPhoto, Translator

EYE = np.eye(2, 3)


def run(
    translator: Translator,
    inputs: Iterable[Path],
    out: Path,
    output: Output = PHOTO,
    *,
    choice: MemberChoice | None = None,
    progress: Progress = SILENT,
) -> list[TranslationResult]:
    """Translates every face of every input and writes NAME.png and NAME.json; returns a result for each face.

    With a `choice` of several members or styles, NAME.png is a sheet of what they make of the largest face. What was
    made before, of equal photos by equal networks and settings, is kept, unless `output` is forced.

    `inputs` are images and folders of images. `out` is a folder, or the .png, .jpg or .webp to write when there is one
    image. An input that can't be read is a result, not an error. Raises UsageError, before anything is written, for an
    `output` that these networks have nothing for, for a file that would be written over and is an input or, unless it
    is forced, somebody else's; CurateError for an output that can't be written; InterruptionError, after which the same
    command goes on.
    """
    alone = output.layout == "crop" or (output.layout == "compare" and translator.turns)
    if translator.takes_whole and (output.layout == "crop" or output.rgba):
        raise UsageError(
            f"--{'rgba' if output.rgba else 'layout crop'}: photos are taken whole, nothing is cut out of them",
            "leave it or --no-align out",
        )
    photos = list_photos(inputs)
    if photos.made:
        progress.note(f"{photos.made} pictures that curate wrote are passed over")
    each_face = translator.all_faces and alone
    place = Destination(out, len(photos.files), rgba=output.rgba, gif=output.gif, each_face=each_face)
    names = [place.name(path.stem) for path in photos.files]
    results: list[TranslationResult] = []
    with (
        place.plan(photos.files, force=output.force) as plan,
        interruptible(results, len(names)) as interrupted,
        progress.task(f"translate {translator.direction}", len(names)) as task,
    ):
        writer = PictureWriter(plan, output, MadeBy.of(translator.networks), animated=place.is_animation)
        kept = KeptResults(place.folder, writer, _settings(translator, choice))
        for path, name in zip(photos.files, names, strict=True):
            if interrupted():
                break
            results += kept([path], name, partial(_made, translator, path, place, name, writer, choice, alone=alone))
            task.advance()
        kept.tell(progress, len(names))
    return results


def split_photos(root: Path, domain: str, name: str) -> list[Path]:
    """The raw images that the crops of `domain` in the split `name` come from. Raises TableError and UsageError."""
    rows = manifest.accepted(manifest.read(manifest.DATASET, root)).to_pylist()
    paths = sorted({row["source_path"] for row in rows if row["domain"] == domain and row["split"] == name})
    if not paths:
        raise UsageError(
            f"{manifest.DATASET.path(root)}: no image of '{domain}' is in {name}",
            "another --split, or larger build.val and build.test",
        )
    return [inside(root, path) for path in paths]


def _settings(translator: Translator, choice: MemberChoice | None) -> dict[str, Any]:
    """What results follow from beside photos, networks and the output, as plain values."""
    sheet = {"members": choice.members, "styles": choice.styles} if choice else None
    rules = as_dict(translator.aligner.rules)
    return {**_more(translator), "whole": translator.takes_whole, "rules": rules, "sheet": sheet}


def _made(
    translator: Translator,
    path: Path,
    place: Destination,
    name: str,
    writer: PictureWriter,
    choice: MemberChoice | None,
    *,
    alone: bool,
) -> list[TranslationResult]:
    """The results of one photo, which are written; `alone`: each face by itself."""
    photo = read_photo(path)
    if isinstance(photo, UnreadablePhoto):
        return [TranslationResult.of_unreadable(path, photo)]
    if choice is not None:
        return [_sheet(translator, path, photo, place.target(name), writer, choice)]
    if translator.takes_whole:
        return [_whole(translator, path, photo, place.target(name), writer)]
    try:
        if alone:
            return _crops(translator, path, photo, place, name, writer)
        return _photo(translator, path, photo, place.target(name), writer)
    except DetectorLostError as error:
        return [TranslationResult.of_unreadable(path, UnreadablePhoto("worker_died", error.message))]


def _whole(translator: Translator, path: Path, photo: Photo, target: Path, writer: PictureWriter) -> TranslationResult:
    result = TranslationResult(str(path), str(target), OK, affine=tuple(EYE.ravel().tolist()))
    writer.result(target, photo, translator.on_whole(photo, writer.output.strength))
    writer.notes(target, result, _more(translator))
    return result


def _sheet(
    translator: Translator, path: Path, photo: Photo, target: Path, writer: PictureWriter, choice: MemberChoice
) -> TranslationResult:
    drawn = member_sheet.draw(translator, photo.shown, choice)
    if drawn is None:
        return TranslationResult(str(path), None, "no_face")
    picture, face = drawn
    result = TranslationResult(str(path), str(target), OK)
    if face is not None:
        result = replace(_result(translator, path, face, target), affine=None)  # a sheet is no part of the photo
    writer.picture(target, replace(Photo.of(picture), exif=photo.exif))
    writer.notes(target, result, _more(translator) | {"members": choice.members, "styles": choice.styles})
    return result


def _photo(
    translator: Translator, path: Path, photo: Photo, target: Path, writer: PictureWriter
) -> list[TranslationResult]:
    """The photo with all of its faces."""
    made = translator.on_photo(photo, writer.output.strength)
    results = [_result(translator, path, face, target) for face in made.faces]
    done = [result for result in results if result.output]
    if done:
        paint = partial(composite.cut_out, photo, made.layers)
        writer.result(target, photo, made.photo, paint, partial(_attention, photo, made))
        more = [{"face": one.face, "box": one.box, "affine": one.affine} for one in done[1:]]
        writer.notes(target, done[0], _more(translator) | ({"more_faces": more} if more else {}))
    return results or [TranslationResult(str(path), None, "no_face")]


def _crops(
    translator: Translator, path: Path, photo: Photo, place: Destination, name: str, writer: PictureWriter
) -> list[TranslationResult]:
    """Each face alone, as the networks made it."""
    faces = list(translator(photo.shown))
    several = sum(face.made is not None for face in faces) > 1
    results = []
    for face in faces:
        target = place.target(name, f"-{face.cut.index + 1}") if several else place.target(name)
        results.append(_result(translator, path, face, target))
        if face.made is None or face.seen is None:
            continue
        made = face.seen + np.float32(writer.output.strength) * (face.made.picture - face.seen)
        seen, after = (replace(Photo.of(rounded(one)), exif=photo.exif) for one in (face.seen, made))
        layer = translator.crop_layer(face).weakened(writer.output.strength)
        between = [] if face.made.attention is None else [rounded(face.made.attention)]
        writer.result(target, seen, after, partial(composite.cut_out, seen, [layer]), partial(list, between))
        writer.notes(target, results[-1], _more(translator))
    return results or [TranslationResult(str(path), None, "no_face")]


def _result(translator: Translator, path: Path, face: TranslatedFace, target: Path) -> TranslationResult:
    box = tuple(float(value) for value in face.cut.box) if face.cut.box else None
    if face.made is None:
        return TranslationResult(str(path), None, face.cut.reason, face=face.cut.index, box=box)
    affine = tuple(float(value) for value in translator.affine(face.cut).ravel())
    return TranslationResult(str(path), str(target), OK, face=face.cut.index, box=box, affine=affine)


def _attention(photo: Photo, made: TranslatedPhoto) -> list[RGB]:
    """Where the networks looked, laid over the photo; nothing of networks that don't say it."""
    shown = photo
    for painted, layer in zip((face.made for face in made.faces if face.made is not None), made.layers, strict=True):
        if painted.attention is None:
            return []
        mask = np.ones_like(layer.mask)
        shown = composite.laid_over(shown, Layer(painted.attention, mask, layer.affine))
    return [shown.shown]


def _more(translator: Translator) -> dict[str, Any]:
    domains = {end: translator.networks.domains.get(end) for end in translator.direction.split("2")}
    return {"direction": translator.direction, "domains": domains, "side": translator.side, **translator.choice}
