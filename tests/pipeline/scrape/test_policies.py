"""What the user may permit: animations, pictures in data: URLs, licences."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path

import pytest

from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging import codec
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.data_urls import LARGEST
from curate.pipeline.tables import manifest
from tests.pipeline.scrape.test_stage import animation, rows, scraped, section
from tests.support.command import curate
from tests.support.http_server import Site, photo


def inline(data: bytes, kind: str = "image/jpeg") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def test_an_animation_gives_its_first_frame_where_that_is_wanted(site: Site, tmp_path: Path) -> None:
    urls = [site.add("/wink.gif", animation(), mime="image/gif"), site.add("/still.jpg", photo(1))]
    refused = scraped(site, tmp_path, urls, min_side=8)
    assert [refused[path]["reason"] for path in ("/wink.gif", "/still.jpg")] == ["animated", "ok"]
    taken = scraped(site, tmp_path, urls, min_side=8, animated="first")["/wink.gif"]
    assert (taken["reason"], json.loads(taken["extra"])["animated"]) == ("ok", True)
    data = (tmp_path / taken["path"]).read_bytes()
    assert data == animation(), "stored as received"
    assert codec.decode(data).shape == (taken["height"], taken["width"], 3)
    assert scraped(site, tmp_path, urls, min_side=8)["/wink.gif"]["reason"] == "animated"
    assert site.counts()["/still.jpg"] == 1, "what the policy is not about is not fetched again"


def test_data_urls_where_they_are_allowed(site: Site, tmp_path: Path) -> None:
    good, small = photo(1), b"GIF89a" + bytes(20)
    urls = {
        inline(good): "ok",
        inline(photo(2)).replace("+", "%2B"): "ok",
        inline(good, "text/html"): "",  # the same bytes have the same name, so one row
        inline(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"): "unsupported",
        inline(small, "image/gif"): "decode_failed",
        "data:image/png,plain": "bad_url",
        "data:image/png;base64,!!!": "bad_url",
        inline(b"\xff\xd8\xff" + bytes(LARGEST)): "too_large",
        inline(b"\xff\xd8\xff" + bytes(3 * LARGEST)): "too_large",
    }
    expected = [reason for reason in urls.values() if reason]
    for _ in range(2):  # the second time from the journal
        scraped(site, tmp_path, list(urls), allow_data_urls=True)
        found = rows(tmp_path)
        assert [row["reason"] for row in found] == expected
        assert all(row["image_url"].startswith("data:sha256:") and len(row["image_url"]) == 76 for row in found)
    assert found[0]["image_url"] == f"data:sha256:{sha256(good).hexdigest()}"
    assert (tmp_path / found[0]["path"]).read_bytes() == good
    assert not site.requests
    scraped(site, tmp_path, list(urls))
    assert {row["reason"] for row in rows(tmp_path)} == {"not_image"}, "a placeholder, unless the user says otherwise"


def test_licences_from_the_command_line(site: Site, tmp_path: Path) -> None:
    stated = ["CC BY 4.0", "CC BY-NC 4.0", "CC0 1.0", "CC BY-NC-ND 4.0"]
    site_ = f"name: shop\nterms_checked: 2026-11-01\nallowed_hosts: [{site.host}]\nstart: ['{site.url('/list')}']\n"
    (tmp_path / "site.yaml").write_text(
        site_ + "listing: {item: a}\nitem: {license: {css: p}, images: [{css: img}]}\n", "utf-8"
    )
    (tmp_path / "params.yaml").write_text("scrape: {delay: 0}\n")
    site.page("/list", "".join(f'<a href="/item/{n}">x</a>' for n in range(4)))
    for n, text in enumerate(stated):
        site.page(f"/item/{n}", f'<p>{text}</p><img src="/{n}.jpg">')
        site.add(f"/{n}.jpg", photo(n))
    command = ["scrape", "--root", str(tmp_path), "--source", "html", "--site", str(tmp_path / "site.yaml")]
    command += ["--contact", "me@example.org", "--allow-net", site.host]
    for flags, accepted in (([], {0, 2}), (["--license", "by-nc", "--license", "by"], {0, 1})):
        curate(*command, *flags)
        table = manifest.accepted(manifest.read(manifest.IMAGES, tmp_path))
        assert set(table["image_url"].to_pylist()) == {site.url(f"/{n}.jpg") for n in accepted}
    wrong = curate(*command, "--license", "by-nx", code=2)
    assert "did you mean 'by-n" in wrong.stderr


def test_a_policy_that_is_none(tmp_path: Path) -> None:
    done = curate("scrape", "--root", str(tmp_path), "--query", "x", "--animated", "last", code=2)
    assert "animated" in done.stderr and "last" in done.stderr
    with pytest.raises(UsageError, match="no licence 'mit'"):
        scrape.run(section(Query(query="x"), licenses=("mit",)), tmp_path)
