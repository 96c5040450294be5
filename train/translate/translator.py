"""Photos through trained networks: find the faces, cut them as the training images were cut, translate, lay them back.

What comes out is the whole photo at its own size, or the aligned face with the map from the photo's pixels to it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from curate.pipeline.core.config import override
from curate.pipeline.core.errors import UsageError
from curate.pipeline.faces import face_hull
from curate.pipeline.faces.alignment import Aligner, Cut
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging import codec, geometry, srgb, values
from curate.pipeline.imaging.geometry import Affine
from curate.pipeline.imaging.photo import Photo
from curate.pipeline.tables.manifest import OK
from curate.train.runs.photo_networks import Floats, NetworkOutput, PhotoNetworks
from curate.train.translate import colour_match, composite
from curate.train.translate.composite import Layer

Size = int | Literal["photo"]  # px, side of what the networks see; or the photo's own size


@dataclass(frozen=True)
class TranslatedFace:
    """A face of a photo, and what the networks made of it; one that is refused has been seen by none."""

    cut: Cut
    seen: Floats | None = None  # [side, side, 3] in 0..255
    made: NetworkOutput | None = None


@dataclass(frozen=True)
class TranslatedPhoto:
    """A photo after its faces were laid over it, one after the other."""

    photo: Photo
    faces: list[TranslatedFace]  # by falling score, those that are refused among them
    layers: list[Layer]  # one for each that is not


class Translator:
    """Trained networks, ready for photos."""

    def __init__(
        self,
        networks: PhotoNetworks,
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
        networks.check_direction(direction)
        if size is not None:
            networks.check_size(size)
        if size == "photo" and align:
            raise UsageError("--size photo: a face that is cut out has no size of a photo", "add --no-align")
        self.networks = networks
        self.takes_whole = not align and (size == "photo" or (size is None and networks.any_size))
        self.side = None if self.takes_whole else size if isinstance(size, int) else networks.side
        self.direction, self.source = direction, direction[0]
        self.all_faces = all_faces
        self.choice: Mapping[str, int] = {}  # of a council: the member, and the style
        self.domain = networks.domains[self.source]
        rules = networks.rules[self.source]
        if isinstance(size, int) and size > rules.size:
            rules = override(rules, "crop", size=size)  # cut so large, not enlarged afterwards
        self.aligner = Aligner(lenient(rules if align else override(rules, "crop", align="none"), all_faces))
        if all_faces and self.aligner.align == "none":
            raise UsageError(
                f"--all-faces: no faces are looked for in photos of '{self.domain}', which are taken whole",
                "leave it out",
            )

    @property
    def turns(self) -> bool:
        """Whether faces are turned as they are cut out: a picture of its own is made of one then, an icon, which would
        stand askew in the photo."""
        return self.aligner.rules.rotate != 0 and self.aligner.align in ("box", "anime")

    @property
    def layout(self) -> Literal["photo", "crop"]:
        """What a photo becomes where nobody says."""
        return "crop" if self.turns else "photo"

    def chosen(self, member: int, style: int) -> Translator:
        """The same, with another member of a council, and another style."""
        other = copy.copy(self)
        other.choice = {"member": member, "style": style}
        return other

    def __call__(self, photo: codec.RGB) -> Iterator[TranslatedFace]:
        """Each face of `photo`, uint8 [H, W, 3]. Without `align`, it is the middle square of the photo."""
        for cut in self.aligner(photo):
            yield self.translated(cut)

    def on_photo(self, photo: Photo, strength: float = 1.0) -> TranslatedPhoto:
        """`photo` with its faces translated, each cut out of what those before left, and laid over it."""
        faces: list[TranslatedFace] = []
        layers: list[Layer] = []
        for cut in self.aligner(photo.shown):
            face = self.translated(self.aligner.recut(photo.shown, cut) if layers else cut)
            faces.append(face)
            if face.made is not None:
                layers.append(self.layer(face, photo).weakened(strength))
                photo = composite.laid_over(photo, layers[-1])
        return TranslatedPhoto(photo, faces, layers)

    def whole(self, photo: codec.RGB) -> codec.RGB:
        """What the networks make of `photo`, uint8 [H, W, 3] of any size, at that size; large ones tile by tile."""
        from curate.train.translate import tiles  # which stands on torch; only its networks take photos of any size

        return tiles.through(photo, self._render)

    def on_whole(self, photo: Photo, strength: float = 1.0) -> Photo:
        """`photo`, all of it translated, in its own colours."""
        made = self.whole(photo.shown)
        if strength < 1:
            made = np.asarray(cv2.addWeighted(made, strength, photo.shown, 1 - strength, 0), np.uint8)
        if photo.is_plain:
            return replace(photo, shown=made, own=made)
        own = made if photo.profile is None else srgb.to_profile(made, photo.profile)
        return replace(photo, shown=made, own=own.copy())

    def affine(self, cut: Cut) -> Affine:
        """The map from the photo to the output, [2, 3], both in index coordinates."""
        return affine_at(cut, self.side) if self.side else cut.affine

    def layer(self, face: TranslatedFace, photo: Photo) -> Layer:
        """What the networks painted on `face`, to be laid over `photo`.

        Without a mask it is all that they saw, since they may have changed all of it; its colours are matched to the
        photo's at the border, over which it fades out.
        """
        layer = self.crop_layer(face)._replace(affine=self.affine(face.cut))
        if face.seen is None or (face.made is not None and face.made.mask is not None):
            return composite.grown(layer)._replace(fade=composite.EDGE)
        layer = layer._replace(fade=composite.AREA)
        around = composite.surroundings(layer, *photo.size)
        return layer._replace(paint=colour_match.matched(layer.paint, face.seen, around))

    def crop_layer(self, face: TranslatedFace) -> Layer:
        """What the networks painted on `face`, to be laid over what they saw of it."""
        made = face.made
        assert made is not None, "a refused face has no paint"
        paint = made.picture if made.paint is None else made.paint
        mask = np.ones(paint.shape[:2], np.float32) if made.mask is None else made.mask
        return Layer(paint, mask, np.eye(2, 3), 0.0)

    def translated(self, cut: Cut) -> TranslatedFace:
        """A face that is cut out already."""
        if cut.reason != OK:
            return TranslatedFace(cut)
        seen = cut.image.astype(np.float32)
        seen = values.resized(seen, self.side) if self.side else seen
        return TranslatedFace(
            cut, seen, self.networks.painted(seen, self.direction, self._face(cut, seen), self.choice)
        )

    def _render(self, pixels: codec.RGB) -> Floats:
        """All of `pixels`, in which nobody looked for a face."""
        return self.networks.painted(pixels.astype(np.float32), self.direction, None, self.choice).picture

    def _face(self, cut: Cut, seen: Floats) -> Floats | None:
        """Where the face is in `seen`, for networks that want to know; None without landmarks."""
        if f"face_{self.source}" not in self.networks.keys or cut.landmarks is None:
            return None
        hull = face_hull.draw(geometry.apply(cut.affine, cut.landmarks), cut.image.shape[1])
        return values.resized(hull, len(seen), most=1.0)


def affine_at(cut: Cut, side: int) -> Affine:
    """The map from the photo to the picture of `cut` at `side` px, [2, 3], both in index coordinates."""
    scale = side / cut.image.shape[1]
    scaled = cut.affine * scale
    scaled[:, 2] += (scale - 1) / 2  # pixel centres, not corners, are at whole numbers
    return scaled


def lenient(rules: CropRules, all_faces: bool) -> CropRules:
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
