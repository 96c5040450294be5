"""A photo as each member of a council makes it, in several styles: a sheet to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.values import rounded
from curate.train.translate.pictures import GAP, Output
from curate.train.translate.translator import TranslatedFace, Translator

CELL = 256  # px, the longer side of a picture, at the most
HEAD = 18  # px above a picture for its words


@dataclass(frozen=True)
class MemberChoice:
    """Which members and which styles are wanted."""

    members: tuple[int, ...]
    styles: tuple[int, ...]

    @property
    def is_one(self) -> bool:
        """Whether they make one picture."""
        return len(self.members) == len(self.styles) == 1


def parse_choice(translator: Translator, members: str | None, styles: int | None, style: int | None) -> MemberChoice:
    """What --members ("all", or numbers as 0,2), --styles (how many) and --style (the first) ask for.

    Raises UsageError for networks without members, and for members that there are not.
    """
    networks = translator.networks
    known = range(networks.members)
    if not known and (members, styles, style) != (None, None, None):
        given = {"--members": members, "--styles": styles, "--style": style}
        option = next(name for name, value in given.items() if value is not None)
        raise UsageError(f"{option}: {networks.source} has no members and no styles", f"leave {option} out")
    numbers = list(known) if members == "all" else [0]
    if members is not None and members != "all":
        parts = members.split(",")
        if not all(part.isascii() and part.isdigit() and int(part) in known for part in parts):
            there = f"there are 0 to {len(known) - 1}"
            raise UsageError(f"--members {members}: {there}", "all, or numbers as 0,2")
        numbers = list(dict.fromkeys(map(int, parts)))
    first = style or 0
    return MemberChoice(tuple(numbers), tuple(range(first, first + (styles or 1))))


def choose(
    translator: Translator, members: str | None, styles: int | None, style: int | None, output: Output
) -> tuple[Translator, MemberChoice | None]:
    """`translator` with the member and the style that are asked for, and of several the choice for a sheet.

    Raises UsageError for options that mean nothing to these networks, or to a sheet.
    """
    choice = parse_choice(translator, members, styles, style)
    if translator.networks.members:
        translator = translator.chosen(choice.members[0], choice.styles[0])
    if choice.is_one:
        return translator, None
    given = {
        "--gif": output.gif,
        "--rgba": output.rgba,
        "--all-faces": translator.all_faces,
        "--strength": output.strength < 1,
    }
    for option, value in given.items():
        if value:
            raise UsageError(
                f"{option}: a sheet of members and styles has none",
                "choose one: --members 0 --style 3, and then add it",
            )
    return translator, choice


def draw(translator: Translator, photo: RGB, choice: MemberChoice) -> tuple[RGB, TranslatedFace | None] | None:
    """The largest face of `photo`, or all of it where it is taken whole, and what becomes of it.

    A row for each member, a column for each style. None where there is no face that can be translated.
    """
    if translator.takes_whole:
        rows = [[translator.chosen(m, s).whole(photo) for s in choice.styles] for m in choice.members]
        return _laid_out(photo, rows, choice), None
    cut = next((cut for cut in translator.aligner(photo) if cut.reason == "ok"), None)
    if cut is None:
        return None
    faces = [[translator.chosen(m, s).translated(cut) for s in choice.styles] for m in choice.members]
    seen = faces[0][0]
    assert seen.seen is not None
    rows = [[rounded(face.made.picture) for face in row if face.made is not None] for row in faces]
    return _laid_out(rounded(seen.seen), rows, choice), seen


def _laid_out(source: RGB, rows: Sequence[Sequence[RGB]], choice: MemberChoice) -> RGB:
    first = [_labelled(source, "photo"), *(_blank(source) for _ in rows[1:])]
    columns = [np.concatenate(first)]
    for column, style in enumerate(choice.styles):
        cells = [
            _labelled(row[column], f"member {m}, style {style}") for row, m in zip(rows, choice.members, strict=True)
        ]
        columns.append(np.concatenate(cells))
    return np.concatenate(columns, axis=1)


def _blank(picture: RGB) -> RGB:
    return np.full_like(_labelled(picture, ""), 255)


def _labelled(picture: RGB, words: str) -> RGB:
    """`picture`, at most CELL px long, on white under `words`."""
    scale = min(1.0, CELL / max(picture.shape[:2]))
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    small = picture if scale == 1 else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    canvas = np.full((HEAD + size[1] + GAP, size[0] + 2 * GAP, 3), 255, np.uint8)
    canvas[HEAD : HEAD + size[1], GAP : GAP + size[0]] = small
    fits = size[0] / 200
    cv2.putText(canvas, words, (GAP, HEAD - 5), cv2.FONT_HERSHEY_SIMPLEX, min(0.45, 0.55 * fits), 0, 1, cv2.LINE_AA)
    return canvas
