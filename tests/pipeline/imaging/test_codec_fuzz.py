"""Damaged pictures of every format: an image of the size that its header says, or an ImageError, nothing else."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from curate.pipeline.imaging import codec
from curate.pipeline.imaging.codec import ImageError
from tests.support.mutations import mutated

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")
MOST = 1_000_000  # px


def corpus() -> list[bytes]:
    """A small picture in every format and in the variants that decoders have code of their own for."""
    y, x = np.mgrid[0:24, 0:32].astype(np.float32)
    picture = Image.fromarray(np.stack([x * 8, y * 10, 255 - x * 8], -1).astype(np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    variants = [
        *(("JPEG", {}, mode) for mode in ("RGB", "L", "CMYK")),
        *(
            ("JPEG", options, "RGB")
            for options in ({"progressive": True}, {"exif": turned}, {"restart_marker_rows": 1})
        ),
        *(("PNG", {}, mode) for mode in ("RGB", "RGBA", "P", "L", "1", "I;16")),
        ("PNG", {"exif": turned}, "RGB"),
        *(("GIF", options, "P") for options in ({}, {"save_all": True, "append_images": [picture.rotate(9)]})),
        *(("WEBP", options, "RGB") for options in ({}, {"lossless": True})),
        ("WEBP", {}, "RGBA"),
        *(("TIFF", {"compression": c}, "RGB") for c in ("raw", "tiff_lzw", "tiff_deflate", "jpeg", "packbits")),
        *(("BMP", {}, mode) for mode in ("RGB", "P", "1")),
        ("AVIF", {}, "RGB"),
    ]
    found = []
    for kind, options, mode in variants:
        buffer = io.BytesIO()
        image = Image.fromarray(np.array(picture.convert("L"), np.uint16) * 257) if mode == "I;16" else picture
        (image if mode == "I;16" else image.convert(mode)).save(buffer, kind, **options)
        found.append(buffer.getvalue())
    return found


CORPUS = corpus()
FOUND = {  # what readers once fell over
    "a segment cut in its length": b"\xff\xd8\xff\xe0\0\x04JF\xff\xdb\0",
    "a directory beyond any memory": b"II+\0\x08\0\0\0" + b"\xfb" + b"\xff" * 7 + bytes(50),
    "one without a size of its offsets": b"II+\0\xfa\x07\0\0\x80\0\0\x0f\xf0@\x01\xee" + bytes(50),
}


def check(data: bytes) -> None:
    """Every reader of the bytes of pictures, and what each promises."""
    known = shown = None
    for read in (codec.inspect, codec.decode, codec.verify):
        try:
            found = read(data, max_pixels=MOST)
        except ImageError as error:
            assert "\n" not in str(error)
            continue
        known = found if read is codec.inspect else known
        shown = found if read is codec.decode else shown
    if isinstance(shown, np.ndarray):
        assert shown.dtype == np.uint8 and shown.ndim == 3 and shown.shape[2] == 3
        assert shown.shape[0] * shown.shape[1] <= MOST
        assert isinstance(known, codec.Info) and shown.shape[:2] == (known.height, known.width)
    try:
        codec.preview(data, 8, max_pixels=MOST)
    except ImageError as error:
        assert error.reason in codec.REASONS


def test_whole_pictures_of_the_corpus_are_read() -> None:
    assert all(codec.decode(data).shape in {(24, 32, 3), (32, 24, 3)} for data in CORPUS)
    for data in CORPUS:
        check(data)


@pytest.mark.parametrize("data", FOUND.values(), ids=FOUND)
def test_what_was_found_once_stays_mended(data: bytes) -> None:
    check(data)
    with pytest.raises(ImageError):
        codec.supported(data)
        codec.decode(data)


@settings(max_examples=250, deadline=None)
@given(mutated(CORPUS))
def test_a_damaged_picture_is_a_picture_or_an_image_error(data: bytes) -> None:
    check(data)


@pytest.mark.deep
@settings(max_examples=30_000, deadline=None)
@given(mutated(CORPUS))
def test_thirty_thousand_damaged_pictures(data: bytes) -> None:
    check(data)
