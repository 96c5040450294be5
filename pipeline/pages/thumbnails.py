"""Small JPEGs beside the page, made once for each picture that the page shows."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from curate.pipeline.core.files import atomic_write
from curate.pipeline.imaging import codec, shards

SIDE = 128  # px, longest side
QUALITY = 82


@dataclass(frozen=True)
class Thumb:
    """A thumbnail: where it is, relative to the page or in it, and its size in px."""

    src: str
    width: int
    height: int


def inside(rgb: codec.RGB, side: int = SIDE) -> Thumb:
    """A thumbnail of `rgb`, uint8 [H, W, 3], that stands in the page itself."""
    small = codec.thumbnail(rgb, side)
    data = base64.b64encode(codec.encode_jpeg(small, QUALITY)).decode("ascii")
    return Thumb(f"data:image/jpeg;base64,{data}", small.shape[1], small.shape[0])


class Thumbs:
    """Makes thumbnails of files below `root` in `folder`, and forgets none of those it made."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        self._made: set[str] = set()

    def thumbnail(self, path: str | None, side: int = SIDE, content: str = "") -> Thumb | None:
        """The thumbnail of the file at `path` below the root; None when there is no such file or no image in it.

        Pictures are named after their content and never change. Of one that does, say its `content`.
        """
        if path is None:
            return None
        name = hashlib.sha256(f"{side}\n{path}\n{content}".encode()).hexdigest()[:20] + ".jpg"
        target = self.folder / name
        try:
            if not target.is_file():
                small = codec.thumbnail(codec.decode(shards.read(self.root, path)), side)
                with atomic_write(target, durable=False) as temporary:
                    temporary.write_bytes(codec.encode_jpeg(small, QUALITY))
            info = codec.inspect(target.read_bytes())
        except (OSError, codec.ImageError):
            return None
        self._made.add(name)
        return Thumb(f"{self.folder.name}/{name}", info.width, info.height)

    def sweep(self) -> None:
        """Takes away every file in the folder that this page does not show."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if path.name not in self._made:
                    path.unlink(missing_ok=True)
