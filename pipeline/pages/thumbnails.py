"""Small JPEGs beside the page, made once for each picture that the page shows."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.pipeline.core.files import atomic_write
from curate.pipeline.imaging import codec, shards, warp

SIDE = 128  # px, longest side
QUALITY = 82
LARGE_QUALITY = 70  # of those that are larger: there are many of them


@dataclass(frozen=True)
class Thumb:
    """A thumbnail: where it is, relative to the page or in it, and its size in px."""

    src: str
    width: int
    height: int


def inside(rgb: codec.RGB, side: int = SIDE) -> Thumb:
    """A thumbnail of `rgb`, uint8 [H, W, 3], that stands in the page itself."""
    small = warp.thumbnail(rgb, side)
    data = base64.b64encode(codec.encode_jpeg(small, QUALITY)).decode("ascii")
    return Thumb(f"data:image/jpeg;base64,{data}", small.shape[1], small.shape[0])


class Thumbs:
    """Makes thumbnails of files below `root` in `folder`, and forgets none of those it made."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        self._made: dict[str, Thumb | None] = {}

    def thumbnail(self, path: str | None, side: int = SIDE, content: str = "") -> Thumb | None:
        """The thumbnail of the file at `path` below the root; None when there is no such file or no image in it.

        Pictures are named after their content and never change. Of one that does, say its `content`.
        """
        return self.thumbnails(path, (side,), content)[0]

    def thumbnails(self, path: str | None, sides: Sequence[int], content: str = "") -> list[Thumb | None]:
        """Those of several sizes, for which the file is decoded once."""
        if path is None:
            return [None for _ in sides]
        names = [hashlib.sha256(f"{side}\n{path}\n{content}".encode()).hexdigest()[:20] + ".jpg" for side in sides]
        lacking = {name: side for name, side in zip(names, sides, strict=True) if name not in self._made}
        try:
            self._write({name: side for name, side in lacking.items() if not (self.folder / name).is_file()}, path)
            self._made |= {name: self._read(name) for name in lacking}
        except (OSError, codec.ImageError):
            self._made |= dict.fromkeys(lacking)
        return [self._made[name] for name in names]

    def drawn(self, named: str, draw: Callable[[], codec.RGB]) -> Thumb:
        """A picture that no file has, uint8 [H, W, 3], drawn once; `named` says all that it follows from."""
        name = hashlib.sha256(named.encode()).hexdigest()[:20] + ".jpg"
        if not (self.folder / name).is_file():
            with atomic_write(self.folder / name, durable=False) as temporary:
                temporary.write_bytes(codec.encode_jpeg(draw(), QUALITY))
        self._made[name] = thumb = self._read(name)
        return thumb

    def _write(self, wanted: Mapping[str, int], path: str) -> None:
        if not wanted:
            return
        data = shards.read(self.root, path)
        coarse = codec.preview(data, max(wanted.values()))
        rgb = coarse[0] if coarse else codec.decode(data)
        for name, side in sorted(wanted.items(), key=lambda item: -item[1]):
            rgb = warp.thumbnail(rgb, side)
            with atomic_write(self.folder / name, durable=False) as temporary:
                temporary.write_bytes(codec.encode_jpeg(rgb, QUALITY if side <= SIDE else LARGE_QUALITY))

    def _read(self, name: str) -> Thumb:
        info = codec.inspect((self.folder / name).read_bytes())
        return Thumb(f"{self.folder.name}/{name}", info.width, info.height)

    def sweep(self) -> None:
        """Takes away every file in the folder that this page does not show."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                if not self._made.get(path.name):
                    path.unlink(missing_ok=True)
