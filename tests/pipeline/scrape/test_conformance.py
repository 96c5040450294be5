"""The command as a user types it, with every default but the pause, against a server that does everything wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from curate.pipeline.tables import manifest
from tests.pipeline.scrape.test_stage import animation, pixel_bomb, sideways
from tests.support.command import curate
from tests.support.http_server import Site, drawing, drip, encoded, endless, photo, promising, serving


def hostile(site: Site) -> dict[str, str]:
    """Fills `site`, and returns the reason that each path should get."""
    fine = photo(1)
    site.add("/robots.txt", "User-agent: *\nDisallow: /private/", mime="text/plain")
    site.add("/busy", status=429, Retry_After="2")
    site.add("/down", status=503)
    site.sequence("/429.jpg", "/busy", "/late.jpg")
    site.sequence("/503.jpg", "/down", "/down", "/up.jpg")
    site.add("/late.jpg", photo(2))
    site.add("/up.jpg", photo(3))
    site.add("/fine.jpg", fine)
    site.add("/410.jpg", status=410)
    site.add("/403.jpg", status=403)
    site.route("/drip.jpg", drip(photo(4), 0.5))
    site.route("/endless.jpg", endless)
    site.route("/lying.jpg", promising(photo(5), len(photo(5)) + 100))
    site.add("/gzip.jpg", gzip.compress(bytes(50_000_000)), Content_Encoding="gzip")
    site.add("/bomb.png", pixel_bomb(), mime="image/png")
    site.add("/truncated.jpg", photo(6)[:-700])
    site.add("/page.jpg", "<!doctype html><p>Not found</p>", mime="text/html")
    site.add("/png.jpg", photo(7, "PNG"))
    site.add("/drawing.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>', mime="image/svg+xml")
    site.add("/animated.gif", animation(), mime="image/gif")
    site.add("/modern.webp", photo(8, "WEBP"), mime="image/webp")
    site.add("/next.avif", photo(9, "AVIF"), mime="image/avif")
    site.add("/cmyk.jpg", encoded(drawing(10), "JPEG", "CMYK"))
    site.add("/deep.png", encoded((drawing(11)[..., 0].astype(np.uint16) * 257), "PNG"), mime="image/png")
    site.add("/sideways.jpg", sideways())
    site.add("/copy.jpg", fine)
    site.add("/loop.jpg", status=302, Location="/loop.jpg")
    site.add("/inside.jpg", status=302, Location="http://10.0.0.1/secret.jpg")
    site.add("/metadata.jpg", status=302, Location="http://169.254.169.254/latest/meta-data")
    site.add("/file.jpg", status=302, Location="file:///etc/passwd")
    site.add("/noai.jpg", photo(12), X_Robots_Tag="noai")
    site.add("/others.jpg", photo(13), X_Robots_Tag="otherbot: noai")
    site.add("/private/a.jpg", photo(14))
    site.add("/reserved.jpg", photo(15), TDM_Reservation="1")
    ok = "fine.jpg 429.jpg 503.jpg png.jpg modern.webp next.avif cmyk.jpg deep.png sideways.jpg others.jpg"
    return {
        **{f"/{name}": "ok" for name in ok.split()},
        "/404.jpg": "http_4xx",
        "/410.jpg": "http_4xx",
        "/403.jpg": "http_4xx",
        "/drip.jpg": "too_slow",
        "/endless.jpg": "too_large",
        "/lying.jpg": "network",
        "/gzip.jpg": "too_large",
        "/bomb.png": "bomb",
        "/truncated.jpg": "decode_failed",
        "/page.jpg": "not_image",
        "/drawing.svg": "unsupported",
        "/animated.gif": "animated",
        "/copy.jpg": "duplicate",
        "/loop.jpg": "network",
        "/inside.jpg": "ssrf_blocked",
        "/metadata.jpg": "ssrf_blocked",
        "/file.jpg": "ssrf_blocked",
        "/noai.jpg": "optout_header",
        "/private/a.jpg": "robots_denied",
        "/reserved.jpg": "optout_header",
    }


@pytest.mark.slow
def test_every_answer_of_a_hostile_server_gets_its_row(site: Site, tmp_path: Path) -> None:
    with serving() as sick:
        sick.add("/robots.txt", status=500)
        sick.add("/a.jpg", photo(16))
        data = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
        expected = {site.url(path): reason for path, reason in hostile(site).items()}
        expected |= {sick.url("/a.jpg"): "robots_unreachable", data: "not_image"}
        list_ = tmp_path / "list.txt"
        list_.write_text("\n".join(expected), "utf-8")
        (tmp_path / "params.yaml").write_text("scrape: {delay: 0.05}\n")  # politeness has its own tests
        command = ["scrape", "--root", str(tmp_path), "--source", "urls", "--input", str(list_)]
        command += ["--contact", "me@example.org", "--allow-net", site.host, "--allow-net", sick.host]
        curate(*command)
        rows = {row["image_url"]: row for row in manifest.read(manifest.IMAGES, tmp_path).to_pylist()}
        assert {url: row["reason"] for url, row in rows.items()} == expected
        for row in rows.values():
            assert row["status"] == ("accepted" if row["reason"] == "ok" else "rejected")
        assert sick.counts()["/a.jpg"] == site.counts()["/private/a.jpg"] == 0

        asked = len(site.requests) + len(sick.requests)
        curate(*command)
        assert len(site.requests) + len(sick.requests) == asked
