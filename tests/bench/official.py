"""The official FFHQ alignment, from the public copy that CURATE_FFHQ_SCRIPT names: download_ffhq.py of
NVlabs/ffhq-dataset (CC BY-NC-SA 4.0). It is called as it is; nothing of it stands here. It needs scipy."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from curate.pipeline.imaging.geometry import Points


@contextlib.contextmanager
def script(folder: Path) -> Iterator[Any]:
    """The script as a module, None where it is not to be had; `folder` is the working folder meanwhile."""
    given = os.environ.get("CURATE_FFHQ_SCRIPT")
    if not given:
        yield None
        return
    spec = importlib.util.spec_from_file_location("official_ffhq", Path(given).absolute())
    assert spec is not None and spec.loader is not None
    (folder / "LICENSE.txt").touch()  # it copies this file beside its crops
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(PIL.Image, "ANTIALIAS", PIL.Image.Resampling.LANCZOS, raising=False)  # gone since Pillow 10
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def align(module: Any, photo: Path, points: Points, folder: Path, size: int, transform: int) -> Path:
    """The file that the script's own function, unchanged, makes of the face with these landmarks in `photo`."""
    item = {"0": {"in_the_wild": {"file_path": photo.name, "face_landmarks": points.tolist()}}}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        module.recreate_aligned_images(item, str(photo.parent), str(folder), size, transform)
    return folder / "00000" / "00000.png"
