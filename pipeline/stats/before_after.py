"""What became of held-out photos: the first thing that the report shows, all networks that had them side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.pipeline.core.documents import from_json
from curate.pipeline.core.files import NOT_THERE, entries, reading
from curate.pipeline.pages.thumbnails import Thumb
from curate.pipeline.stats.gallery import Fact, Gallery
from curate.pipeline.stats.run_tables import RUNS, direction

TRANSLATED = "processed/translated"
SHOWN = 6  # photos of one folder on the page
SIDE = 480  # px, the longer side of one there
_ALIKE = 0.02  # by which the shapes of two pictures may differ that a slider lays over each other


@dataclass(frozen=True)
class Example:
    """A photo and what was made of it; `article` is what the person was given to wear."""

    before: Path
    after: Path
    article: Path | None


@dataclass(frozen=True)
class Translation:
    """One folder below processed/translated."""

    name: str
    examples: Sequence[Example]
    ways: str  # "long to short", say, or "a2b" where no names of domains are known
    step: int | None  # that the networks were trained for
    trained_here: bool  # by a run of this project; else with networks that came from elsewhere


@dataclass(frozen=True)
class ShownChange:
    """A photo on the page and what the networks of the folder `name` made of it."""

    name: str
    before: Thumb
    after: Thumb
    article: Thumb | None
    number: int  # of what it opens to

    @property
    def alike(self) -> bool:
        """Whether the two have one shape, so that one can lie over the other."""
        shapes = [thumb.width / thumb.height for thumb in (self.before, self.after)]
        return abs(shapes[0] / shapes[1] - 1.0) < _ALIKE


@dataclass(frozen=True)
class Comparison:
    """Folders whose networks were given the same photos."""

    translations: Sequence[Translation]
    photos: Sequence[Sequence[ShownChange]]  # for each photo what each made of it

    @property
    def total(self) -> int:
        """Photos that there are."""
        return max(len(one.examples) for one in self.translations)


def translations(root: Path) -> list[Translation]:
    """What was translated below `root`: by this project's runs, then by networks that came from elsewhere."""
    folder = root / TRANSLATED
    found = [_translation(path, root) for path in entries(folder) if path.is_dir()]
    return sorted((one for one in found if one.examples), key=lambda one: (not one.trained_here, _order(one.name)))


def side_by_side(found: Sequence[Translation], root: Path, gallery: Gallery) -> Iterator[Comparison]:
    """The first photos of each of `found` with what was made of them; those that had the same photos together."""
    groups: dict[Path, list[Translation]] = {}
    for one in found:
        groups.setdefault(one.examples[0].before, []).append(one)
    for group in groups.values():
        photos = [example.before for example in group[0].examples[:SHOWN]]
        rows = [[change for one in group for change in _changes(one, photo, root, gallery)] for photo in photos]
        yield Comparison(group, [row for row in rows if row])


def _changes(translation: Translation, photo: Path, root: Path, gallery: Gallery) -> Iterator[ShownChange]:
    """What `translation` made of `photo`; nothing where it was not given that one."""
    for example in translation.examples:
        if example.before == photo:
            files = [path for path in (example.before, example.article, example.after) if path]
            paths = [path.relative_to(root).as_posix() for path in files]
            thumbs = [
                thumb
                for path, file in zip(paths, files, strict=True)
                if (thumb := gallery.thumbs.thumbnail(path, SIDE, _digest(file)))
            ]
            if len(thumbs) == len(files):
                facts = [Fact("direction", translation.ways)] if translation.ways else []
                facts += [Fact("steps", f"{translation.step:,}")] if translation.step else []
                number = gallery.change(translation.name, paths, thumbs, facts, translation.trained_here)
                article = thumbs[1] if example.article else None
                yield ShownChange(translation.name, thumbs[0], thumbs[-1], article, number)
            return


def _order(name: str) -> tuple[int, str]:
    """Hair first, then garments, whose pictures need the fewest words."""
    known = ("cyclegan", "cagan")
    return known.index(name) if name in known else len(known), name


def _translation(folder: Path, root: Path) -> Translation:
    notes = [(path, found) for path in entries(folder) if path.suffix == ".json" and (found := _read(path))]
    examples = [example for path, found in notes if (example := _example(path, found, root))]
    first = notes[0][1] if notes else {}
    step = first.get("step")
    return Translation(
        folder.name,
        examples,
        direction(root / RUNS / folder.name, str(first.get("direction") or ""), first.get("domains")),
        step if isinstance(step, int) else None,
        (root / RUNS / folder.name).is_dir(),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        with reading(path):
            found = from_json(path.read_text("utf-8"))
    except (*NOT_THERE, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("input") and found.get("output") else {}


def _example(path: Path, notes: Mapping[str, Any], root: Path) -> Example | None:
    """What the notes at `path` tell of; None where a picture is gone."""
    after = path.with_name(Path(str(notes["output"])).name)
    before = _below(str(notes["input"]), root)
    article = _below(str(notes["article"]), root) if notes.get("article") else None
    return Example(before, after, article) if before and after.is_file() else None


def _below(named: str, root: Path) -> Path | None:
    """The file that a command run at `root`, or with --root, called `named`; None for one that is not below `root`."""
    for path in (root / named, Path(named)):
        if path.is_file() and path.resolve().is_relative_to(root.resolve()):
            return root / path.resolve().relative_to(root.resolve())
    return None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
