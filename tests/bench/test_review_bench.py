"""How long one waits for the review page at 50,000 crops. Run with:

pytest -m bench -s tests/bench/test_review_bench.py

prints milliseconds as a browser on the same machine sees them, the table of docs/internals/benchmarks.md.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curate.pipeline.imaging import codec
from curate.pipeline.review import routes, verdicts
from curate.pipeline.review.session import ReviewSession
from curate.pipeline.tables import manifest
from curate.pipeline.tables.arrow import replace_column
from tests.bench import test_choosing_bench as choosing
from tests.support import drawn_people
from tests.support.web import TOKEN, browser, served

pytestmark = pytest.mark.bench

COUNT = 50_000
FILES = 200  # pictures, that the crops share
PRESSED = 100

# Presses a key and waits until the next picture is on the screen: after two frames from when it is shown.
PRESS = """key => new Promise(done => {
  const body = document.body, before = body.dataset.shown, began = performance.now();
  const seen = new MutationObserver(() => body.dataset.shown !== before && (seen.disconnect(),
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)))));
  seen.observe(body, { attributes: true });
  body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
})"""


def world(root: Path) -> None:
    """COUNT crops of 256 px with boxes, each of a photo of its own."""
    choosing.world(root, COUNT)
    names = [f"processed/crops/{at}.png" for at in range(FILES)]
    photos = [f"raw/images/{at}.png" for at in range(FILES)]
    for at, name in enumerate([*names, *photos]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(codec.encode_png(drawn_people.photo(at % FILES % 20)[:256, :256]))
    crops = manifest.read(manifest.CROPS, root)
    boxes = pa.FixedSizeListArray.from_arrays(pa.array(np.tile(np.float32([40, 40, 120, 120]), COUNT)), 4)
    columns = {"image_id": crops["crop_id"], "path": pa.array([names[at % FILES] for at in range(COUNT)]), "box": boxes}
    for name, values in columns.items():
        crops = replace_column(crops, name, values)
    manifest.write(manifest.CROPS, crops, root)
    draws = np.random.default_rng(1)
    images = {field.name: choosing.column(field, COUNT, draws) for field in manifest.IMAGES.schema}
    images |= {
        "candidate_id": crops["crop_id"],
        "image_id": crops["crop_id"],
        "path": pa.array([photos[at % FILES] for at in range(COUNT)]),
    }
    images |= {"title": pa.array([f"portrait {at}" for at in range(COUNT)])}
    images |= {name: pa.array(np.full(COUNT, value)) for name, value in (("status", "accepted"), ("reason", "ok"))}
    manifest.write(manifest.IMAGES, pa.table(images, schema=manifest.IMAGES.schema), root)


def test_nobody_waits_at_50_000_crops(tmp_path: Path) -> None:
    world(tmp_path)
    began = time.perf_counter()
    session = ReviewSession(tmp_path, "ann")
    session.prepare()
    ready = time.perf_counter() - began
    with served(routes.page(session, verdicts.REASONS, TOKEN)) as address, browser() as context:
        page = context.new_page()
        began = time.perf_counter()
        page.goto(address)
        page.wait_for_selector("body[data-shown]")
        first = time.perf_counter() - began
        paint = page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
        step = [page.evaluate(PRESS, "ArrowRight") for _ in range(PRESSED)]
        keep = [page.evaluate(PRESS, "k") for _ in range(PRESSED)]
        grid = page.evaluate("""() => new Promise(done => {
          const began = performance.now();
          document.querySelector("#to-grid").click();
          requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));
        })""")
    rows = {"the command is ready, s": ready, "first picture, s": first, "first paint, s": paint / 1000}
    told = "".join(f"\n{name:36} {seconds:8.2f}" for name, seconds in rows.items())
    for name, values in (("next picture", step), ("decision and next picture", keep)):
        median, late = statistics.median(values), sorted(values)[int(0.95 * PRESSED)]
        told += f"\n{name + ', ms: median, 95 %':36} {median:8.1f} {late:8.1f}"
    sys.stdout.write(f"{told}\n{'grid, ms':36} {grid:8.1f}\n")
    assert session.counts("crops")["states"]["kept"] == PRESSED
