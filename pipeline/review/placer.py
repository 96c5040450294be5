"""Cuts a face at once where a person has clicked, just as `curate crop` will, and writes down where that was."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec
import numpy as np

from curate.pipeline.core.errors import UsageError
from curate.pipeline.faces.alignment import Aligner, Cut, alignment
from curate.pipeline.imaging import codec, shards
from curate.pipeline.review import review_items
from curate.pipeline.review.session import ReviewSession, precisely_now
from curate.pipeline.tables import placements
from curate.pipeline.tables.placements import PlacedFace


class FacePlacer:
    """Places faces in the photos of a session's crops. Its methods may be called from several threads."""

    def __init__(self, session: ReviewSession) -> None:
        self._session = session
        self._lock = threading.Lock()  # detectors are not made for several threads
        self._aligners: dict[str, Aligner] = {}

    def cut(self, name: str, numbers: Sequence[float]) -> Cut:
        """What would be cut of the photo of the crop `name` for a face at `numbers`, and the reason if it is refused.

        `numbers` are x, y of left eye, right eye and mouth, or x, y, width and height, in raw px. Raises UsageError for
        a crop that there is not, and for a domain that is not cut by faces; CurateError for a photo that has gone.
        """
        image, domain = self._photo(name)
        face = self._placed(image, numbers)
        data = shards.load_bytes(self._session.root, self._session.photo_path(image), "curate scrape")
        photo = codec.decode(data)
        with self._lock:
            aligner = self._aligner(domain)
            (found,) = aligner.cut(photo, [aligner.placed(photo, face.numbers)])
        return found

    def prepare(self, name: str) -> None:
        """Loads what cutting a face of the crop `name` needs, so that nobody waits for it after the last click."""
        _, domain = self._photo(name)
        with self._lock:
            self._aligner(domain)

    def _aligner(self, domain: str) -> Aligner:
        if domain not in self._aligners:
            rules = review_items.crop_rules(self._session.root, [domain])[domain]
            if alignment(rules) == "none":
                raise UsageError(f"{domain} is cut without looking for faces (align: none)", "choose another align")
            self._aligners[domain] = Aligner(rules)
        return self._aligners[domain]

    def place(self, name: str, numbers: Sequence[float]) -> dict[str, str]:
        """Writes a face down, as `cut` takes it; returns the letters of all items that this changes, by id."""
        image, _ = self._photo(name)
        placements.append(self._session.root, self._placed(image, numbers))
        return self._session.written("crops", [image])

    def _photo(self, name: str) -> tuple[str, str]:
        """The image_id and the domain, as it was found, of the crop `name`."""
        own = self._session.items("crops")
        place = self._session.place(own, name)
        return str(own.images[place][0]), str(own.domains[place])

    def _placed(self, image: str, numbers: Sequence[float]) -> PlacedFace:
        rounded = [round(float(value), 1) for value in numbers]
        try:
            where = {"box": rounded} if len(rounded) == 4 else {"points": _upright(rounded)}
            return msgspec.convert(
                {"item": image, "by": self._session.by, "when": precisely_now(), **where}, PlacedFace, strict=False
            )
        except ValueError as error:
            told = f"no face can be there: {error}"
            raise UsageError(told, "click the left eye, the right eye and the mouth") from None


def _upright(numbers: Sequence[float]) -> list[float]:
    """The three points with the eyes as they are seen, left and right: the mouth lies below the line between them."""
    left, right, below = np.reshape(np.array(numbers, np.float64), (3, 2))
    across, down = right - left, below - (left + right) / 2
    turned = float(across[0] * down[1] - across[1] * down[0]) < 0
    return [*numbers[2:4], *numbers[:2], *numbers[4:]] if turned else list(numbers)
