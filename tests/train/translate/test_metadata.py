"""What stands in written pictures beside the pixels: read back by Pillow, and by exiftool where it is installed."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from curate.pipeline.imaging import photo, synthetic
from curate.pipeline.imaging.photo import Photo
from curate.train.translate import picture_files
from curate.train.translate.metadata import MadeBy, kept_exif, xmp
from tests.support.painter import painter
from tests.support.pictures import smooth, wide_profile

BY = MadeBy("CycleGAN", 'hair & "bows"@best', 1200, ("0" * 64, "f" * 64))
KINDS = (".png", ".jpg", ".webp")


def camera_exif() -> bytes:
    """As a phone writes it: how it was held, when and by what, where, and a small copy."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Copyright] = "Maker", "(c) Anna"
    exif[ExifTags.Base.XPComment] = b"h\0i\0"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = "2024:05:06 07:08:09"
    details[ExifTags.Base.FNumber] = 2.8
    details[ExifTags.Base.BodySerialNumber], details[ExifTags.Base.MakerNote] = "1234567", b"secret"
    details[ExifTags.Base.ExifImageWidth] = 4000
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    return exif.tobytes()


def picture(**parts: object) -> Photo:
    rgb = smooth(40, 56)
    return Photo(rgb, rgb, exif=camera_exif(), **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", KINDS)
def test_every_kind_says_that_it_is_synthetic_and_keeps_the_exif_that_may_go_on(suffix: str) -> None:
    file = picture_files.encode(picture(), suffix, xmp(BY))
    assert file == picture_files.encode(picture(), suffix, xmp(BY))
    with Image.open(io.BytesIO(file)) as image:
        told = image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode()
        assert synthetic.SOURCE_TYPE.encode() in told
        exif = image.getexif()
        assert ExifTags.Base.Orientation not in exif and exif[ExifTags.Base.Copyright] == "(c) Anna"
        assert not exif.get_ifd(ExifTags.IFD.GPSInfo)
        details = exif.get_ifd(ExifTags.IFD.Exif)
        assert details[ExifTags.Base.DateTimeOriginal] == "2024:05:06 07:08:09"
        assert float(details[ExifTags.Base.FNumber]) == 2.8
        assert not {ExifTags.Base.BodySerialNumber, ExifTags.Base.MakerNote, ExifTags.Base.ExifImageWidth} & set(
            details
        )
        assert b"1234567" not in file and b"secret" not in file


@pytest.mark.parametrize("suffix", KINDS)
def test_an_independent_reader_finds_the_mark(suffix: str, tmp_path: Path) -> None:
    if shutil.which("exiftool") is None:
        pytest.skip("exiftool is not installed (Debian: libimage-exiftool-perl)")
    path = tmp_path / f"x{suffix}"
    path.write_bytes(picture_files.encode(picture(profile=wide_profile()), suffix, xmp(BY)))
    words = ["exiftool", "-json", "-G1", "-n", str(path)]
    (told,) = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    assert told["XMP-iptcExt:DigitalSourceType"] == synthetic.SOURCE_TYPE
    assert told["XMP-iptcExt:AISystemUsed"] == 'curate CycleGAN, hair & "bows"@best'
    assert told["XMP-iptcExt:AISystemVersionUsed"] == f"step 1200, sha256 {'0' * 64}, sha256 {'f' * 64}"
    assert not [key for key in told if key.startswith(("GPS:", "IFD1:")) or key == "IFD0:Orientation"]
    assert told["ExifIFD:DateTimeOriginal"] == "2024:05:06 07:08:09"
    assert not [key for key in told if "Warning" in key], told


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0rubbish", b"\xff" * 300, camera_exif()[:60]])
def test_a_broken_exif_is_left_out(exif: bytes) -> None:
    rgb = smooth(8, 8)
    assert b"secret" not in kept_exif(exif)
    assert picture_files.encode(Photo(rgb, rgb, exif=exif), ".jpg", xmp(BY))


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_without_loss_its_own_values_profile_and_transparency_come_back(suffix: str) -> None:
    own, alpha = smooth(30, 40), np.zeros((30, 40), np.uint8)
    alpha[:, 10:] = 200
    file = picture_files.encode(Photo(smooth(30, 40, 9), own, alpha, wide_profile()), suffix)
    back = photo.decode(file)
    assert np.array_equal(back.own, own) and back.alpha is not None and np.array_equal(back.alpha, alpha)
    assert back.profile == wide_profile()


def test_what_a_jpeg_can_not_hold_is_shown_on_white() -> None:
    own, alpha = np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), np.uint8)
    shown = np.full((16, 16, 3), 255, np.uint8)
    back = photo.decode(picture_files.encode(Photo(shown, own, alpha), ".jpg"))
    assert back.shown.min() == 255


def test_the_weights_are_told_by_their_files(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"abc")
    trained = painter()
    object.__setattr__(trained, "files", (tmp_path / "w",))
    made_by = MadeBy.of(trained)
    assert made_by.weights == ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",)
    assert (made_by.system, made_by.name, made_by.step) == ("Painter", "painter", 7)
