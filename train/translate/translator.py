"""Photos through trained networks: find the faces, cut them as the training images were cut, translate, write.

What comes out is the aligned face. The map from the photo's pixels to it is written beside it, so that it can be put
back into the photo.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from curate.pipeline.core.config import override
from curate.pipeline.core.errors import UsageError
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
from curate.train.translate.results import (
    TranslationResult,
    list_photos,
    read_photo,
    unique_names,
    write_notes,
    write_png,
)

STEP = 4  # px: networks that halve their maps twice take multiples of it
LARGEST = 1024  # px, the longest side of a photo that is translated as it is


class Translator:
    """Trained networks, ready for photos."""

    def __init__(self, trained: Trained, direction: str, *, all_faces: bool = False, align: bool = True) -> None:
        """Without `align` photos are not searched for faces, but taken whole. Raises UsageError for a direction that
        the networks don't go."""
        trained.check_direction(direction)
        self.trained, self.recipe, self.side = trained, trained.recipe, trained.side
        self.direction, self.source, self.align = direction, direction[0], align
        self.domain = trained.domains[self.source]
        rules = trained.rules[self.source]
        self.aligner = Aligner(_lenient(rules if align else override(rules, "crop", align="none"), all_faces))

    def __call__(self, photo: codec.RGB) -> Iterator[tuple[Cut, torch.Tensor | None, torch.Tensor | None]]:
        """Each face of `photo`, with what the networks saw and made of it: [1, 3, side, side] in [-1, 1].

        A face that is refused has neither. Without `align` and a side, a photo that the networks can take as it is
        stays as it is; else its middle square is taken.
        """
        for cut in [_uncut(photo)] if not self.align and self._fits(photo) else self.aligner(photo):
            if cut.reason != OK:
                yield cut, None, None
            else:
                seen = to_float(torch.from_numpy(cut.image)[None], self.trained.device)
                seen = transforms.resize(seen, self.side) if self.side else seen
                yield cut, seen, self.recipe.render(self._batch(cut, seen))[self.direction]

    def affine(self, cut: Cut) -> tuple[float, ...]:
        """The map from the photo to the output, both in index coordinates, row-major."""
        scale = self.side / cut.image.shape[1] if self.side else 1.0
        scaled = cut.affine * scale
        scaled[:, 2] += (scale - 1) / 2  # pixel centres, not corners, are at whole numbers
        return tuple(float(value) for value in scaled.ravel())

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

    def _fits(self, photo: codec.RGB) -> bool:
        height, width = photo.shape[:2]
        if self.side:
            return height == width == self.side
        return height % STEP == width % STEP == 0 and max(height, width) <= LARGEST


def run(
    translator: Translator, inputs: Iterable[Path], out: Path, *, compare: bool = False, progress: Progress = SILENT
) -> list[TranslationResult]:
    """Translates every face of every input and writes NAME.png and NAME.json for each; returns a result for each face.

    `inputs` are images and folders of images. `out` is a folder, or the .png to write when there is one image.
    With `compare`, NAME-compare.png has input and output side by side. An unreadable input is a result, not an error;
    an output that can't be written raises CurateError.
    """
    files = list(list_photos(inputs))
    single = out.suffix.lower() == ".png"
    if single and len(files) != 1:
        raise UsageError(f"-o {out}: one file for {len(files)} images", "give a folder")
    names = [out.stem] if single else unique_names(files)
    folder = out.parent if single else out
    results: list[TranslationResult] = []
    with progress.task(f"translate {translator.direction}", len(files)) as task:
        for path, name in zip(files, names, strict=True):
            results += _photo(translator, path, folder, name, compare)
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


def _photo(translator: Translator, path: Path, folder: Path, name: str, compare: bool) -> list[TranslationResult]:
    photo = read_photo(path)
    if isinstance(photo, TranslationResult):
        return [photo]
    found = list(translator(photo))
    made = sum(output is not None for _, _, output in found)
    results = []
    for cut, seen, output in found:
        box = tuple(float(value) for value in cut.box) if cut.box else None
        if seen is None or output is None:
            results.append(TranslationResult(str(path), None, cut.reason, face=cut.index, box=box))
            continue
        target = folder / (f"{name}.png" if made == 1 else f"{name}-{cut.index + 1}.png")
        affine = translator.affine(cut)
        result = TranslationResult(str(path), str(target), OK, face=cut.index, box=box, affine=affine)
        write_png(target, to_uint8(output)[0].numpy())
        if compare:
            write_png(target.with_name(f"{target.stem}-compare.png"), image_grid.grid([seen, output]))
        more = {"direction": translator.direction, "side": translator.side, "step": translator.trained.step}
        write_notes(target, result, more)
        results.append(result)
    return results or [TranslationResult(str(path), None, "no_face")]


def _uncut(photo: codec.RGB) -> Cut:
    return Cut(-1, np.eye(2, 3), photo)


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
