"""Openverse against a local server that answers like it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from curate.pipeline.core.errors import BlockedError, QuotaError, UsageError
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.tables import manifest
from tests.support.http_server import Site, photo


def result(site: Site, number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"id-{number}",
        "title": f"Long hair {number}",
        "url": site.add(f"/img/{number}.jpg", photo(number)),
        "foreign_landing_url": f"https://photos.example/p/{number}",
        "creator": "Mika",
        "license": "by-sa",
        "license_version": "2.0",
        "license_url": "https://creativecommons.org/licenses/by-sa/2.0/",
        "mature": False,
        "width": 300,
        "height": 280,
        **changes,
    }


def api(site: Site, text: str, pages: list[list[dict[str, Any]]]) -> None:
    sent = {"q": text, "license": "cc0,pdm,by,by-sa", "page_size": "20"}

    def answer(handler: Any) -> None:
        asked = {key: values[0] for key, values in parse_qs(urlsplit(handler.path).query).items()}
        page = int(asked.pop("page"))
        assert asked == sent
        body = json.dumps(
            {"result_count": 99, "page_count": len(pages), "results": pages[page - 1], "new": {}}
        ).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    from urllib.parse import urlencode

    for page in range(1, len(pages) + 1):
        query = urlencode({"q": text, "license": "cc0,pdm,by,by-sa", "page": page, "page_size": 20})
        site.route(f"/v1/images/?{query}", answer)


def collected(site: Site, root: Path, text: str | None, **changes: Any) -> list[dict[str, Any]]:
    query = Query(query=text, base_url=site.url(""))
    section = Scrape(**{"contact": "me@example.org", "delay": 0.0, "queries": (query,), **changes})
    scrape.run(section, root, allow=(site.host,))
    return sorted(manifest.read(manifest.IMAGES, root).to_pylist(), key=lambda row: row["rank"])


@pytest.mark.parametrize("text", ["ロングヘア", "ロングヘア & ショート #1", "ﾛﾝｸﾞ", "💇"])
def test_a_query_arrives_as_it_was_typed(site: Site, tmp_path: Path, text: str) -> None:
    sensitive = result(site, 9, mature=True)
    pages = [
        [result(site, 1), {"id": "broken"}, sensitive],
        [result(site, 2, license="cc0", license_version="1.0", license_url=None)],
    ]
    api(site, text, pages)
    rows = collected(site, tmp_path, text)
    assert [row["reason"] for row in rows] == ["ok", "ok"]
    assert [row["license"] for row in rows] == ["cc-by-sa-2.0", "cc0-1.0"]
    assert {(row["query"], row["domain"], row["creator"]) for row in rows} == {(text, text, "Mika")}
    assert rows[0]["page_url"] == "https://photos.example/p/1"
    assert site.counts()["/img/9.jpg"] == 0


def test_it_stops_asking_when_enough_is_accepted(site: Site, tmp_path: Path) -> None:
    api(site, "hair", [[result(site, n) for n in range(20)], [result(site, n) for n in range(20, 40)]])
    rows = collected(site, tmp_path, "hair", want=5)
    assert [row["reason"] for row in rows] == ["ok"] * 5
    assert len([path for path in site.counts() if path.startswith("/v1/")]) == 1


def test_a_quota_that_is_used_up_says_so_and_keeps_what_was_found(site: Site, tmp_path: Path) -> None:
    api(site, "hair", [[result(site, 1)], [result(site, 2)]])
    second = next(path for path in site.routes if "page=2" in path)
    site.add(second, "{}", status=429, Retry_After="50000")
    with pytest.raises(QuotaError):
        collected(site, tmp_path, "hair")
    assert manifest.read(manifest.IMAGES, tmp_path).num_rows == 1
    api(site, "hair", [[result(site, 1)], [result(site, 2)]])
    assert len(collected(site, tmp_path, "hair")) == 2
    assert site.counts()["/img/1.jpg"] == 1


@pytest.mark.parametrize("body", ["<html>maintenance</html>", "[]", '{"results": 7}', ""])
def test_an_answer_of_another_shape_is_said_to_be_one(site: Site, tmp_path: Path, body: str) -> None:
    api(site, "hair", [[]])
    site.add(next(iter(path for path in site.routes if path.startswith("/v1/"))), body, mime="application/json")
    with pytest.raises(BlockedError, match="openverse"):
        collected(site, tmp_path, "hair")


def test_without_a_query_it_says_so(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--query"):
        collected(site, tmp_path, None)
