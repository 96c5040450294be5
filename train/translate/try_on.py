"""People in other articles: whole photos through a trained CAGAN, and what it painted back into them at full size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from curate.pipeline.core.confined_path import inside
from curate.pipeline.core.errors import TableError, UsageError
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.imaging import letterbox
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.geometry import Affine
from curate.pipeline.imaging.photo import Photo
from curate.pipeline.tables import manifest
from curate.pipeline.tables.manifest import OK
from curate.train.data import image_grid, paired
from curate.train.data.config import DataConfig
from curate.train.data.transforms import to_float, to_uint8, to_values
from curate.train.runs.trained import Trained
from curate.train.translate import composite
from curate.train.translate.composite import Layer
from curate.train.translate.kept_results import KeptResults
from curate.train.translate.metadata import MadeBy
from curate.train.translate.photos import UnreadablePhoto, list_photos, read_photo
from curate.train.translate.pictures import PHOTO, Output, PictureWriter
from curate.train.translate.results import Destination, TranslationResult, interruptible

SHOWN = 8  # people and articles of the largest grid
LEAST = 0.002  # of a mask: with less, what was painted there can't be told from what was seen

WHITE = 1.0  # in place of an article that is not known: nothing on white


class TryOnResult(NamedTuple):
    """A person in another article. Tensors are [1, 3, H, W] in [-1, 1], as the networks see them."""

    photo: Photo  # at the photo's own size
    seen: Tensor
    wanted: Tensor
    made: Tensor
    alpha: Tensor  # where it was painted: 1, kept: -1
    layer: Layer  # the paint that was laid over the photo


class Job(NamedTuple):
    """A person and an article to put on: photo, article wanted, article worn if known, and what the result is called.

    Several jobs may share a name; their files do not.
    """

    person: Path
    wanted: Path
    worn: Path | None
    name: str


class TryOn:
    """Trained networks, ready for photos of people and pictures of articles."""

    def __init__(self, trained: Trained) -> None:
        """Raises UsageError for networks that put no articles on people."""
        if not trained.is_try_on:
            raise UsageError(f"{trained.source}: puts no articles on people", "leave --article out")
        self.trained = trained
        self.config = DataConfig(size=trained.side or DataConfig().size, width=trained.width)

    def __call__(self, photo: Photo, wanted: RGB, worn: RGB | None = None, strength: float = 1.0) -> TryOnResult:
        """The person of `photo` in the article `wanted`; the articles are uint8 RGB [H, W, 3] of any size.

        `worn` is the article that the person wears. Without it the networks see plain white in its place. What lies
        outside of what they see, and where they paint nothing, keeps the photo's own pixels.
        """
        seen = paired.prepare_person(self._boxed(photo.shown), self.config)
        there = paired.prepare_article(self._boxed(wanted), self.config)
        here = torch.full_like(there, WHITE) if worn is None else paired.prepare_article(self._boxed(worn), self.config)
        made = self.trained.recipe.render({"human": seen, "article": here, "other": there})
        layer = painted(seen, made["swapped"], made["alpha"], self._affine(*photo.size)).weakened(strength)
        return TryOnResult(
            photo=composite.laid_over(photo, layer),
            seen=seen,
            wanted=there,
            made=made["swapped"],
            alpha=made["alpha"],
            layer=layer,
        )

    def _boxed(self, picture: RGB) -> Tensor:
        square = letterbox.boxed(picture, self.trained.letterbox)
        return to_float(torch.from_numpy(square)[None], self.trained.device)

    def _affine(self, width: int, height: int) -> Affine:
        side = self.trained.letterbox.size
        left, part = paired.person_window(side, self.config)
        across, down = (self.config.width or self.config.size) / part, self.config.size / side
        square = np.vstack((letterbox.affine(width, height, side), (0, 0, 1)))
        view = np.array([[across, 0, (across - 1) / 2 - left * across], [0, down, (down - 1) / 2]])
        return view @ square


def painted(seen: Tensor, made: Tensor, alpha: Tensor, affine: Affine) -> Layer:
    """The paint in `made` = mask paint + (1 - mask) seen, where the mask is (alpha + 1) / 2.

    `seen`, `made` and `alpha` are [1, 3, H, W] in [-1, 1]; `affine` maps the photo's px to theirs.
    """
    mask = ((alpha[0, 0] + 1) / 2).clamp(0, 1).float().cpu().numpy()
    under, over = to_values(seen), to_values(made)
    share = mask[..., None]
    paint = np.where(share > LEAST, under + (over - under) / np.maximum(share, LEAST), over)
    return Layer(np.clip(paint, 0, 255).astype(np.float32), mask, affine)


def list_jobs(people: Iterable[Path], articles: Iterable[Path], worn: Path | None = None) -> list[Job]:
    """Every person of `people` in every one of `articles`; both are images or folders of images. Raises UsageError."""
    humans, wanted = list_photos(people).files, list_photos(articles).files
    return [
        Job(human, article, worn, human.stem if len(wanted) == 1 else f"{human.stem}-{article.stem}")
        for human in humans
        for article in wanted
    ]


def split_jobs(root: Path, name: str) -> list[Job]:
    """The people of the accepted pairs in the split `name`, each in the article of the next product.

    Photos and articles are the raw images. Raises TableError, and UsageError for a split with fewer than two articles.
    """
    table = manifest.accepted(manifest.read(manifest.PAIRS, root)).to_pylist()
    rows = [row for row in table if row["split"] == name]
    products = list(dict.fromkeys((row["domain"], row["group_id"]) for row in rows))
    if len(products) < 2:
        raise UsageError(
            f"{manifest.PAIRS.path(root)}: {len(products)} articles are in {name}, two are the least to swap",
            "another --split, or larger pairs.val and pairs.test",
        )
    columns = ["image_id", "path", "status"]
    images = manifest.accepted(manifest.read(manifest.IMAGES, root, columns))
    raw = {row["image_id"]: row["path"] for row in manifest.with_photos(images, root).to_pylist()}
    if gone := [row["pair_id"] for row in rows if not {row["article_image_id"], row["human_image_id"]} <= raw.keys()]:
        raise TableError(
            f"{manifest.PAIRS.path(root)}: pair {gone[0]}: its photos are not in images.parquet", "curate pairs"
        )
    articles = {(row["domain"], row["group_id"]): inside(root, raw[row["article_image_id"]]) for row in rows}
    next_product = dict(zip(products, products[1:] + products[:1], strict=True))
    people = [inside(root, raw[row["human_image_id"]]) for row in rows]
    return [
        Job(
            path,
            articles[next_product[row["domain"], row["group_id"]]],
            articles[row["domain"], row["group_id"]],
            path.stem,
        )
        for path, row in zip(people, rows, strict=True)
    ]


def run(
    try_on: TryOn,
    jobs: Sequence[Job],
    out: Path,
    output: Output = PHOTO,
    *,
    progress: Progress = SILENT,
) -> list[TranslationResult]:
    """Writes NAME.png, at its photo's size, and NAME.json for each of `jobs`; returns a result for each.

    `out` is a folder, or the .png, .jpg or .webp to write when there is one job. Of several, grid.png has up to eight
    people along the top, their articles down the left, and each of them in each. A photo that can't be read is a
    result, not an error, and so is an article, unless none can. Raises UsageError then, and like stage.run.
    """
    place = Destination(out, len(jobs), rgba=output.rgba, gif=output.gif)
    grid = [place.target("grid")] if len(jobs) > 1 else []
    place.reserve(*(path.stem for path in grid))
    names = [place.name(job.name) for job in jobs]
    files = dict.fromkeys(path for job in jobs for path in job[:3] if path)
    results: list[TranslationResult] = []
    with place.plan(files, grid, force=output.force) as plan:
        writer = PictureWriter(plan, output, MadeBy.of(try_on.trained), animated=place.is_animation)
        articles = {path: read_photo(path) for job in jobs for path in (job.wanted, job.worn) if path}
        _refuse_if_all_unread(articles)
        kept = KeptResults(place.folder, writer, {"side": try_on.config.size})
        with interruptible(results, len(jobs)) as interrupted, progress.task("try on", len(jobs)) as task:
            for job, name in zip(jobs, names, strict=True):
                if interrupted():
                    break
                inputs = [job.person, job.wanted, *([job.worn] if job.worn else [])]
                results += kept(inputs, name, partial(_run_job, try_on, job, articles, place.target(name), writer))
                task.advance()
            kept.tell(progress, len(jobs))
            readable = [job for job in jobs if not any(isinstance(articles[p], UnreadablePhoto) for p in job[1:3] if p)]
            for path in [] if interrupted() else grid:
                if (picture := _grid(try_on, readable, articles)) is not None:
                    writer.picture(path, Photo.of(picture))
    return results


def _refuse_if_all_unread(articles: Mapping[Path, Photo | UnreadablePhoto]) -> None:
    unread = [(path, found) for path, found in articles.items() if isinstance(found, UnreadablePhoto)]
    if len(unread) == len(articles):
        path, found = unread[0]
        raise UsageError(f"{path}: {found.detail or found.reason}", "name a picture of the article alone")


def _run_job(
    try_on: TryOn, job: Job, articles: Mapping[Path, Photo | UnreadablePhoto], target: Path, writer: PictureWriter
) -> list[TranslationResult]:
    pictures: list[Photo | None] = []
    for path in job[:3]:
        found = read_photo(path) if path is job.person else articles[path] if path else None
        if isinstance(found, UnreadablePhoto):
            return [TranslationResult.of_unreadable(path or job.person, found)]
        pictures.append(found)
    photo, wanted, worn = pictures
    assert photo is not None and wanted is not None
    made = try_on(photo, wanted.shown, worn.shown if worn else None, writer.output.strength)
    affine = tuple(made.layer.affine.ravel().tolist())
    result = TranslationResult(str(job.person), str(target), OK, affine=affine, article=str(job.wanted))
    before, after, layer = photo, made.photo, made.layer
    if writer.output.layout == "crop":
        before, after = (replace(Photo.of(to_uint8(one)[0].numpy()), exif=photo.exif) for one in (made.seen, made.made))
        layer = layer._replace(affine=np.eye(2, 3), fade=0.0)
    writer.result(target, before, after, partial(composite.cut_out, before, [layer]), lambda: [wanted.shown])
    writer.notes(target, result, {"worn": str(job.worn) if job.worn else None, "side": try_on.config.size})
    return [result]


def _grid(try_on: TryOn, jobs: Sequence[Job], articles: Mapping[Path, Any]) -> RGB | None:
    """The first people along the top, the first articles down the left, each in each, then where it was painted."""
    wanted = list(dict.fromkeys(job.wanted for job in jobs))[:SHOWN]
    people = list({job.person: job for job in jobs}.values())[:SHOWN]
    columns: list[Tensor] = []
    masks: list[Tensor] = []
    left: list[Tensor] = []
    for job in people:
        photo = read_photo(job.person)
        if isinstance(photo, UnreadablePhoto):
            continue
        worn = articles[job.worn].shown if job.worn else None
        made = [try_on(photo, articles[way].shown, worn) for way in wanted]
        columns.append(torch.cat([made[0].seen, *(one.made for one in made)]))
        masks.append(torch.cat([one.alpha for one in made]))
        left = [torch.full_like(made[0].wanted, WHITE), *(one.wanted for one in made)]
    return image_grid.grid([torch.cat(left), *columns], masks) if left else None
