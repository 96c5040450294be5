"""The data half on real photos, served by a plain web server, in an otherwise empty folder."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from curate.pipeline.tables import manifest
from tests.support.command import curate

SITE = """\
name: plain
allowed_hosts: ["127.0.0.1:{port}"]
start: ["http://127.0.0.1:{port}/{{query}}.html"]
delay: 0
listing: {{item: "img"}}
item: {{}}
"""
PARAMS = "crop: {domains: {anime: {detector: anime}}}\nengine: {kind: inline}\n"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def site(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a plain file server over real photos, with a listing page per domain."""
    folder = tmp_path_factory.mktemp("site")
    pages = {
        "portraits": sorted((data / "portraits_gray").rglob("*.jpg"))[::3],
        "anime": sorted(p for top in ("anime_generated", "anime_renpy") for p in (data / top).rglob("*.[jp][pn]g")),
        "broken": sorted((data / "imagededup").rglob("*.jpg")),
    }
    for name, photos in pages.items():
        assert photos, name
        lines = []
        for photo in photos:
            place = folder / name / photo.relative_to(data)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(photo)
            lines.append(f'<img src="/{quote(str(place.relative_to(folder)))}" alt="">')
        (folder / f"{name}.html").write_text(f"<!doctype html><title>{name}</title>{''.join(lines)}", "utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_real_photos_go_the_road(site: int, cascade: Path, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE.format(port=site), "utf-8")
    common = ["--root", tmp_path, "--allow-net", f"127.0.0.1:{site}", "--contact", "tests@example.org"]
    for domain in ("portraits", "anime", "broken"):
        curate(
            *("scrape", "--source", "html", "--site", tmp_path / "site.yaml", "--query", domain, "--domain", domain),
            *("--min-side", "150", "--allow-unknown-license"),
            *common,
        )
    (tmp_path / "params.yaml").write_text(PARAMS, "utf-8")
    for command in ("crop", "dedup", "build", "stats"):
        curate(command, "--root", tmp_path)

    images = manifest.read(manifest.IMAGES, tmp_path).to_pylist()
    assert [row["reason"] for row in images if "corrupt" in row["image_url"]] == ["not_image"]  # noise all through
    found = {row["image_id"]: row["domain"] for row in images if row["status"] == manifest.ACCEPTED}
    cut = {row["image_id"] for row in manifest.accepted(manifest.read(manifest.CROPS, tmp_path)).to_pylist()}
    share = {
        domain: sum(i in cut for i, d in found.items() if d == domain) / sum(d == domain for d in found.values())
        for domain in ("portraits", "anime")
    }
    assert share["portraits"] >= 0.95
    assert share["anime"] >= 0.80
