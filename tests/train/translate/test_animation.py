"""Before and after as an animation: both ends, small enough to send, the same bytes each time, marked."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from curate.pipeline.imaging import synthetic
from curate.train.translate import animation, metadata
from tests.support.pictures import smooth

XMP = metadata.xmp(metadata.MadeBy("CycleGAN", "hair", 3, ()))


@pytest.mark.parametrize("suffix", sorted(animation.SUFFIXES))
def test_it_begins_with_before_comes_to_after_and_goes_back(suffix: str, tmp_path: Path) -> None:
    before, after = smooth(90, 120, 60), smooth(90, 120, 60)[::-1].copy()
    file = animation.encode(before, after, suffix, XMP)
    assert file == animation.encode(before, after, suffix, XMP)
    with Image.open(io.BytesIO(file)) as image:
        assert image.info["loop"] == 0
        frames = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(image)]
    assert len(frames) == 2 * (animation.BETWEEN + 1)
    for frame, wanted in ((frames[0], before), (frames[animation.BETWEEN + 1], after)):
        assert np.abs(frame - wanted).mean() < 12, "256 colours, and these have all of the rainbow"
    path = tmp_path / f"x{suffix}"
    path.write_bytes(file)
    if shutil.which("exiftool") is not None:
        words = ["exiftool", "-json", "-n", "-DigitalSourceType", str(path)]
        (told,) = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
        assert told["DigitalSourceType"] == synthetic.SOURCE_TYPE


def test_large_photos_are_made_small_enough_to_send() -> None:
    before = smooth(900, 1200)
    with Image.open(io.BytesIO(animation.encode(before, before, ".gif"))) as image:
        assert image.size == (640, 480)
