"""Films as a source: scenes, rates, woven fields, openings that repeat, and files that are none."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.tables import manifest
from tests.support.fake_apis import Notes
from tests.support.http_server import drawing

av = pytest.importorskip("av", reason="the extra 'video' is not installed")

RATE = 10  # frames per second


def scene(seed: int, seconds: float = 1.0, drift: int = 1) -> list[np.ndarray]:
    """A shot of one drawing that moves by `drift` px a frame, uint8 [270, 320, 3] each."""
    wide = drawing(seed, 480, 270)
    return [np.ascontiguousarray(wide[:, drift * n : drift * n + 320]) for n in range(round(seconds * RATE))]


def film(path: Path, frames: list[np.ndarray], codec: str = "mpeg4", **stream: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        out = container.add_stream(codec, rate=RATE)
        out.width, out.height = frames[0].shape[1], frames[0].shape[0]
        out.pix_fmt, out.bit_rate = "yuv420p", 8_000_000
        for name, value in stream.items():
            setattr(out, name, value)
        for rgb in frames:
            container.mux(out.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        container.mux(out.encode(None))
    return path


def frames_of(root: Path, source: Path, notes: Notes | None = None, **changes: Any) -> list[dict[str, Any]]:
    query = Query(source="video", input=str(source), domain="films", every=changes.pop("every", None))
    scrape.run(Scrape(queries=(query,), min_side=64, **changes), root, progress=notes or Notes())
    return sorted(manifest.read(manifest.IMAGES, root).to_pylist(), key=lambda row: row["rank"])


def times(rows: list[dict[str, Any]]) -> list[tuple[str, float]]:
    return [(row["file"], json.loads(row["extra"])["timestamp"]) for row in rows]


def test_one_frame_for_each_scene(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4", [*scene(1), *scene(2), *scene(3), *scene(2)])
    rows = frames_of(tmp_path / "root", path)
    found = times(rows)
    assert [row["status"] for row in rows] == ["accepted"] * 3, "the second scene comes back, and is known"
    assert [int(time) for _, time in found] == [0, 1, 2]
    assert {name for name, _ in found} == {"clip.mp4"}
    assert {(row["width"], row["height"], row["source"], row["license"]) for row in rows} == {
        (320, 270, "video", "unknown")
    }
    with Image.open(tmp_path / "root" / rows[1]["path"]) as image:
        shown = np.asarray(image, float)
    errors = [np.abs(shown - scene(seed)[int(10 * found[1][1]) % 10]).mean() for seed in (1, 2, 3)]
    assert errors[1] < 6 < min(errors[0], errors[2])


def test_a_scene_may_come_by_a_dissolve(tmp_path: Path) -> None:
    """Its frame is taken when the old picture is gone."""
    old, new = scene(1, drift=0)[0].astype(float), scene(2, drift=0)[0].astype(float)
    mixed = [(old + (new - old) * share).astype(np.uint8) for share in np.linspace(0, 1, 12)]
    path = film(tmp_path / "clip.mp4", [*scene(1, drift=0), *mixed, *scene(2, drift=0)])
    rows = frames_of(tmp_path / "root", path, sources={"video": {"wait": 5.0}})
    assert len(rows) == 2
    with Image.open(tmp_path / "root" / rows[1]["path"]) as image:
        assert np.abs(np.asarray(image, float) - new).mean() < 12


def test_a_frame_each_so_many_seconds_but_not_the_same_twice(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4", [*scene(1, drift=12), *scene(2, 3.0, drift=0), *scene(3)])
    assert [time for _, time in times(frames_of(tmp_path / "root", path, every=0.5))] == [0.0, 0.5, 1.0, 4.0]


def test_an_opening_that_repeats_is_kept_once(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        film(tmp_path / f"season/e{number}.mp4", [*scene(90), *scene(91), *scene(number), *scene(99)])
    notes = Notes()
    found = times(frames_of(tmp_path / "root", tmp_path / "season", notes))
    assert [name for name, _ in found] == ["e1.mp4"] * 4 + ["e2.mp4", "e3.mp4"]
    assert any("6 frames were the same" in text for text in notes.said)


def test_black_frames_show_nothing(tmp_path: Path) -> None:
    black = [np.zeros((270, 320, 3), np.uint8)] * 10
    rows = frames_of(tmp_path / "root", film(tmp_path / "clip.mp4", [*black, *scene(1), *black]))
    assert [int(time) for _, time in times(rows)] == [1]


def test_woven_fields_are_parted(tmp_path: Path) -> None:
    """A picture that moves 8 px from field to field: woven, every other line is torn off."""
    still, moved = scene(1, drift=0)[0], scene(1, drift=8)[1]
    woven = still.copy()
    woven[1::2] = moved[1::2]
    path = tmp_path / "woven.mpg"
    with av.open(str(path), "w") as container:
        out = container.add_stream("mpeg2video", rate=25)
        out.width, out.height, out.pix_fmt, out.bit_rate = 320, 270, "yuv420p", 20_000_000
        out.codec_context.options = {"flags": "+ildct+ilme", "field_order": "tt"}
        graph = av.filter.Graph()
        source = graph.add_buffer(width=320, height=270, format="yuv420p", time_base=Fraction(1, 25))
        field, sink = graph.add("setfield", "tff"), graph.add("buffersink")
        source.link_to(field)
        field.link_to(sink)
        graph.configure()
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(woven, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            graph.push(frame)
            container.mux(out.encode(graph.pull()))
        container.mux(out.encode(None))
    rows = frames_of(tmp_path / "root", path, every=0.1)
    with Image.open(tmp_path / "root" / rows[0]["path"]) as image:
        parted = np.asarray(image, float)
    assert comb(parted) < 0.5 * comb(woven.astype(float))


def comb(rgb: np.ndarray) -> float:
    """How far lines differ from the mean of their neighbours."""
    return float(np.abs(rgb[1:-1] - (rgb[:-2] + rgb[2:]) / 2).mean())


def test_oblong_pixels_are_made_square(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4", scene(1), sample_aspect_ratio=Fraction(3, 2))
    assert [(row["width"], row["height"]) for row in frames_of(tmp_path / "root", path, every=5)] == [(480, 270)]


def test_the_same_again_and_what_is_no_film(tmp_path: Path) -> None:
    top = tmp_path / "films"
    whole = film(top / "b.mp4", [*scene(1), *scene(2)])
    film(top / "half.mkv", [*scene(3), *scene(4)])
    (top / "half.mkv").write_bytes((top / "half.mkv").read_bytes()[: 1 << 14])
    (top / "a.mp4").write_bytes(b"no film")
    (top / "notes.txt").write_text("words")
    before = {path: path.stat().st_mtime_ns for path in top.iterdir()}
    notes = Notes()
    first = frames_of(tmp_path / "root", top, notes)
    assert [name for name, _ in times(first)][:2] == ["b.mp4", "b.mp4"]
    assert any("a.mp4: cannot be read" in text for text in notes.said)
    table = (tmp_path / "root/manifests/images.parquet").read_bytes()
    frames_of(tmp_path / "root", top)
    assert (tmp_path / "root/manifests/images.parquet").read_bytes() == table
    assert {path: path.stat().st_mtime_ns for path in top.iterdir()} == before
    assert whole.is_file()


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such film"):
        frames_of(tmp_path, tmp_path / "nowhere")
    with pytest.raises(UsageError, match="needs a film"):
        scrape.run(Scrape(queries=(Query(source="video"),)), tmp_path)
    with pytest.raises(UsageError, match="did you mean 'scene'"):
        frames_of(tmp_path, tmp_path, sources={"video": {"scenes": 1}})
