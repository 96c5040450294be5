"""What a scrape makes of friendly and hostile sites: the table, the files, and what the sites saw of us."""

from __future__ import annotations

import errno
import gzip
import io
import json
import re
import struct
import time
import zlib
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import curate
from curate.pipeline.core.errors import BlockedError, CurateError, UsageError, YieldError
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.tables import manifest
from tests.support.fake_apis import Notes
from tests.support.http_server import Site, drawing, drip, encoded, endless, hanging_up, photo, promising, serving

QUICK = Scrape(
    contact="hanako@mine.dev",
    delay=0.0,
    allow_unknown_license=True,
    connect_timeout=2.0,
    read_timeout=2.0,
    deadline=1.5,
    max_bytes=1_000_000,
)


def section(*queries: Query, **changes: Any) -> Scrape:
    return Scrape(**{**{f: getattr(QUICK, f) for f in Scrape.__struct_fields__}, "queries": queries, **changes})


def listed(root: Path, urls: Sequence[str], name: str = "list.txt") -> Query:
    """A query of the urls source for a list of `urls`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join(urls), "utf-8")
    return Query(source="urls", input=name, domain="things")


def scraped(site: Site, root: Path, urls: Sequence[str], **changes: Any) -> dict[str, dict[str, Any]]:
    """The rows of a scrape of `urls` by path."""
    try:
        scrape.run(section(listed(root, urls), **changes), root, allow=(site.host,))
    except YieldError:  # where nothing is accepted, as is asked for here
        if "want" in changes:
            raise
    return {str(row["image_url"]).removeprefix(site.url("")): row for row in rows(root)}


def rows(root: Path) -> list[dict[str, Any]]:
    return sorted(manifest.read(manifest.IMAGES, root).to_pylist(), key=lambda row: (row["domain"], row["rank"]))


def timeless(root: Path) -> pa.Table:
    return manifest.read(manifest.IMAGES, root).drop_columns(["retrieved_at"])


def pixel_bomb() -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 14_000, 14_000, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes((14_000 // 8 + 1) * 14_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def animation() -> bytes:
    frames = [Image.fromarray(drawing(seed)) for seed in (1, 2, 3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def sideways() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(drawing(11, 300, 400), "JPEG", exif=exif)


def hostile(site: Site) -> dict[str, str]:
    """Fills `site` with every kind of answer, and returns the reason that each path should get."""
    fine, truncated = photo(1), photo(2)[:-800]
    site.add("/fine.jpg", fine, ETag='W/"v1"', Last_Modified="Mon, 02 Nov 2026 10:00:00 GMT")
    site.add("/copy.jpg", fine)
    site.add("/forbidden.jpg", status=403)
    site.add("/gone.jpg", status=410)
    site.add("/broken.jpg", status=500)
    site.add("/busy.jpg", status=429, Retry_After="0")
    site.add("/later.jpg", photo(3))
    site.sequence("/patience.jpg", "/busy.jpg", "/later.jpg")
    site.add("/down.jpg", status=503, Retry_After="soon")
    site.add("/up.jpg", photo(4))
    site.sequence("/twice.jpg", "/down.jpg", "/down.jpg", "/up.jpg")
    site.add("/never.jpg", status=429, Retry_After="99999")
    site.route("/drip.jpg", drip(photo(5), 0.2))
    site.route("/endless.jpg", endless)
    site.route("/lying.jpg", promising(photo(6), 10_000_000))
    site.route("/short.jpg", promising(photo(6), len(photo(6)) + 10))
    site.route("/silent.jpg", hanging_up)
    site.add("/gzip.jpg", gzip.compress(bytes(50_000_000)), Content_Encoding="gzip")
    site.add("/bomb.png", pixel_bomb())
    site.add("/truncated.jpg", truncated)
    site.add("/page.jpg", "<!doctype html><p>Not found</p>")
    site.add("/really-png.jpg", photo(7, "PNG"))
    site.add("/drawing.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>', mime="image/svg+xml")
    site.add("/drawing.svgz", gzip.compress(b'<svg xmlns="http://www.w3.org/2000/svg"/>'), mime="image/svg+xml")
    site.add("/to-page.jpg", status=302, Location="/page.jpg")
    site.add("/empty.jpg")
    site.add("/wink.gif", animation())
    site.add("/modern.jpg", photo(8, "WEBP"))
    site.add("/next.avif", photo(9, "AVIF"))
    site.add("/cmyk.jpg", encoded(drawing(10), "JPEG", "CMYK"))
    site.add("/deep.png", encoded((drawing(12)[..., 0].astype(np.uint16) * 257), "PNG"))
    site.add("/sideways.jpg", sideways())
    site.add("/tiny.jpg", encoded(drawing(13, 300, 100)))
    site.add("/heic.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    site.add("/loop.jpg", status=302, Location="/loop.jpg")
    site.add("/file.jpg", status=302, Location="file:///etc/passwd")
    site.add("/inside.jpg", status=302, Location="http://127.0.0.2:80/secret.jpg")
    site.add("/moved.jpg", status=301, Location="/target.jpg")
    site.add("/target.jpg", photo(14))
    site.add("/noai.jpg", photo(15), X_Robots_Tag="max-snippet: 5\nNOAI, noimageai")
    site.add("/others.jpg", photo(16), X_Robots_Tag="otherbot: noai")
    site.add("/reserved.jpg", photo(17), TDM_Reservation="1")
    site.add("/private/a.jpg", photo(18))
    site.add("/challenge.jpg", status=404)
    site.add("/robots.txt", "User-agent: *\nDisallow: /private/", mime="text/plain")
    ok = "fine patience twice really-png modern cmyk sideways moved others later up target".split()
    return {
        **{f"/{name}.jpg": "ok" for name in ok if name not in {"later", "up", "target"}},
        "/next.avif": "ok",
        "/deep.png": "ok",
        "/copy.jpg": "duplicate",
        "/forbidden.jpg": "http_4xx",
        "/gone.jpg": "http_4xx",
        "/nowhere.jpg": "http_4xx",
        "/broken.jpg": "http_5xx",
        "/busy.jpg": "http_4xx",
        "/never.jpg": "quota",
        "/drip.jpg": "too_slow",
        "/endless.jpg": "too_large",
        "/lying.jpg": "too_large",
        "/short.jpg": "network",
        "/silent.jpg": "network",
        "/gzip.jpg": "too_large",
        "/bomb.png": "bomb",
        "/truncated.jpg": "decode_failed",
        "/page.jpg": "not_image",
        "/to-page.jpg": "not_image",
        "/drawing.svg": "unsupported",
        "/drawing.svgz": "not_image",
        "/empty.jpg": "not_image",
        "/wink.gif": "animated",
        "/tiny.jpg": "too_small",
        "/heic.jpg": "decode_failed" if find_spec("pillow_heif") else "unsupported",
        "/loop.jpg": "network",
        "/file.jpg": "ssrf_blocked",
        "/inside.jpg": "ssrf_blocked",
        "/noai.jpg": "optout_header",
        "/reserved.jpg": "optout_header",
        "/private/a.jpg": "robots_denied",
    }


def test_each_kind_of_answer_gets_its_reason(site: Site, tmp_path: Path) -> None:
    expected = hostile(site)
    strange = {
        "data:image/png;base64,AAAA": "not_image",
        "ftp://example.org/a.jpg": "ssrf_blocked",
        "file:///etc/passwd": "ssrf_blocked",
        "no address at all": "bad_url",
        "http://[::1/x.jpg": "bad_url",
    }
    found = scraped(site, tmp_path, [*(site.url(path) for path in expected), *strange])
    assert {path: row["reason"] for path, row in found.items()} == expected | strange

    for path, row in found.items():
        if row["reason"] in {"ok", "duplicate"}:
            content = (tmp_path / row["path"]).read_bytes()
            assert len(content) == row["bytes"], path
            assert row["path"] == f"raw/images/{row['image_id'][:2]}/{row['image_id']}.{row['path'].rpartition('.')[2]}"
        else:
            assert row["path"] is None, path
    assert found["/really-png.jpg"]["path"].endswith(".png")
    assert found["/modern.jpg"]["path"].endswith(".webp")
    assert (found["/sideways.jpg"]["width"], found["/sideways.jpg"]["height"]) == (400, 300)
    assert found["/moved.jpg"]["final_url"] == site.url("/target.jpg")
    assert (found["/fine.jpg"]["etag"], found["/fine.jpg"]["http_status"]) == ('W/"v1"', 200)
    stored = [p for p in (tmp_path / "raw/images").rglob("*.*") if p.suffix != ".jsonl"]
    assert len(stored) == sum(row["reason"] == "ok" for row in found.values())

    asked = site.counts()
    assert asked["/robots.txt"] == 1
    assert asked["/private/a.jpg"] == 0
    assert asked["/twice.jpg"] == 3
    assert asked["/nowhere.jpg"] == asked["/forbidden.jpg"] == asked["/never.jpg"] == asked["/truncated.jpg"] == 1
    assert asked["/broken.jpg"] == asked["/short.jpg"] == QUICK.tries
    assert asked["/loop.jpg"] == 6
    assert {request.agent.split("/")[0] for request in site.requests} == {"curate"}
    assert all("(+hanako@mine.dev)" in request.agent for request in site.requests)


def test_a_second_run_asks_for_nothing_and_changes_nothing(site: Site, tmp_path: Path) -> None:
    urls = [site.url(path) for path in hostile(site)]
    first = scraped(site, tmp_path, urls)
    table, asked = (tmp_path / "manifests/images.parquet").read_bytes(), len(site.requests)
    assert scraped(site, tmp_path, urls) == first
    (tmp_path / "manifests/images.parquet").unlink()
    scraped(site, tmp_path, urls)
    assert (tmp_path / "manifests/images.parquet").read_bytes() == table
    assert len(site.requests) == asked


def test_a_new_search_adds_rows_and_fetches_only_what_is_new(site: Site, tmp_path: Path) -> None:
    urls = [site.add(f"/{n}.jpg", photo(n)) for n in range(4)]
    scraped(site, tmp_path, urls[:2])
    scrape.run(section(listed(tmp_path, urls[1:], "more.txt")), tmp_path, allow=(site.host,))
    assert [row["image_url"] for row in rows(tmp_path)] == urls
    assert set(site.counts().values()) == {1}


def test_a_lost_file_is_fetched_again(site: Site, tmp_path: Path) -> None:
    urls = [site.add(f"/{n}.jpg", photo(n)) for n in range(3)]
    found = scraped(site, tmp_path, urls)
    (tmp_path / found["/1.jpg"]["path"]).unlink()
    (tmp_path / found["/2.jpg"]["path"]).write_bytes(b"cut")
    again = scraped(site, tmp_path, urls)
    assert [row["reason"] for row in again.values()] == ["ok"] * 3
    assert (tmp_path / found["/2.jpg"]["path"]).read_bytes() == photo(2)
    assert site.counts()["/0.jpg"] == 1


@pytest.mark.parametrize(
    ("robots", "reason"),
    [
        ({"body": "User-agent: curate\nDisallow: /\n\nUser-agent: *\nAllow: /"}, "robots_denied"),
        ({"body": "\ufeffUser-agent: *\nDisallow: /"}, "robots_denied"),
        ({"body": "User-agent: other\nDisallow: /"}, "ok"),
        ({"body": "<html>not here</html>", "mime": "text/html"}, "ok"),
        ({"status": 404}, "ok"),
        ({"status": 403}, "ok"),
        ({"status": 429, "Retry_After": "0"}, "robots_unreachable"),
        ({"status": 500}, "robots_unreachable"),
        ({"status": 302, "Location": "/robots.txt"}, "robots_unreachable"),
        ({"body": "# " + "x" * 600_000 + "\nUser-agent: *\nDisallow: /"}, "ok"),
    ],
)
def test_robots_txt(site: Site, tmp_path: Path, robots: dict[str, Any], reason: str) -> None:
    site.add("/robots.txt", **{"mime": "text/plain", **robots})
    urls = [site.add(f"/{n}.jpg", photo(n)) for n in range(3)]
    assert {row["reason"] for row in scraped(site, tmp_path, urls).values()} == {reason}
    assert site.counts()["/robots.txt"] <= 6
    assert (site.counts()["/0.jpg"] == 1) == (reason == "ok")


def test_one_host_sees_few_connections_and_one_robots_request(site: Site, tmp_path: Path) -> None:
    urls = [site.route(f"/{n}.jpg", drip(photo(n)[:40], 0.01, 10)) for n in range(12)]
    scraped(site, tmp_path, urls, per_host=2, workers=8)
    assert site.peak == 2
    assert site.counts()["/robots.txt"] == 1


def test_requests_to_one_host_are_spaced(site: Site, tmp_path: Path) -> None:
    urls = [site.add(f"/{n}.jpg", photo(n)) for n in range(5)]
    scraped(site, tmp_path, urls, delay=0.1)
    began = sorted(request.began for request in site.requests)
    # 20 % of jitter at most; the server may see single requests late, but not all of them early.
    assert began[-1] - began[1] > 0.08 * (len(began) - 3)


def test_a_queue_of_pictures_costs_a_new_host_nothing_but_its_pictures(site: Site, tmp_path: Path) -> None:
    urls = [site.add(f"/{n}.jpg", photo(n)) for n in range(12)]
    query = listed(tmp_path, urls)
    done = scrape.run(section(query, delay=0.2), tmp_path, allow=(site.host,))
    began = [request.began for request in site.requests]
    first = min(request.began for request in site.requests if request.path.endswith(".jpg"))
    assert first - began[0] < 0.2  # right after robots.txt and tdmrep.json
    assert 0.8 * 0.2 * 11 < began[-1] - first < 1.2 * 0.2 * 11 + 0.5
    assert done.requests == len(site.requests) == 14


def test_a_site_that_shuts_us_out_is_asked_for_nothing_more(site: Site, tmp_path: Path) -> None:
    site.add("/robots.txt", "User-agent: *\nDisallow: /", mime="text/plain")
    urls = [site.url(f"/{n}.jpg") for n in range(200)]
    began = time.monotonic()
    assert {row["reason"] for row in scraped(site, tmp_path, urls, delay=1.0).values()} == {"robots_denied"}
    assert time.monotonic() - began < 3.0
    assert set(site.counts()) == {"/robots.txt", "/.well-known/tdmrep.json"}


def test_rules_that_stand_on_another_host_leave_both_free(site: Site, tmp_path: Path) -> None:
    with serving() as other:
        site.add("/robots.txt", status=301, Location=other.url("/rules.txt"))
        other.add("/rules.txt", "User-agent: *\nDisallow: /private/", mime="text/plain")
        urls = [one.add(f"/{n}.jpg", photo(n)) for n, one in enumerate((site, other, site, other))]
        scrape.run(section(listed(tmp_path, urls)), tmp_path, allow=(site.host, other.host))
        assert [row["reason"] for row in rows(tmp_path)] == ["ok"] * 4


def test_a_crawl_delay_slows_us_down(site: Site, tmp_path: Path) -> None:
    site.add("/robots.txt", "User-agent: *\nCrawl-delay: 0.2", mime="text/plain")
    urls = [site.add(f"/{n}.jpg", photo(n)) for n in range(3)]
    scraped(site, tmp_path, urls)
    began = sorted(request.began for request in site.requests)[1:]
    assert began[-1] - began[0] > 0.2


def test_retry_after_is_waited_for(site: Site, tmp_path: Path) -> None:
    site.add("/busy", status=429, Retry_After="1")
    site.add("/fine", photo())
    url = site.sequence("/a.jpg", "/busy", "/fine")
    assert scraped(site, tmp_path, [url])["/a.jpg"]["reason"] == "ok"
    first, second = (request.began for request in site.requests if request.path == "/a.jpg")
    assert second - first >= 1.0


def test_a_dead_host_is_left_alone_after_ten_failures(site: Site, tmp_path: Path) -> None:
    urls = [site.route(f"/{n}.jpg", hanging_up) for n in range(40)]
    found = scraped(site, tmp_path, urls, tries=1, workers=2)
    assert [row["reason"] for row in found.values()] == ["network"] * 10 + ["host_off"] * 30
    asked = len(site.requests)
    assert scraped(site, tmp_path, urls, tries=1, workers=8) == found
    assert len(site.requests) == asked


def test_want_stops_at_the_same_candidates_however_many_workers(site: Site, tmp_path: Path) -> None:
    pictures = {1: 4, 6: 5}  # equal bytes: which of two is the duplicate must not depend on timing
    for n in range(20):
        body = photo(pictures.get(n, n))
        site.add(f"/{n}.jpg", body) if n % 3 else site.route(f"/{n}.jpg", drip(body, 0.02, len(body) // 3))
    urls = [site.url(f"/{n}.jpg") for n in range(20)]
    one = scraped(site, tmp_path / "one", urls, want=7, workers=1, per_host=1)
    asked = site.counts()
    many = scraped(site, tmp_path / "many", urls, want=7, workers=8, per_host=8)
    assert timeless(tmp_path / "one") == timeless(tmp_path / "many")
    assert [row["reason"] for row in many.values()].count("ok") == 7
    assert list(one)[-1] not in {f"/{n}.jpg" for n in range(15, 20)}
    assert set(asked) - {"/robots.txt", "/.well-known/tdmrep.json"} == set(one)


def test_too_few_images_are_an_error_after_the_table_is_written(site: Site, tmp_path: Path) -> None:
    urls = [site.add("/0.jpg", photo()), site.url("/1.jpg")]
    with pytest.raises(YieldError, match=r"things: 1 of 5 images \(1 http_4xx\)"):
        scraped(site, tmp_path, urls, want=5)
    assert [row["reason"] for row in rows(tmp_path)] == ["ok", "http_4xx"]


def test_a_list_of_ones_own_needs_no_licence_but_a_stated_one_counts(site: Site, tmp_path: Path) -> None:
    root = tmp_path
    urls = [site.add(f"/{n}.jpg", photo(n)) for n in range(4)]
    stated = ["", "CC BY-SA 4.0", "https://creativecommons.org/licenses/by-nc/2.0/", "CC0"]
    (root / "list.csv").write_text(
        "URL,licence,TEXT\n" + "\n".join(f"{u},{s},写真" for u, s in zip(urls, stated)), "cp932"
    )
    query = Query(source="urls", input="list.csv", domain="things")
    scrape.run(section(query, allow_unknown_license=False), root, allow=(site.host,))
    assert [row["reason"] for row in rows(root)] == ["ok", "ok", "license", "ok"]
    assert [row["license"] for row in rows(root)] == ["unknown", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc0-1.0"]
    assert {row["title"] for row in rows(root)} == {"写真"}
    assert site.counts()["/2.jpg"] == 0
    scrape.run(section(query, licenses=("cc0", "by-nc")), root, allow=(site.host,))
    assert [row["reason"] for row in rows(root)] == ["ok", "license", "ok", "ok"]


@pytest.mark.parametrize(("given", "shown"), [(None, ""), ("  ", ""), (" me@mine.dev ", " (+me@mine.dev)")])
def test_sites_are_told_the_tool_and_whom_to_write_to(
    site: Site, tmp_path: Path, given: str | None, shown: str
) -> None:
    notes = Notes()
    query = listed(tmp_path, [site.add("/0.jpg", photo())])
    scrape.run(section(query, contact=given), tmp_path, allow=(site.host,), progress=notes)
    assert {request.agent for request in site.requests} == {f"curate/{curate.__version__}{shown}"}
    assert len([line for line in notes.said if "--contact" in line]) == (not shown)


@pytest.mark.parametrize("given", ["x", "名前@mine.dev", "nobody", "me@mine", "mine.dev\x07"])
def test_what_is_no_contact_is_refused_before_anything_is_asked(site: Site, tmp_path: Path, given: str) -> None:
    with pytest.raises(UsageError, match="contact"):
        scraped(site, tmp_path, [site.add("/0.jpg", photo())], contact=given)
    assert not site.requests


def test_a_placeholder_is_not_shown_to_the_public_web(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="placeholder"):
        scrape.run(section(listed(tmp_path, ["http://nowhere.invalid/0.jpg"]), contact="you@example.org"), tmp_path)


def test_loopback_is_refused_unless_allowed(site: Site, tmp_path: Path) -> None:
    with pytest.raises(YieldError, match=r"none of 1 candidates is accepted \(1 ssrf_blocked\)"):
        scrape.run(section(listed(tmp_path, [site.add("/0.jpg", photo())])), tmp_path)
    assert [row["reason"] for row in rows(tmp_path)] == ["ssrf_blocked"]
    assert not site.requests


def test_a_mapped_host_is_dialled_where_it_really_is(site: Site, tmp_path: Path) -> None:
    site.add("/0.jpg", photo())
    query = listed(tmp_path, ["http://demo.curate.test/0.jpg"])
    scrape.run(section(query), tmp_path, dial={"demo.curate.test": ("127.0.0.1", site.port)})
    assert [row["reason"] for row in rows(tmp_path)] == ["ok"]
    assert site.requests[-1].headers["Host"] == "demo.curate.test"


@pytest.mark.parametrize("kind", ["txt", "csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_list(site: Site, tmp_path: Path, kind: str) -> None:
    urls = [site.add(f"/{n}.jpg", photo(n)) for n in range(3)]
    path = tmp_path / f"list.{kind}"
    if kind == "txt":
        path.write_text("\ufeff# mine\n" + "\n\n".join(urls) + "\n", "utf-8")
    elif kind == "parquet":
        pq.write_table(pa.table({"image_url": urls, "creator": ["A", "B", None]}), path)
    elif kind == "jsonl":
        lines = [json.dumps({"url": u, "creator": c}) for u, c in zip(urls, ["A", "B", None])]
        path.write_text("\n".join([*lines, "{broken", "[]"]), "utf-8")
    else:
        tab = "\t" if kind == "tsv" else ","
        path.write_text("\n".join(["creator" + tab + "URL", *(f"A{tab}{u}" for u in urls)]), "utf-8-sig")
    scrape.run(section(Query(source="urls", input=str(path))), tmp_path, allow=(site.host,))
    found = rows(tmp_path)
    assert [row["reason"] for row in found][:3] == ["ok"] * 3
    assert [row["reason"] for row in found][3:] == ["bad_url"] * (2 if kind == "jsonl" else 0)
    assert {row["domain"] for row in found} == {"list"}
    assert found[0]["creator"] == (None if kind == "txt" else "A")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list.csv", "a,b\n1,2", "no column of addresses among: a, b"),
        ("list.parquet", "junk", "cannot be read as a list"),
        ("list.doc", "x", "not a kind of list"),
        (None, "", "there is no such list"),
    ],
)
def test_a_list_that_is_none_is_named(tmp_path: Path, name: str | None, text: str, message: str) -> None:
    if name:
        (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(UsageError, match=message):
        scrape.run(section(Query(source="urls", input=name or "missing.txt")), tmp_path)


def test_the_demand_may_be_limited(site: Site, tmp_path: Path) -> None:
    urls = [site.add(f"/{n}.jpg", photo(n)) for n in range(6)]
    assert len(scraped(site, tmp_path, urls, limit=4)) == 4


def test_two_scrapes_of_one_folder_refuse_each_other(site: Site, tmp_path: Path) -> None:
    from curate.pipeline.scrape.raw_store import open_store

    with open_store(tmp_path), pytest.raises(UsageError, match=r"process \d+ .* is at work there"):
        scraped(site, tmp_path, [site.add("/0.jpg", photo())])
    (tmp_path / "raw/.lock").write_text("999999999")  # what a killed process leaves
    assert scraped(site, tmp_path, [site.url("/0.jpg")])["/0.jpg"]["reason"] == "ok"


def test_a_full_disk_is_one_clear_line_and_loses_nothing(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [site.add(f"/{n}.jpg", photo(n)) for n in range(6)]
    room = iter(range(3))

    def write(path: str, data: bytes) -> int:
        if next(room, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return Path(path).write_bytes(data)

    with monkeypatch.context() as patched:
        patched.setattr("curate.pipeline.scrape.raw_store._write", write)
        with pytest.raises(CurateError, match="No space left"):
            scraped(site, tmp_path, urls, workers=1)
    stored = [n for n in range(6) if list((tmp_path / "raw/images").rglob(f"{sha256(photo(n)).hexdigest()}.jpg"))]
    assert [row["reason"] for row in scraped(site, tmp_path, urls).values()] == ["ok"] * 6
    assert len(stored) == 3
    assert {site.counts()[f"/{n}.jpg"] for n in stored} == {1}


def test_a_journal_that_was_tampered_with_names_its_line(site: Site, tmp_path: Path) -> None:
    urls = [site.add(f"/{n}.jpg", photo(n)) for n in range(2)]
    scraped(site, tmp_path, urls)
    journal = tmp_path / "raw/images/journal.jsonl"
    lines = journal.read_text("utf-8").splitlines(keepends=True)
    journal.write_text("".join([lines[0], "{}\n", *lines[1:]]), "utf-8")
    with pytest.raises(CurateError, match=r"journal\.jsonl:2: not a line of a journal"):
        scraped(site, tmp_path, urls)


def test_a_journal_names_no_picture_outside_of_its_folder(site: Site, tmp_path: Path) -> None:
    site.add("/a.jpg", photo(1))
    [row] = scraped(site, tmp_path, [site.url("/a.jpg")]).values()
    (tmp_path / "decoy.jpg").write_bytes(photo(1))
    journal = tmp_path / "raw/images/journal.jsonl"
    text = re.sub(r',"crc":"[0-9a-f]{8}"', "", journal.read_text())  # a stranger would say the right one
    journal.write_text(text.replace(row["path"], "decoy.jpg"))
    assert [one["path"] for one in scraped(site, tmp_path, [site.url("/a.jpg")]).values()] == [row["path"]]


def test_a_source_with_a_typo_and_no_query_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'urls'"):
        scrape.run(section(Query(source="url")), tmp_path)
    with pytest.raises(UsageError, match="nothing to look for"):
        scrape.run(section(), tmp_path)


def test_what_belongs_to_no_root_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file where a folder should be")
    with pytest.raises(CurateError, match="cannot write"):
        scrape.run(section(listed(tmp_path, ["http://x.example/a.jpg"])), tmp_path)


def test_a_listing_that_cannot_be_read_keeps_what_was_found(site: Site, tmp_path: Path) -> None:
    query = html_site(site, tmp_path)
    del site.routes["/items?p=2"]
    with pytest.raises(BlockedError, match="a listing could not be read"):
        scrape.run(section(query), tmp_path, allow=(site.host,))
    assert [row["title"] for row in rows(tmp_path)] == ["Item 0", "Item 1"]
    html_site(site, tmp_path)
    scrape.run(section(query), tmp_path, allow=(site.host,))
    assert [row["title"] for row in rows(tmp_path)] == ["Item 0", "Item 1", "Item 2", "Item 3"]
    assert site.counts()["/items?p=1"] == site.counts()["/item/0"] == site.counts()["/0.jpg"] == 1


def html_site(site: Site, root: Path) -> Query:
    """Two listing pages of two items with one picture each."""
    for page in (1, 2):
        links = "".join(f'<a class="card" href="/item/{n}">x</a>' for n in (2 * page - 2, 2 * page - 1))
        more = '<a rel="next" href="/items?p=2">more</a>' if page == 1 else ""
        site.page(f"/items?p={page}", f"<html><body>{links}{more}</body></html>")
    for n in range(4):
        site.page(f"/item/{n}", f'<h1>Item {n}</h1><img src="/{n}.jpg"><a rel="license" href="{CC0}">free</a>')
        site.add(f"/{n}.jpg", photo(n))
    (root / "site.yaml").write_text(
        f"name: shop\nstart: ['{site.url('/items?p={page}')}']\n"
        "listing: {item: a.card, next: 'a[rel=next]'}\nitem: {images: [{css: img}]}\n",
        "utf-8",
    )
    return Query(source="html", site="site.yaml", domain="things")


CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
