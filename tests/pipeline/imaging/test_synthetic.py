"""The mark of synthetic pictures: where each format has it, its words read back, the pixels as they were."""

from __future__ import annotations

import io

import numpy as np
import pytest
from lxml import etree
from PIL import Image

from curate.pipeline.imaging import synthetic


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_a_marked_picture_is_the_same_picture_and_says_who_made_it(kind: str) -> None:
    plain = io.BytesIO()
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5).save(plain, kind)
    packet = synthetic.xmp('CycleGAN, "hair" & <b>\0', "step 3")
    made = synthetic.marked(plain.getvalue(), packet)
    with Image.open(io.BytesIO(made)) as image, Image.open(plain) as before:
        assert np.array_equal(np.asarray(image.convert("RGB")), np.asarray(before.convert("RGB")))
        found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
        if kind != "GIF":  # Pillow looks for XMP there before the first picture alone
            assert found == (packet if isinstance(found, bytes) else packet.decode())
    told = etree.fromstring(packet)[0][0].attrib
    words = {key.partition("}")[2]: value for key, value in told.items()}
    assert words["DigitalSourceType"] == synthetic.SOURCE_TYPE
    assert words["AISystemUsed"] == 'curate CycleGAN, "hair" & <b>?' and words["AISystemVersionUsed"] == "step 3"


def test_what_is_not_known_is_not_said() -> None:
    assert b"VersionUsed" not in synthetic.xmp() and b'AISystemUsed="curate"' in synthetic.xmp()
