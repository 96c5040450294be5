"""Photos through trained networks: find the faces, cut them as the training images were cut, translate, write.

What comes out is the aligned face, with the map from the photo's pixels to it beside it, so that it can be put back
into the photo; or, where nothing is aligned, the whole photo.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from curate.pipeline.core.config import override
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.outputs import OutputPlan
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.faces.alignment import Aligner, Cut
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging import codec, geometry
from curate.pipeline.tables import manifest
from curate.pipeline.tables.manifest import OK
from curate.train.data import face_masks, image_grid, transforms
from curate.train.data.transforms import to_float, to_uint8
from curate.train.engine.contract import Batch
from curate.train.runs.trained import Trained
from curate.train.translate import tiles
from curate.train.translate.photos import UnreadablePhoto, list_photos, read_photo
from curate.train.translate.results import (
    Destination,
    TranslationResult,
    interruptible,
    write_notes,
    write_picture,
)

Size = int | Literal["photo"]  # px, side of what the networks see; or the photo's own size


class Translator:
    """Trained networks, ready for photos."""

    def __init__(
        self,
        trained: Trained,
        direction: str,
        *,
        all_faces: bool = False,
        align: bool = True,
        size: Size | None = None,
    ) -> None:
        """Without `align` photos are not searched for faces: they are taken whole, at their own size, or, with a
        `size` and with networks that take one size alone, their middle square is.

        Raises UsageError for a direction that the networks don't go, and for a size that they don't take.
        """
        trained.check_direction(direction)
        if size is not None:
            trained.check_size(size)
        if size == "photo" and align:
            raise UsageError("--size photo: a face that is cut out has no size of a photo", "add --no-align")
        self.trained, self.recipe = trained, trained.recipe
        self.takes_whole = not align and (size == "photo" or (size is None and trained.any_size))
        self.side = None if self.takes_whole else size if isinstance(size, int) else trained.side
        self.direction, self.source = direction, direction[0]
        self.all_faces = all_faces
        self.domain = trained.domains[self.source]
        rules = trained.rules[self.source]
        if isinstance(size, int) and size > rules.size:
            rules = override(rules, "crop", size=size)  # cut so large, not enlarged afterwards
        self.aligner = Aligner(_lenient(rules if align else override(rules, "crop", align="none"), all_faces))
        if all_faces and self.aligner.align == "none":
            raise UsageError(
                f"--all-faces: no faces are looked for in photos of '{self.domain}', which are taken whole",
                "leave it out",
            )

    def __call__(self, photo: codec.RGB) -> Iterator[tuple[Cut, torch.Tensor | None, torch.Tensor | None]]:
        """Each face of `photo`, with what the networks saw and made of it: [1, 3, side, side] in [-1, 1].

        A face that is refused has neither. Without `align`, it is the middle square of the photo.
        """
        for cut in self.aligner(photo):
            if cut.reason != OK:
                yield cut, None, None
            else:
                seen = to_float(torch.from_numpy(cut.image)[None], self.trained.device)
                seen = transforms.resize(seen, self.side) if self.side else seen
                yield cut, seen, self.recipe.render(self._batch(cut, seen))[self.direction]

    def whole(self, photo: codec.RGB) -> codec.RGB:
        """What the networks make of `photo`, uint8 [H, W, 3] of any size, at that size; large ones tile by tile."""
        return tiles.through(photo, self._render)

    def affine(self, cut: Cut) -> tuple[float, ...]:
        """The map from the photo to the output, both in index coordinates, row-major."""
        scale = self.side / cut.image.shape[1] if self.side else 1.0
        scaled = cut.affine * scale
        scaled[:, 2] += (scale - 1) / 2  # pixel centres, not corners, are at whole numbers
        return tuple(float(value) for value in scaled.ravel())

    def _render(self, pixels: codec.RGB) -> NDArray[np.float32]:
        seen = to_float(torch.from_numpy(pixels)[None], self.trained.device)
        batch = {self.source: seen}
        if (key := f"face_{self.source}") in self.trained.keys:
            batch[key] = torch.zeros_like(seen[:, :1])  # nobody looked for a face
        made = self.recipe.render(batch)[self.direction]
        values: NDArray[np.float32] = made.float().add(1.0).mul(127.5)[0].permute(1, 2, 0).cpu().numpy()
        return values

    def _batch(self, cut: Cut, seen: torch.Tensor) -> Batch:
        """What the recipe renders: the crop and, where it wants one, the mask of its face; empty without landmarks."""
        key = f"face_{self.source}"
        if key not in self.trained.keys:
            return {self.source: seen}
        flat = None if cut.landmarks is None else geometry.apply(cut.affine, cut.landmarks).ravel().tolist()
        mask = (
            face_masks.masks(face_masks.landmarks([flat]), cut.image.shape[1])
            if flat
            else torch.zeros(1, 1, *seen.shape[2:])
        )
        return {self.source: seen, key: transforms.resize(mask.to(seen), *seen.shape[2:]).clamp(0.0, 1.0)}


def run(
    translator: Translator,
    inputs: Iterable[Path],
    out: Path,
    *,
    compare: bool = False,
    force: bool = False,
    progress: Progress = SILENT,
) -> list[TranslationResult]:
    """Translates every face of every input and writes NAME.png and NAME.json for each; returns a result for each face.

    `inputs` are images and folders of images. `out` is a folder, or the .png, .jpg or .webp to write when there is one
    image. With `compare`, NAME-compare.png has input and output side by side. An input that can't be read is a result,
    not an error. Raises UsageError, before anything is written, for a file that would be written over and is an input
    or, without `force`, somebody else's; CurateError for an output that can't be written; InterruptionError.
    """
    photos = list_photos(inputs)
    if photos.made:
        progress.note(f"{photos.made} pictures that curate wrote are passed over")
    place = Destination(out, len(photos.files), compare=compare, all_faces=translator.all_faces)
    names = [place.name(path.stem) for path in photos.files]
    results: list[TranslationResult] = []
    with (
        place.plan(photos.files, force=force) as plan,
        interruptible(results, len(names)),
        progress.task(f"translate {translator.direction}", len(names)) as task,
    ):
        for path, name in zip(photos.files, names, strict=True):
            photo = read_photo(path)
            if isinstance(photo, UnreadablePhoto):
                results.append(TranslationResult.of_unreadable(path, photo))
            elif translator.takes_whole:
                results.append(_whole(translator, path, photo, place.target(name), plan, compare))
            else:
                results += _faces(translator, path, photo, place, name, plan, compare)
            task.advance()
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
    return [root / path for path in paths]


def _whole(
    translator: Translator, path: Path, photo: codec.RGB, target: Path, plan: OutputPlan, compare: bool
) -> TranslationResult:
    made = translator.whole(photo)
    result = TranslationResult(str(path), str(target), OK, affine=tuple(np.eye(2, 3).ravel().tolist()))
    write_picture(plan, target, made)
    if compare:
        gap = np.full((len(photo), 2 * image_grid.GAP, 3), 255, np.uint8)
        write_picture(plan, _compared(target), np.concatenate([photo, gap, made], axis=1))
    write_notes(plan, target, result, _notes(translator))
    return result


def _faces(
    translator: Translator,
    path: Path,
    photo: codec.RGB,
    place: Destination,
    name: str,
    plan: OutputPlan,
    compare: bool,
) -> list[TranslationResult]:
    found = list(translator(photo))
    made = sum(output is not None for _, _, output in found)
    results = []
    for cut, seen, output in found:
        box = tuple(float(value) for value in cut.box) if cut.box else None
        if seen is None or output is None:
            results.append(TranslationResult(str(path), None, cut.reason, face=cut.index, box=box))
            continue
        target = place.target(name) if made == 1 else place.target(name, f"-{cut.index + 1}")
        affine = translator.affine(cut)
        result = TranslationResult(str(path), str(target), OK, face=cut.index, box=box, affine=affine)
        write_picture(plan, target, to_uint8(output)[0].numpy())
        if compare:
            write_picture(plan, _compared(target), image_grid.grid([seen, output]))
        write_notes(plan, target, result, _notes(translator))
        results.append(result)
    return results or [TranslationResult(str(path), None, "no_face")]


def _notes(translator: Translator) -> dict[str, object]:
    return {"direction": translator.direction, "side": translator.side, "step": translator.trained.step}


def _compared(target: Path) -> Path:
    return target.with_name(f"{target.stem}-compare{target.suffix}")


def _lenient(rules: CropRules, all_faces: bool) -> CropRules:
    """`rules` without what only a dataset needs: a person's own photo is translated also where it is dark or blurry."""
    return override(
        rules,
        "crop",
        faces="all" if all_faces else "largest",
        min_sharpness=0.0,
        brightness=[0.0, 255.0],
        max_padding=1.0,
        max_upscale=1e6,
        min_eye_px=0.0,
        max_clipped=1.0,
        reject_grey=False,
        min_colourfulness=0.0,
        min_chroma_rest=0.0,
        max_outlines=1.0,
    )
