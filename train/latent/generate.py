"""`curate generate`: a picture for each seed, the w's that they were made from, and a table of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curate.pipeline.core import interrupt
from curate.pipeline.core.errors import InterruptionError, UsageError
from curate.pipeline.core.files import entries
from curate.pipeline.core.outputs import OutputPlan, Record
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.imaging import synthetic
from curate.pipeline.imaging.photo import Photo
from curate.train.latent import picture_set
from curate.train.latent.latent_run import MOST_SEED, LatentRun, Noise
from curate.train.latent.picture_set import CODES, LABELS, MANIFEST, PictureSet, picture_name
from curate.train.translate import metadata, picture_files


@dataclass(frozen=True)
class GenerateSettings:
    """How pictures are made from seeds."""

    psi: float = 1.0  # truncation: share of the way from the mean w; 1 leaves w as it is
    cutoff: int | None = None  # truncate the first layers alone
    noise: Noise = "const"
    index: int | None = None  # class, of networks with labels


@dataclass(frozen=True)
class Generated:
    """What became of a call."""

    folder: Path
    made: int
    kept: int  # pictures that were there from before
    total: int  # pictures in the folder


def run(
    source: LatentRun,
    seeds: Sequence[int],
    out: Path,
    settings: GenerateSettings,
    *,
    force: bool = False,
    progress: Progress = SILENT,
) -> Generated:
    """Makes the pictures of `seeds` that the folder `out` has not yet, and writes manifest and w's of all in it.

    Raises UsageError where pictures of other settings are in `out`, unless `force` takes them away, and for a file
    there that curate did not write; InterruptionError, after which the same command goes on.
    """
    said = _said(source, settings)
    before = picture_set.find(out)
    if before is not None and _differing(before.settings, said):
        if not force:
            raise UsageError(f"{out}: {_difference(before.settings, said)}", "another --out, or --force to begin anew")
        _clear(before)
        before = None
    wanted = picture_set.united((), seeds)
    record = Record(out)
    todo = {seed: out / picture_name(seed) for seed in wanted if not record.holds(out / picture_name(seed))}
    targets = [*todo.values(), out / MANIFEST, out / CODES]
    with OutputPlan(targets, force=force) as plan, progress.task("generate", len(todo)) as task:
        done = set(wanted) - set(todo) | set(before.seeds if before else ())
        _note(source, plan, out, done, said, settings)  # so that what is killed knows by which settings it was
        xmp = metadata.xmp(source.made_by, synthetic.GENERATED)
        # Batches of all that is wanted: the last bits of a picture depend on those that are made with it.
        batches = [wanted[at : at + source.batch] for at in range(0, len(wanted), source.batch)]
        try:
            with interrupt.deferred() as interrupted:
                for part in batches:
                    if todo.keys().isdisjoint(part) or interrupted():
                        continue
                    codes = source.codes(part, settings.psi, settings.cutoff, settings.index)
                    for seed, picture in zip(part, source.pictures(codes, settings.noise), strict=True):
                        if seed not in todo:
                            continue
                        with plan.write(todo[seed]) as temporary:
                            temporary.write_bytes(picture_files.encode(Photo.of(picture), ".png", xmp))
                        done.add(seed)
                        task.advance()
        except KeyboardInterrupt:
            _note(source, plan, out, done, said, settings)
            left = sum(seed not in done for seed in todo)
            raise InterruptionError(f"interrupted: {left} pictures are left", "the same command goes on") from None
        _note(source, plan, out, done, said, settings)
    return Generated(out, len(todo), len(wanted) - len(todo), len(done))


def parse_seeds(text: str) -> list[int]:
    """600-2599, 1,2,7 or both. Raises UsageError."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = [first, last] if dash else [first, first]
        if not all(end.isascii() and end.isdigit() and int(end) <= MOST_SEED for end in ends):
            raise UsageError(f"--seeds {text}: '{part}' is no seed and no range", "--seeds 600-2599, or 1,5,12")
        low, high = (int(end) for end in ends)
        if high < low or high - low >= 1_000_000:
            raise UsageError(f"--seeds {text}: from {low} to {high}", "the smaller first, a million at most")
        seeds += range(low, high + 1)
    return seeds


def _said(source: LatentRun, settings: GenerateSettings) -> dict[str, Any]:
    generator = source.generator
    shape = {"side": generator.resolution, "w_dim": generator.w_dim, "num_ws": generator.num_ws}
    made_by = {"run": str(source.trained.source), "weights": list(source.made_by.weights)}
    return {**made_by, **shape, **asdict(settings)}


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The settings that are not the same; a run may be called by another path."""
    return [key for key in new if key != "run" and old.get(key) != new[key]]


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    differing = _differing(old, new)
    if "weights" in differing:
        return f"holds pictures of other networks, of {old.get('run')}"
    parts = [f"{key} {old.get(key)}, not {new[key]}" for key in differing]
    return f"holds pictures of other settings: {', '.join(parts)}"


def _note(
    source: LatentRun, plan: OutputPlan, out: Path, done: set[int], said: dict[str, Any], settings: GenerateSettings
) -> None:
    seeds = sorted(done)
    codes = source.codes(seeds or [0], settings.psi, settings.cutoff, settings.index)[: len(seeds)]
    paths = tuple(picture_name(seed) for seed in seeds)
    picture_set.write(PictureSet(out, tuple(seeds), paths, said), codes.cpu(), plan)


def _clear(found: PictureSet) -> None:
    """Takes away what curate itself wrote there, so that none of it is taken for the new."""
    record = Record(found.folder)
    for path in entries(found.folder):
        if (path.match("seed*.png") or path.name == LABELS) and record.holds(path):
            path.unlink()
