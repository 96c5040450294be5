"""What becomes of photos that are translated: where each result goes, and what is reported."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from curate.pipeline.core import interrupt
from curate.pipeline.core.errors import InterruptionError, UsageError
from curate.pipeline.core.files import is_folder
from curate.pipeline.core.outputs import OutputPlan, name_key
from curate.pipeline.imaging import formats, unread
from curate.train.translate import animation, picture_files
from curate.train.translate.photos import UnreadablePhoto

LONGEST = 180  # bytes of a name, so that endings, and a temporary file's, fit into the 255 of file systems
FINISHING = "finishing the photo that is begun; once more to stop at once"
_FACE = re.compile(r"-\d+(-paint)?$")


@dataclass(frozen=True)
class TranslationResult:
    """What became of one face or person, or of one input without any: `reason` is "ok", no_face, or why it was
    refused."""

    input: str
    output: str | None
    reason: str
    detail: str = ""
    face: int | None = None  # by falling score
    box: tuple[float, ...] | None = None  # x, y, width, height in the photo, px
    affine: tuple[float, ...] | None = None  # 2x3, row-major: index coordinates of the photo -> of the output
    article: str | None = None  # the article that the person was given

    @classmethod
    def of_unreadable(cls, path: Path, found: UnreadablePhoto) -> TranslationResult:
        """The result of an input that can't be read."""
        return cls(str(path), None, found.reason, found.detail)


class Destination:
    """Where results go: into a folder, each by a name of its own, or into one file."""

    def __init__(
        self, out: Path, count: int, *, rgba: bool = False, gif: bool = False, each_face: bool = False
    ) -> None:
        """`out` ends in one of picture_files.SUFFIXES for one file, of `count` images; else it is a folder.

        With `rgba` the paint alone stands beside each, with `gif` an animation, or in the place of one file that is of
        a kind that moves. With `each_face` each face has a picture. Raises UsageError for one file of several images,
        and for a kind of picture that is not written.
        """
        suffix = out.suffix.lower()
        known = picture_files.SUFFIXES | (animation.SUFFIXES if gif else set())
        self.single = out.name if suffix in known and not is_folder(out) else None
        self.is_animation = bool(self.single) and gif and suffix in animation.SUFFIXES
        if self.single and count != 1:
            raise UsageError(f"-o {out}: one file for {count} images", "give a folder")
        if not self.single and suffix in formats.SUFFIXES | unread.SUFFIXES and not is_folder(out):
            raise UsageError(
                f"-o {out}: pictures are not written as {suffix}",
                f"let it end in {', '.join(sorted(known))}, or give a folder{'' if gif else '; --gif writes .gif'}",
            )
        self.folder, self.suffix = (out.parent, out.suffix) if self.single else (out, ".png")
        self._beside = ["-paint.png"] * rgba + [".gif"] * (gif and not self.is_animation)
        self._each_face = each_face
        self._files: set[str] = set()
        self._bases: set[str] = set()  # names whose numbers may be faces'
        self._names: list[str] = []

    def name(self, stem: str) -> str:
        """A name for the result of a photo called `stem`, under which no other result has a file."""
        if self.single:
            chosen = Path(self.single).stem
        else:
            encoded = stem.encode("utf-8", "surrogatepass")
            stem = stem if len(encoded) <= LONGEST else encoded[:LONGEST].decode("utf-8", "ignore")
            chosen, number = stem, 1
            while not self._is_free(chosen):
                number += 1
                chosen = f"{stem}~{number}"
        self.reserve(chosen)
        self._names.append(chosen)
        return chosen

    def reserve(self, *names: str) -> None:
        """Takes what `names` stand for away from all later names."""
        keys = [_key(Path(file).stem) for name in names for file in self._files_of(name)]
        self._files.update(keys)
        if self._each_face:
            self._bases.update(_FACE.sub("", key) for key in keys)

    def target(self, name: str, ending: str = "") -> Path:
        """The picture of `name`; `ending` as -2 for its second face."""
        return self.folder / f"{name}{ending}{self.suffix}"

    def plan(self, inputs: Iterable[Path], more: Iterable[Path] = (), *, force: bool = False) -> OutputPlan:
        """The plan of all that was named, and of `more`. Raises like OutputPlan."""
        targets = [self.folder / file for name in self._names for file in self._files_of(name)]
        return OutputPlan([*targets, *self._faces(targets), *more], inputs, force=force)

    def _is_free(self, name: str) -> bool:
        keys = [_key(Path(file).stem) for file in self._files_of(name)]
        if any(key in self._files for key in keys):
            return False
        return not self._each_face or all(_FACE.sub("", key) not in self._bases for key in keys)

    def _files_of(self, name: str) -> list[str]:
        return [f"{name}{ending}" for ending in (self.suffix, ".json", *self._beside)]

    def _faces(self, targets: Iterable[Path]) -> list[Path]:
        """The files that are there under the names of faces, whose number is not known yet."""
        if not (self._each_face and is_folder(self.folder)):
            return []
        taken, names = {path.name for path in targets}, {_key(name) for name in self._names}
        endings = {self.suffix.lower(), ".json", ".png", ".gif"}
        return [
            path
            for path in sorted(self.folder.iterdir())
            if path.suffix.lower() in endings and path.name not in taken and _FACE.search(path.stem)
            if _FACE.sub("", _key(path.stem)) in names
        ]


@contextmanager
def interruptible(results: list[TranslationResult], count: int) -> Iterator[Callable[[], bool]]:
    """A block that makes `count` results. The yielded function says whether Ctrl-C asked it to end after the photo
    that is begun. Raises InterruptionError then, which says how far it came.
    """
    try:
        with interrupt.deferred(FINISHING) as interrupted:
            yield interrupted
    except KeyboardInterrupt:
        made = sum(1 for result in results if result.output)
        raise InterruptionError(
            f"interrupted: {made} pictures are written, of {count} inputs", "the same command goes on with the others"
        ) from None


def _key(stem: str) -> str:
    return name_key(Path(stem))
