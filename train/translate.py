"""Photos through trained networks: find the faces, cut them as the training images were cut, translate, write.

What comes out is the aligned face. The map from the photo's pixels to it is written beside it, so that it can be put
back into the photo.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline import images, manifest
from pipeline.align import Aligner, Cut
from pipeline.errors import UsageError
from pipeline.manifest import OK, replacing
from pipeline.params import CropRules, override
from pipeline.progress import SILENT, Progress
from train import augment, samples
from train.data import to_float, to_uint8
from train.trained import Trained

STEP = 4  # px: networks that halve their maps twice take multiples of it
LARGEST = 1024  # px, the longest side of a photo that is translated as it is


@dataclass(frozen=True)
class Outcome:
    """What became of one face, or of one input without any: `reason` is "ok", no_face, or why it was refused."""

    input: str
    output: str | None
    reason: str
    detail: str = ""
    face: int | None = None  # by falling score
    box: tuple[float, ...] | None = None  # x, y, width, height in the photo, px
    affine: tuple[float, ...] | None = None  # 2x3, row-major: index coordinates of the photo -> of the output


class Translator:
    """Trained networks, ready for photos."""

    def __init__(self, trained: Trained, direction: str, *, all_faces: bool = False, align: bool = True) -> None:
        """Without `align` photos are not searched for faces, but taken whole. Raises UsageError for a direction that
        the networks don't go."""
        trained.check(direction)
        self.trained, self.recipe, self.side = trained, trained.recipe, trained.side
        self.direction, self.source, self.align = direction, direction[0], align
        self.domain = trained.domains[self.source]
        rules = trained.rules[self.source]
        self.aligner = Aligner(_lenient(rules if align else override(rules, "crop", align="none"), all_faces))

    def __call__(self, photo: images.RGB) -> Iterator[tuple[Cut, torch.Tensor | None, torch.Tensor | None]]:
        """Each face of `photo`, with what the networks saw and made of it: [1, 3, side, side] in [-1, 1].

        A face that is refused has neither. Without `align` and a side, a photo that the networks can take as it is
        stays as it is; else its middle square is taken.
        """
        for cut in [_uncut(photo)] if not self.align and self._fits(photo) else self.aligner(photo):
            if cut.reason != OK:
                yield cut, None, None
            else:
                seen = to_float(torch.from_numpy(cut.image)[None], self.trained.device)
                seen = augment.resize(seen, self.side) if self.side else seen
                yield cut, seen, self.recipe.render({self.source: seen})[self.direction]

    def affine(self, cut: Cut) -> tuple[float, ...]:
        """The map from the photo to the output, both in index coordinates, row-major."""
        scale = self.side / cut.image.shape[1] if self.side else 1.0
        scaled = cut.affine * scale
        scaled[:, 2] += (scale - 1) / 2  # pixel centres, not corners, are at whole numbers
        return tuple(float(value) for value in scaled.ravel())

    def _fits(self, photo: images.RGB) -> bool:
        height, width = photo.shape[:2]
        if self.side:
            return height == width == self.side
        return height % STEP == width % STEP == 0 and max(height, width) <= LARGEST


def run(
    translator: Translator, inputs: Iterable[Path], out: Path, *, compare: bool = False, progress: Progress = SILENT
) -> list[Outcome]:
    """Translates every face of every input and writes NAME.png and NAME.json for each; returns what became of them.

    `inputs` are images and folders of images. `out` is a folder, or the .png to write when there is one image.
    With `compare`, NAME-compare.png has input and output side by side. An unreadable input is an outcome, not an error;
    an output that can't be written raises CurateError.
    """
    files = list(_files(inputs))
    single = out.suffix.lower() == ".png"
    if single and len(files) != 1:
        raise UsageError(f"-o {out}: one file for {len(files)} images", "give a folder")
    names = [out.stem] if single else _names(files)
    folder = out.parent if single else out
    outcomes: list[Outcome] = []
    with progress.task(f"translate {translator.direction}", len(files)) as task:
        for path, name in zip(files, names, strict=True):
            outcomes += _photo(translator, path, folder, name, compare)
            task.advance()
    return outcomes


def split(root: Path, domain: str, name: str) -> list[Path]:
    """The raw images that the crops of `domain` in the split `name` come from. Raises TableError and UsageError."""
    rows = manifest.accepted(manifest.read(manifest.DATASET, root)).to_pylist()
    paths = sorted({row["source_path"] for row in rows if row["domain"] == domain and row["split"] == name})
    if not paths:
        raise UsageError(
            f"{manifest.DATASET.path(root)}: no image of '{domain}' is in {name}",
            "another --split, or larger build.val and build.test",
        )
    return [root / path for path in paths]


def _photo(translator: Translator, path: Path, folder: Path, name: str, compare: bool) -> list[Outcome]:
    try:
        photo = images.decode(path.read_bytes())
    except images.ImageError as error:
        return [Outcome(str(path), None, error.reason, str(error))]
    except OSError as error:
        return [Outcome(str(path), None, "unreadable", error.strerror or str(error))]
    faces = list(translator(photo))
    made = sum(output is not None for _, _, output in faces)
    outcomes = []
    for cut, seen, output in faces:
        box = tuple(float(value) for value in cut.box) if cut.box else None
        if seen is None or output is None:
            outcomes.append(Outcome(str(path), None, cut.reason, face=cut.index, box=box))
            continue
        target = folder / (f"{name}.png" if made == 1 else f"{name}-{cut.index + 1}.png")
        outcome = Outcome(str(path), str(target), OK, "", cut.index, box, translator.affine(cut))
        _write_png(target, to_uint8(output)[0].numpy())
        if compare:
            _write_png(target.with_name(f"{target.stem}-compare.png"), samples.grid([seen, output]))
        _write_notes(target.with_suffix(".json"), translator, outcome)
        outcomes.append(outcome)
    return outcomes or [Outcome(str(path), None, "no_face")]


def _write_png(path: Path, rgb: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(images.encode_png(rgb))


def _write_notes(path: Path, translator: Translator, outcome: Outcome) -> None:
    notes = {
        **asdict(outcome),
        "direction": translator.direction,
        "side": translator.side,
        "step": translator.trained.step,
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(notes, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _files(inputs: Iterable[Path]) -> Iterator[Path]:
    """The inputs, folders replaced by the images below them, in order."""
    for path in inputs:
        if not path.is_dir():
            yield path
            continue
        found = [p for p in sorted(path.rglob("*")) if p.is_file() and _is_image(p)]
        if not found:
            raise UsageError(f"{path}: no image in this folder", "name images, or another folder")
        yield from found


def _is_image(path: Path) -> bool:
    with path.open("rb") as file:
        return images.sniff(file.read(32)) is not None


def _names(files: list[Path]) -> list[str]:
    """A name for each file: its stem, numbered where two have the same."""
    taken: dict[str, int] = {}
    names = []
    for path in files:
        number = taken[path.stem] = taken.get(path.stem, 0) + 1
        names.append(path.stem if number == 1 else f"{path.stem}~{number}")
    return names


def _uncut(photo: images.RGB) -> Cut:
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
