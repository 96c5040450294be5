"""STAGE curate evaluate: runs measured on the images that were held out, each into processed/evaluated/RUN."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from curate.pipeline.core.at_work import at_work, hold
from curate.pipeline.core.config import Evaluate, digest, override
from curate.pipeline.core.confined_path import closed_folder
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.files import atomic_write
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.imaging import codec, synthetic
from curate.pipeline.imaging.codec import RGB
from curate.train.comparison import evaluation, memorisation, rendering
from curate.train.comparison.evaluation import Evaluation, HeldOutImage, Way
from curate.train.comparison.measure import Measurer
from curate.train.comparison.rendering import Rendered
from curate.train.data.image_grid import grid
from curate.train.data.transforms import to_float, to_uint8
from curate.train.engine.precision import select_device
from curate.train.evaluation import held_out
from curate.train.evaluation.features import extractor
from curate.train.evaluation.features.extractor import FeatureNet
from curate.train.evaluation.held_out import MIN_IMAGES, HeldOut, TranslationTask
from curate.train.runs.config import TrainConfig, from_dict
from curate.train.runs.stored import StoredCheckpoint, find_in_run
from curate.train.runs.trained import load_checkpoint

VERSION = 1  # of what is measured: another one, and everything is measured anew
SPLITS = ("test", "val", "train")  # in this order, where one has too few images
TRAINING = 5000  # images of a domain that a run trained on, at the most, which the classifier sees and copies are of
QUALITY = 92  # of the pictures
SHOWN = 8  # rows of nearest.jpg
NEAREST = "nearest.jpg"
UNLEARNT = frozenset(  # keys of `run` that change no network, and the seed
    "seed device threads tick samples sample_every checkpoint_every keep_last keep_best measure_every metrics held_out "
    "features".split()
)


@at_work(reads=["crops", "pairs", "dataset"])
def run(
    section: Evaluate, root: Path, runs: Sequence[Path], *, device: str = "auto", progress: Progress = SILENT
) -> list[Evaluation]:
    """Measures `runs`, folders or RUN@STEP, RUN@best, one after the other; one that was measured before, with the same
    networks, images and settings, is not measured again.

    Raises UsageError for what is no run, for two of one name, and for fewer than MIN_IMAGES images; TableError without
    a dataset.
    """
    for name, times in Counter(path.name for path in runs).items():
        if times > 1:
            raise UsageError(
                f"{name}: {times} runs of this name: their numbers would lie in one folder",
                "name each once, or rename one",
            )
    found = [(path.name, find_in_run(path)) for path in runs]  # all, before the first one takes its time
    net = extractor.load(section.features, root, select_device(device))
    with hold(folders=[root / evaluation.FOLDER / name for name, _ in found]):
        return [_evaluate(section, root, name, stored, net, device, progress) for name, stored in found]


def _evaluate(
    section: Evaluate,
    root: Path,
    name: str,
    stored: StoredCheckpoint,
    net: FeatureNet,
    device: str,
    progress: Progress,
) -> Evaluation:
    config = _config(stored, section, device)
    held, training = _images(section, root, config, progress)
    made_by = _made_by(stored, section, net, held, training)
    if (known := evaluation.read(name, root)) and known.made_by == made_by:
        progress.note(f"{name}: measured before, and nothing has changed")
        return known
    if held.split != section.split:
        progress.note(f"{name}: fewer than {MIN_IMAGES} images of a kind in {section.split}: measured on {held.split}")
    trained = load_checkpoint(stored, device)
    measurer = Measurer(trained.recipe, config, held, training, net, section.resamples, root, progress)
    folder = closed_folder(root, f"{evaluation.FOLDER}/{name}")
    for document in (evaluation.DOCUMENT, evaluation.METRICS):  # until they are there again, nothing was measured
        (folder / document).unlink(missing_ok=True)
    shutil.rmtree(folder / evaluation.PICTURES, ignore_errors=True)
    ways: dict[str, Way] = {}
    rows: list[tuple[float, Sequence[Tensor]]] = []
    for task in held.tasks.values():
        if task.made:
            rendered = rendering.render(trained.recipe, held.tasks, task, progress)
            measured = measurer.measure(rendered)
            goal = training.tasks[task.goal]
            ways[task.name] = _way(rendered, measured.scores, measured.nearest, goal, _label(config, task))
            _write_pictures(folder / evaluation.PICTURES / task.name, rendered, measured.nearest, goal, progress)
            rows += _copies(rendered, measured.nearest, goal)
    _write_jpeg(folder / NEAREST, _nearest_grid(rows), synthetic.xmp())
    found = Evaluation(
        run=name,
        recipe=config.recipe,
        step=trained.step,
        seed=config.run.seed,
        settings=_settings(stored.config_json),
        made_by=made_by,
        net=net.name,
        split=held.split,
        ways=ways,
    )
    evaluation.write(found, root)  # at last: with it, all of it is there
    return found


def _config(stored: StoredCheckpoint, section: Evaluate, device: str) -> TrainConfig:
    """The run's own, but for how many images are held out, and for the device."""
    config = from_dict(stored.config_json)
    return replace(config, run=override(config.run, "run", device=device, held_out=section.images, samples=0))


def _images(section: Evaluate, root: Path, config: TrainConfig, progress: Progress) -> tuple[HeldOut, HeldOut]:
    """What is translated, and what the run trained on. Raises UsageError where there are too few."""
    held = held_out.load(config, root, SPLITS[SPLITS.index(section.split) :], progress=progress)
    if held.count < MIN_IMAGES:
        raise UsageError(
            f"{root}: {held.count} images to measure on, {MIN_IMAGES} of a kind are the least",
            "scrape more of them; where they went: curate stats",
        )
    whole = replace(config, run=override(config.run, "run", held_out=TRAINING))
    return held, held_out.load(whole, root, ("train",), progress=progress)


def _made_by(stored: StoredCheckpoint, section: Evaluate, net: FeatureNet, held: HeldOut, training: HeldOut) -> str:
    with stored.path.open("rb") as file:
        networks = hashlib.file_digest(file, "sha256").hexdigest()
    images = [(task.label, task.digest) for part in (held, training) for task in part.tasks.values()]
    return digest([VERSION, networks, net.name, net.digest, section.resamples, images])


def _settings(config_json: Mapping[str, Any]) -> str:
    run = {key: value for key, value in config_json["run"].items() if key not in UNLEARNT}
    return digest([config_json["recipe"], config_json["data"], run, config_json["model"], config_json["dataset"]])


def _label(config: TrainConfig, task: TranslationTask) -> str:
    """What a way is called, whichever of a run's domains is its a."""
    if task.name == task.goal:
        names = ", ".join(config.data.classes or config.data.domains.values())
        return "people in other articles" if task.translates else f"{names} made of noise"
    return f"{config.data.domains[task.name[0]]} to {config.data.domains[task.name[-1]]}"


def _way(
    rendered: Rendered, scores: Mapping[str, Any], nearest: memorisation.Nearest, goal: TranslationTask, label: str
) -> Way:
    ids = [goal.ids[index] for index in nearest.index.tolist()]
    photos = [
        HeldOutImage(id=name, nearest=near, ratio=ratio)
        for name, near, ratio in zip(rendered.task.ids, ids, nearest.ratio.tolist(), strict=True)
    ]
    without = {"before"} if not rendered.task.translates else set()
    without |= {"article"} if rendered.articles is None else set()
    return Way(
        label=label,
        scores={name: score for name, score in scores.items() if not isinstance(score, str)},
        unmeasured={name: why for name, why in scores.items() if isinstance(why, str)},
        photos=photos,
        kinds=[kind for kind in evaluation.KINDS if kind not in without],
    )


def _write_pictures(
    folder: Path, rendered: Rendered, nearest: memorisation.Nearest, goal: TranslationTask, progress: Progress
) -> None:
    source_type = synthetic.SOURCE_TYPE if rendered.task.translates else synthetic.GENERATED
    with progress.task(f"pictures {rendered.task.name}", len(rendered.made)) as running:
        for number, index in enumerate(nearest.index.tolist()):
            pictures = {"after": rendered.made[number], "nearest": to_uint8(goal.sources(index, index + 1))[0]}
            if rendered.task.translates:
                pictures["before"] = rendered.sources[number]
            if rendered.articles is not None:
                pictures["article"] = rendered.articles[number]
            for kind, picture in pictures.items():
                mark = synthetic.xmp(source_type=source_type) if kind == "after" else None
                _write_jpeg(folder / kind / f"{number:04}.jpg", picture.numpy(), mark)
            running.advance()


def _copies(
    rendered: Rendered, nearest: memorisation.Nearest, goal: TranslationTask
) -> Iterator[tuple[float, Sequence[Tensor]]]:
    """The pictures that come nearest to training pictures: how near, source, made and training picture."""
    for number in nearest.ratio.argsort()[:SHOWN].tolist():
        index = int(nearest.index[number])
        row = [to_float(part[number : number + 1]) for part in (rendered.sources, rendered.made)]
        row = row if rendered.task.translates else row[1:]
        yield float(nearest.ratio[number]), [*row, goal.sources(index, index + 1).cpu()]


def _nearest_grid(rows: Sequence[tuple[float, Sequence[Tensor]]]) -> RGB:
    """The SHOWN rows that are nearest, a source, what was made of it, and the training picture; uint8 [H, W, 3]."""
    chosen = [row for _, row in sorted(rows, key=lambda row: row[0])[:SHOWN]]
    columns = [[torch.cat(column)] for column in zip(*chosen, strict=True)]
    return grid(*columns, labels=[[word] for word in ("input", "output", "trained on")[-len(columns) :]])


def _write_jpeg(path: Path, picture: RGB, mark: bytes | None) -> None:
    """Writes `picture`, with the `mark` of what networks have made."""
    data = codec.encode_jpeg(picture, QUALITY)
    with atomic_write(path, durable=False) as temporary:
        temporary.write_bytes(synthetic.marked(data, mark) if mark else data)
