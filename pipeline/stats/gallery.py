"""The pictures of the report, and what each of them opens to: its photo, what is known of it, and its fate."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curate.pipeline.pages.contact_sheet import Percent, percent
from curate.pipeline.pages.templates import web_address
from curate.pipeline.pages.thumbnails import SIDE, Thumb, Thumbs
from curate.pipeline.stats import fate
from curate.pipeline.stats.fate import Fate
from curate.pipeline.stats.tables import Row, Tables
from curate.pipeline.stats.thresholds import Thresholds

LARGE = 400  # px, longest side of a photo that lies beside the page
_UP = "../.."  # from the page to the root
_MEASURED = "face_px eye_px sharpness face_sharpness brightness padding upscale roll unrest".split()
_MEASURED_OF_PAIRS = "agreement others worn_at border aspect hair article_shown human_shown".split()


@dataclass(frozen=True)
class Picture:
    """A thumbnail on the page, and the number of what it opens to."""

    thumb: Thumb
    large: Thumb
    number: int
    label: str = ""
    boxes: Sequence[Percent] = ()


@dataclass(frozen=True)
class LargePhoto:
    """A photo as large as it is opened; everything within it in thousandths of its sides."""

    src: str
    original: str  # the file itself, where the page still lies in its project
    width: int
    height: int
    box: Sequence[int] | None = None  # left, top, width, height
    points: Sequence[int] = ()  # x, y of each landmark


@dataclass(frozen=True)
class Fact:
    """One thing that is known; `href` is a web address, or ""."""

    name: str
    text: str
    href: str = ""


@dataclass(frozen=True)
class Detail:
    """What a picture opens to."""

    title: str
    photos: Sequence[LargePhoto]
    crop: str  # the thumbnail of what was cut from it; "" where nothing was
    facts: Sequence[Fact]
    fate: Fate


class Gallery:
    """Makes pictures, and keeps what they open to, each once."""

    def __init__(self, root: Path, tables: Tables, thumbs: Thumbs) -> None:
        self.tables, self.thumbs, self.thresholds = tables, thumbs, Thresholds(root)
        self._details: list[Detail] = []
        self._numbers: dict[str, int] = {}

    def details(self) -> list[dict[str, Any]]:
        """Those of all pictures so far, by their numbers, for JSON."""
        return [asdict(detail) for detail in self._details]

    def crop(self, crop_id: str | None, label: str = "", side: int = SIDE) -> Picture | None:
        """What was cut out; None where its file is gone."""
        row = self.tables.crop(crop_id)
        thumb = self.thumbs.thumbnail(row["path"], side) if row else None
        return self._of_crop(row, thumb, thumb, label) if row and thumb else None

    def face(self, row: Row, label: str = "") -> Picture | None:
        """The photo of a row of crops.parquet, with the face in a frame."""
        thumb, large = self.thumbs.thumbnails(row["source_path"], (SIDE, LARGE))
        return self._of_crop(row, thumb, None, label, self._boxes(row)) if thumb and large else None

    def candidate(self, row: Row) -> Picture | None:
        """The picture of a row of images.parquet that was refused; None where it has none."""
        same = self.tables.image(row["image_id"])
        path = row["path"] or (same["path"] if same else None)
        thumb, large = self.thumbs.thumbnails(path, (SIDE, LARGE))
        if not (thumb and large):
            return None
        photo = LargePhoto(large.src, f"{_UP}/{path}", large.width, large.height)
        facts = [*_of_image(row), Fact("row", row["candidate_id"])]
        detail = Detail(row["title"] or row["domain"], [photo], "", facts, fate.of_candidate(row))
        return Picture(thumb, large, self._number(row["candidate_id"], detail), row["file"] or row["title"] or "")

    def pair(self, row: Row, label: str = "") -> list[Picture]:
        """The article and the person of a row of pairs.parquet, as far as their files are there."""
        found = []
        for role in ("article", "human"):
            image = self.tables.image(row[f"{role}_image_id"])
            thumb = self.thumbs.thumbnail(row[f"{role}_path"] or (image["path"] if image else None))
            found.append((image, thumb))
        if row["pair_id"] not in self._numbers:
            images = [image for image, _ in found if image]
            photos = [photo for image in images if (photo := self._photo(image))]
            facts = [Fact("pair", row["pair_id"]), Fact("product", row["group_id"])]
            facts += [Fact("said of it", row["article_text"])] if row["article_text"] else []
            facts += [fact for image in images for fact in _of_image(image)]
            facts += _measured(row, _MEASURED_OF_PAIRS)
            became = fate.of_pair(row, self.thresholds.of_pairs())
            title = next((image["title"] for image in images if image["title"]), None) or row["group_id"]
            self._number(row["pair_id"], Detail(title, photos, "", facts, became))
        number = self._numbers[row["pair_id"]]
        return [
            Picture(thumb, self._larger(image, thumb), number, label or row["group_id"])
            for image, thumb in found
            if thumb
        ]

    def change(self, name: str, paths: Sequence[str], thumbs: Sequence[Thumb], facts: Sequence[Fact], run: bool) -> int:
        """The number of what a photo and what the networks `name` made of it open to; `run`: one of this project."""
        photos = [
            LargePhoto(thumb.src, f"{_UP}/{path}", thumb.width, thumb.height)
            for path, thumb in zip(paths, thumbs, strict=True)
        ]
        command = f"curate translate --run {shlex.quote(f'processed/runs/{name}')} PHOTO.jpg" if run else ""
        became = Fate(f"before and after, by {name}", "", "For a photo of your own:", command)
        told = [Fact("photo", paths[0]), Fact("made of it", paths[-1]), *facts]
        return self._number(f"{name}\n{paths[-1]}", Detail(Path(paths[0]).name, photos, "", told, became))

    def _of_crop(self, row: Row, thumb: Thumb, cut: Thumb | None, label: str, boxes: Sequence[Percent] = ()) -> Picture:
        crop_id, image = row["crop_id"], self.tables.image(row["image_id"])
        if crop_id not in self._numbers:
            held, copied = self.tables.held(crop_id), self.tables.copied(crop_id)
            photo = self._photo(image, row) if image else None
            cut = cut or self.thumbs.thumbnail(row["path"])
            facts = [Fact("crop", crop_id), *(_of_image(image) if image else ()), *_measured(row, _MEASURED)]
            became = fate.of_crop(row, copied, held, self.thresholds.of_crops(row["domain"]))
            title = (image["title"] if image else "") or row["domain"]
            self._number(crop_id, Detail(title, [photo] if photo else [], cut.src if cut else "", facts, became))
        return Picture(thumb, self._larger(image, thumb), self._numbers[crop_id], label, boxes)

    def _number(self, key: str, detail: Detail) -> int:
        if key not in self._numbers:
            self._numbers[key] = len(self._details)
            self._details.append(detail)
        return self._numbers[key]

    def _larger(self, image: Row | None, instead: Thumb) -> Thumb:
        return (self.thumbs.thumbnail(image["path"], LARGE) if image else None) or instead

    def _photo(self, image: Row, crop: Row | None = None) -> LargePhoto | None:
        large = self.thumbs.thumbnail(image["path"], LARGE)
        if large is None:
            return None
        box, points = None, []
        if crop and image["width"] and image["height"]:
            x, y = 1000 / image["width"], 1000 / image["height"]
            box = [round(v) for v in _scaled(crop["box"], x, y)] if crop["box"] else None
            points = [round(v) for v in _scaled(crop["landmarks"] or (), x, y)]
        return LargePhoto(large.src, f"{_UP}/{image['path']}", large.width, large.height, box, points)

    def _boxes(self, row: Row) -> list[Percent]:
        image = self.tables.image(row["image_id"])
        return percent([row["box"]], (image["width"], image["height"]) if image else None)


def _scaled(values: Sequence[float], x: float, y: float) -> Iterator[float]:
    return (value * (x, y)[at % 2] for at, value in enumerate(values))


def _of_image(image: Row) -> Iterator[Fact]:
    """What scrape knows of a picture; addresses lead on only where a browser may follow them."""
    facts = (
        Fact("domain", image["domain"]),
        Fact("image", image["image_id"] or ""),
        Fact("file", image["path"] or image["file"] or ""),
        Fact("size", f"{image['width']} x {image['height']} px" if image["width"] else ""),
        Fact("title", image["title"] or ""),
        Fact("by", image["creator"] or ""),
        Fact("licence", image["license"] or "", web_address(image["license_url"]) or ""),
        Fact("page", image["page_url"] or "", web_address(image["page_url"]) or ""),
        Fact("address", image["image_url"] or "", web_address(image["image_url"]) or ""),
        Fact("found by", f"{image['source']}: {image['query']}" if image["query"] else image["source"]),
    )
    return (fact for fact in facts if fact.text)


def _measured(row: Row, names: Sequence[str]) -> Iterator[Fact]:
    said = [f"{name} {row[name]:.3g}" for name in names if row[name] is not None]
    if said:
        yield Fact("measured", ", ".join(said))
