"""What the same command translated before, wholly and alike: it is kept, so that a command that was ended goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec

import curate
from curate.pipeline.core.progress import Progress
from curate.train.translate.pictures import PictureWriter
from curate.train.translate.results import TranslationResult


class KeptResults:
    """Makes results, or finds them made: from equal photos by equal networks and settings."""

    def __init__(self, folder: Path, writer: PictureWriter, settings: Mapping[str, Any]) -> None:
        """Results lie in `folder`; `settings`, plain values, are what they follow from beside photos and `writer`."""
        self.count = 0  # of those that were kept
        self._folder, self._plan, self._output = folder, writer.plan, writer.output
        self._settings = {**settings, **writer.settings(), "curate": curate.__version__}

    def __call__(
        self, inputs: Sequence[Path], name: str, make: Callable[[], list[TranslationResult]]
    ) -> list[TranslationResult]:
        """The results called `name` of `inputs`, a photo and the articles for it; `make` writes them.

        All are made anew where files are written over by force, and those of photos that cannot be read. Raises what
        `make` raises, and CurateError where the disk refuses.
        """
        made_of = self._digest(inputs, name)
        if made_of and not self._output.force and (kept := self._find(made_of, inputs)) is not None:
            self.count += 1
            return kept
        before = len(self._plan.written)
        results = make()
        targets = self._plan.written[before:]
        if made_of and targets:
            self._plan.note_whole(made_of, targets, [_told(result) for result in results])
        return results

    def tell(self, progress: Progress, count: int) -> None:
        """Says how many of `count` results were kept, if any."""
        if self.count:
            progress.note(f"{self.count} of {count} were made before, alike, and are kept; --force makes them anew")

    def _find(self, made_of: str, inputs: Sequence[Path]) -> list[TranslationResult] | None:
        told = self._plan.whole(self._folder, made_of)
        try:
            results = msgspec.convert(told, list[TranslationResult])
        except msgspec.ValidationError:  # none, or not ours
            return None
        photo, *articles = map(str, inputs)
        return [
            replace(
                one,
                input=photo,
                output=str(self._folder / one.output) if one.output else None,
                article=articles[0] if articles else None,
            )
            for one in results
        ]

    def _digest(self, inputs: Iterable[Path], name: str) -> str | None:
        """Of all that results follow from; None where an input cannot be read."""
        try:
            photos = [hashlib.sha256(path.read_bytes()).hexdigest() for path in inputs]
        except (OSError, MemoryError):
            return None
        text = json.dumps([self._settings, name, photos], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _told(result: TranslationResult) -> dict[str, Any]:
    """`result` without the places of inputs and of the folder, which the next command may call otherwise."""
    return asdict(replace(result, input="", article=None, output=Path(result.output).name if result.output else None))
