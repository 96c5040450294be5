"""What is written into pictures beside their pixels: that they are synthetic, who made them, and the photo's EXIF."""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image

from curate.pipeline.core.errors import CurateError
from curate.pipeline.imaging import synthetic
from curate.train.runs.photo_networks import PhotoNetworks

_EXIF = ExifTags.IFD.Exif
# What tells where a photo was taken and by which very device, and what is no longer true of the picture: how it lies,
# its small copy, its sides, its colour space (the profile says that), and makers' notes, which may hold all of these.
_DROPPED = {
    ExifTags.Base.Orientation,
    ExifTags.IFD.GPSInfo,
    ExifTags.Base.XMLPacket,
    ExifTags.Base.ImageWidth,
    ExifTags.Base.ImageLength,
    ExifTags.Base.InterColorProfile,
    ExifTags.Base.PrintImageMatching,
    _EXIF,
}
_DROPPED_EXIF = {
    ExifTags.Base.MakerNote,
    ExifTags.Base.UserComment,
    ExifTags.Base.ColorSpace,
    ExifTags.Base.ExifImageWidth,
    ExifTags.Base.ExifImageHeight,
    ExifTags.IFD.Interop,
    ExifTags.Base.ImageUniqueID,
    ExifTags.Base.BodySerialNumber,
    ExifTags.Base.LensSerialNumber,
}


class MadeBy(NamedTuple):
    """The networks that a picture is from."""

    system: str  # CycleGAN
    name: str  # of the run, or of the file of weights
    step: int | None
    weights: tuple[str, ...]  # SHA-256 of each file, as sha256sum prints it

    @property
    def networks(self) -> str:
        """For a person: the system, and what it was called."""
        return f"{self.system}, {self.name}"

    @property
    def version(self) -> str:
        """Which networks exactly: their step and their files' digests."""
        step = [f"step {self.step}"] if self.step is not None else []
        return ", ".join([*step, *(f"sha256 {digest}" for digest in self.weights)])

    @classmethod
    def of(cls, networks: PhotoNetworks) -> MadeBy:
        """Reads the files of `networks` to the end. Raises CurateError for one that is gone."""
        digests = tuple(_digest(path) for path in networks.files)
        return cls(networks.system, Path(networks.source).name, networks.step, digests)


def xmp(made_by: MadeBy, source_type: str = synthetic.SOURCE_TYPE) -> bytes:
    """The mark of what these networks painted, or made from nothing, by IPTC's `source_type`."""
    return synthetic.xmp(made_by.networks, made_by.version, source_type)


def kept_exif(exif: bytes) -> bytes:
    """Of a photo's EXIF what may go with the picture that was made of it; nothing of one that is broken."""
    kept = Image.Exif()
    with contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):  # bytes from strangers, as in codec
        found = Image.Exif()
        found.load(exif)
        for tag, value in found.items():
            if tag not in _DROPPED:
                kept[tag] = value
        details = {tag: value for tag, value in found.get_ifd(_EXIF).items() if tag not in _DROPPED_EXIF}
        if details:
            kept.get_ifd(_EXIF).update(details)
        return kept.tobytes() if len(kept) or details else b""
    return b""


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CurateError(f"{path}: cannot be read: {error.strerror or error}", "the same command again") from error
