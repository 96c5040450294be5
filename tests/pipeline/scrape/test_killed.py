"""A scrape that is killed at any moment and started again ends where an uninterrupted one ends."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pyarrow as pa
import pytest

from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.tables import manifest
from tests.support import ROOT
from tests.support.http_server import Site, drip, photo

SCRIPT = """
import signal
import sys
import threading
from pathlib import Path
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.core.errors import YieldError
from curate.pipeline.scrape.config import Query, Scrape

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin without it
root, host = Path(sys.argv[1]), sys.argv[2]
query = Query(source="html", site=str(root.parent / "site.yaml"), domain="things")
section = Scrape(contact="me@example.org", delay=0.0, want=18, tries=2, workers=4, queries=(query,))
scrape.run(section, root, allow=(host,))
"""


def shop(site: Site, folder: Path) -> None:
    """Three listing pages of ten items; some pictures are equal, some missing, some cut short, all a little slow."""
    free = "https://creativecommons.org/publicdomain/zero/1.0/"
    for page in range(3):
        links = "".join(f'<a class="card" href="/item/{n}">x</a>' for n in range(10 * page, 10 * page + 10))
        more = f'<a rel="next" href="/items?p={page + 2}">more</a>' if page < 2 else ""
        site.page(f"/items?p={page + 1}", links + more)
    for n in range(30):
        site.page(f"/item/{n}", f'<h1>Item {n}</h1><img src="/{n}.jpg"><a rel="license" href="{free}">free</a>')
        body = photo(n - 1 if n % 7 == 3 else n)
        if n % 5 == 4:
            site.add(f"/{n}.jpg", body[:-600])
        elif n % 6 != 5:
            site.route(f"/{n}.jpg", drip(body, 0.01, 1 + len(body) // 4))
    (folder / "site.yaml").write_text(
        f"name: shop\nstart: ['{site.url('/items?p={page}')}']\n"
        "listing: {item: a.card, next: 'a[rel=next]'}\nitem: {images: [{css: img}]}\n",
        "utf-8",
    )


def finish(root: Path, site: Site) -> None:
    """The same scrape, here and to its end."""
    query = Query(source="html", site=str(root.parent / "site.yaml"), domain="things")
    section = Scrape(contact="me@example.org", delay=0.0, want=18, tries=2, workers=4, queries=(query,))
    scrape.run(section, root, allow=(site.host,))


def started(root: Path, site: Site) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(root), site.host], cwd=ROOT)


def table(root: Path) -> pa.Table:
    return manifest.read(manifest.IMAGES, root).drop_columns(["retrieved_at"])


@pytest.mark.slow
def test_kill_at_any_moment_and_again(site: Site, tmp_path: Path) -> None:
    shop(site, tmp_path)
    calm = tmp_path / "calm"
    finish(calm, site)
    expected = table(calm)
    assert manifest.summarize(manifest.IMAGES, expected).accepted == 18
    whole = len(site.requests)

    for moment in (1, whole // 2, whole - 2):
        root = tmp_path / f"killed-at-{moment}"
        site.requests.clear()
        process = started(root, site)
        while len(site.requests) < moment and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.wait(10)
        with (root / "raw/images/journal.jsonl").open("ab") as journal:
            journal.write(b'{"event":"seen","key":"to')  # as if the last line had been torn
        finish(root, site)
        assert table(root) == expected, moment
        assert max(Counter(request.path for request in site.requests).values()) <= 2, moment
        assert not list((root / "raw/.tmp").iterdir())


@pytest.mark.slow
def test_kill_six_times_in_one_folder(site: Site, tmp_path: Path) -> None:
    shop(site, tmp_path)
    calm, root, draw = tmp_path / "calm", tmp_path / "root", random.Random(3)
    finish(calm, site)
    fetched: Counter[str] = Counter()
    under_way: Counter[str] = Counter()  # images that a kill interrupted
    for _ in range(6):
        known = journalled(root)
        site.requests.clear()
        process, until = started(root, site), draw.randrange(1, 8)
        while len(site.requests) < until and process.poll() is None:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.03))
        process.kill()
        process.wait(10)
        asked = images(site)
        assert not known & set(asked), "what is journalled is not fetched"
        fetched += asked
        under_way += Counter(set(asked) - journalled(root))
    site.requests.clear()
    finish(root, site)
    fetched += images(site)
    assert table(root) == table(calm)
    assert under_way.total() > 2, "the kills came at moments that matter"
    assert all(count <= 1 + under_way[url] for url, count in fetched.items()), "once, and once more after each kill"


DYING = """
import os, signal, sys
from curate.pipeline.scrape import journal, raw_store

_, _, _, room, name, nth, when = sys.argv
calls = 0

class Os:
    def __getattr__(self, name):
        return getattr(os, name)

def dying(*arguments):
    global calls
    calls += 1
    if calls == int(nth) and when == "half":
        os.write(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
    elif calls != int(nth) or when == "after":
        done = getattr(os, name)(*arguments)
    if calls == int(nth):
        os.kill(os.getpid(), signal.SIGKILL)
    return done

mine = Os()
setattr(mine, name, dying)
{"raw_store": raw_store, "journal": journal}[room].os = mine
"""


@pytest.mark.slow
def test_kill_at_each_moment_that_matters(site: Site, tmp_path: Path) -> None:
    """Before, within and after the writing of a file, its renaming, and the writing of its line."""
    shop(site, tmp_path)
    calm = tmp_path / "calm"
    finish(calm, site)
    expected = table(calm)
    moments = [(room, "write", when) for room in ("raw_store", "journal") for when in ("before", "half", "after")]
    for room, call, when in [*moments, ("raw_store", "rename", "before"), ("raw_store", "rename", "after")]:
        root = tmp_path / f"{room}-{call}-{when}"
        site.requests.clear()
        command = [sys.executable, "-c", DYING + SCRIPT, str(root), site.host, room, call, "5", when]
        assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
        finish(root, site)
        assert table(root) == expected, root.name
        assert max(Counter(request.path for request in site.requests).values()) <= 2, root.name
        assert not list((root / "raw/.tmp").iterdir())


def images(site: Site) -> Counter[str]:
    """How often each image was asked for since the requests were cleared."""
    return Counter(site.url(request.path) for request in site.requests if request.path.endswith(".jpg"))


def journalled(root: Path) -> set[str]:
    """The images whose fate is known."""
    journal = root / "raw/images/journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True) if journal.is_file() else []
    events = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return {event["candidate"]["image_url"] for event in events if event["event"] == "seen" and event["outcome"]}


def test_ctrl_c_leaves_a_journal_that_goes_on(site: Site, tmp_path: Path) -> None:
    shop(site, tmp_path)
    root = tmp_path / "root"
    journal, second = root / "raw/images/journal.jsonl", site.routes["/items?p=2"]
    asked, interrupted = threading.Event(), threading.Event()

    def held(handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        interrupted.wait(60)  # without this page there are too few items to be done with
        second(handler)

    site.route("/items?p=2", held)
    process = started(root, site)
    while process.poll() is None and not (asked.is_set() and journal.exists() and journal.stat().st_size):
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGINT)
    interrupted.set()
    assert process.wait(60) != 0
    assert journal.read_bytes().endswith(b"\n")
    site.route("/items?p=2", second)
    site.requests.clear()
    finish(root, site)
    assert manifest.summarize(manifest.IMAGES, table(root)).accepted == 18
    assert site.counts()["/items?p=1"] == 0
