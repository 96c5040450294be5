"""A world of any size for tests of scale, drawn in half a millisecond per picture, and the commands run over it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from curate.pipeline.imaging import codec
from curate.pipeline.tables import manifest
from tests.support import ROOT, drawn_people
from tests.support.tables import image_row

STAGES = ("crop", "dedup", "pairs", "build")
PARAMS = """
engine: {{kind: {kind}, batch: 16}}
crop:
  size: 64
  shard_above: {above}
  shard_size: 500
  domains: {{squares: {{align: none}}}}
pairs: {{size: 64}}
"""
_PEOPLE = 16  # drawn ones, that the faces are variations of


def square(index: int) -> bytes:
    """Soft colours of its own for each index; every twentieth is a copy of the one before in another file format."""
    twin = index % 20 == 19
    rng = np.random.default_rng([21, index - twin])
    field = cv2.resize(rng.integers(0, 256, (6, 6, 3), np.uint8), (96, 96), interpolation=cv2.INTER_CUBIC)
    picture = np.asarray(field, np.uint8)
    return codec.encode_jpeg(picture, 95) if twin else codec.encode_png(picture)


def face(index: int) -> bytes:
    """One of some drawn people, moved, mirrored and lit a little differently for each index."""
    rng = np.random.default_rng([22, index])
    picture = np.roll(drawn_people.photo(index % _PEOPLE), rng.integers(-25, 26, 2).tolist(), (0, 1))
    picture = picture[:, :: -1 if index // _PEOPLE % 2 else 1]
    lit = picture.astype(np.float32) * rng.uniform(0.85, 1.1) + rng.uniform(-10, 10)
    return codec.encode_jpeg(np.asarray(lit.clip(0, 255), np.uint8), 90)


def _received(count: int) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """`count` pictures with the columns that are theirs: in 25, two faces, two of a product, and 21 squares."""
    for index in range(count):
        turn, place = divmod(index, 25)
        if place < 2:
            yield face(2 * turn + place), {"domain": "faces"}
        elif place < 4:
            role = {"role": ("article", "human")[place - 2], "group_id": f"product {turn}"}
            yield (square(10**6 + 20 * turn), face(10**6 + turn))[place - 2], {"domain": "shop", **role}
        else:
            yield square(index), {"domain": "squares"}


def world(root: Path, count: int, *, kind: str = "inline", above: int = 0) -> None:
    """`count` pictures as scrape would have left them, and a params.yaml; crops go into shards `above` so many.

    A larger world holds every picture of a smaller one.
    """
    path = manifest.IMAGES.path(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [image_row(root, data, rank=rank, **columns) for rank, (data, columns) in enumerate(_received(count))]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), root)
    (root / "params.yaml").write_text(PARAMS.format(kind=kind, above=above), "utf-8")


def curate(root: Path, *command: str) -> subprocess.Popen[bytes]:
    """`curate` at work on `root`, alone with one thread."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "curate", *command, "--root", str(root), "--quiet"]
    return subprocess.Popen(words, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL)


def finish(root: Path, *command: str) -> tuple[float, float]:
    """Runs a command to its end; returns its CPU seconds and the peak of its memory in MiB."""
    process = curate(root, *command)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"curate {' '.join(command)} ended with {process.returncode}"
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def killed(root: Path, command: str, after: float) -> bool:
    """Runs a command and kills it without warning after so many seconds; False when it had finished before."""
    process = curate(root, command)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    assert process.returncode == 0, f"curate {command} ended with {process.returncode}"
    return False


def interrupted(root: Path, times: int, moments: random.Random, takes: dict[str, float]) -> int:
    """Runs every stage, killed `times` times in all; returns how often one was killed before it had finished.

    The stages share the kills by the seconds that each `takes`. Each run is killed at a random moment of its part of
    them, so that the work goes on from kill to kill.
    """
    done = 0
    for stage in STAGES:
        share = min(max(1, round(times * takes[stage] / sum(takes.values()))), times - done)
        for _ in range(share):
            done += killed(root, stage, moments.uniform(0.2, 1.0) * takes[stage] / share)
        finish(root, stage)
    return done


def results(root: Path) -> dict[str, bytes]:
    """Every file that the stages answer for, by relative path."""
    found = [path for folder in ("processed", "manifests") for path in (root / folder).rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}
