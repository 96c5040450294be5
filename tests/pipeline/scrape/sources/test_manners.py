"""What is peculiar to one source: its errors, its ways through a list, what it says about a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.core.errors import AuthError, BlockedError, UsageError, YieldError
from curate.pipeline.scrape.config import Query
from tests.support.fake_apis import KEY, Notes, Params, Reply, collected, item, openverse_page, stand_in
from tests.support.http_server import Site, serving


def extra(row: dict[str, Any]) -> dict[str, Any]:
    return json.loads(row["extra"])


@pytest.mark.parametrize(
    ("detail", "pages"),
    [("pagination depth may not exceed 240 for anonymous requests", 12), ("page_size may not exceed 20", 2)],
)
def test_openverse_ends_where_it_may_not_be_asked_deeper(site: Site, tmp_path: Path, detail: str, pages: int) -> None:
    stand = stand_in(site, "openverse")

    def answer(params: Params) -> Any:
        if int(params["page"]) > pages - 1:
            return Reply({"detail": detail}, 401)
        return openverse_page([item(stand, int(params["page"]))], params, 99)

    stand.also("/v1/images/", answer)
    assert len(collected(stand, tmp_path)) == pages - 1
    assert len(stand.asked) == pages


def test_openverse_with_a_key_that_counts_for_nothing_yet(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURATE_OPENVERSE_KEY", "token-1")
    stand = stand_in(site, "openverse")

    def answer(params: Params) -> Any:
        if params["page_size"] == "50":
            return Reply({"detail": "page_size may not exceed 20 for anonymous requests"}, 401)
        if params["page"] == "2":
            return Reply({"detail": "Token has expired"}, 401)
        return openverse_page([item(stand, 1)], params, 5)

    stand.also("/v1/images/", answer)
    with pytest.raises(AuthError, match="expired"):  # what was found before is in the table
        collected(stand, tmp_path)
    assert [(p["page_size"], p["page"]) for p in stand.asked] == [("50", "1"), ("20", "1"), ("20", "2")]
    assert {headers["Authorization"] for headers in stand.headers} == {"Bearer token-1"}
    assert (tmp_path / "manifests/images.parquet").is_file()


def test_openverse_passes_over_what_is_not_for_everybody(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "openverse", lambda stand: [[item(stand, 1, mature=True), item(stand, 2)]])
    assert len(collected(stand, tmp_path)) == 1
    assert "mature" not in stand.asked[0]
    assert site.counts()["/img/1.jpg"] == 0


def test_commons_by_relevance_with_plain_names(site: Site, tmp_path: Path) -> None:
    def pages(stand: Any) -> list[list[dict[str, Any]]]:
        bare = {"LicenseUrl": None, "Restrictions": None, "Artist": None}
        drawing = item(stand, 4, info={"mime": "image/svg+xml"})
        missing = {"pageid": 5, "title": "File:Gone.jpg", "index": 5, "filemissing": True}
        return [[item(stand, 3), item(stand, 1), item(stand, 2, metadata=bare), drawing, missing]]

    found = collected(stand_in(site, "commons", pages), tmp_path)
    assert [row["title"] for row in found] == ["Hair1", "Hair2", "Hair3"]
    assert [row["creator"] for row in found] == ["Hanako & Rei", "Up", "Hanako & Rei"]
    assert [row["license_url"] is None for row in found] == [False, True, False]
    assert {row["license"] for row in found} == {"cc-by-sa-4.0"}
    assert extra(found[0])["creator_url"] == "https://wiki.example/wiki/User:H"
    assert [extra(row).get("restrictions") for row in found] == ["personality", None, "personality"]


def test_commons_takes_the_given_reduction_of_what_is_too_large(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "commons", lambda stand: [[item(stand, 1)]])
    (row,) = collected(stand, tmp_path, sources={"commons": {"max_side": 2000}})
    assert row["image_url"].endswith("/img/1001.jpg")
    assert extra(row)["claimed_width"] == 1280


def test_commons_waits_for_facts_that_come_with_the_next_answer(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "commons")

    def answer(params: Params) -> Any:
        if "iicontinue" not in params:
            late = {key: value for key, value in item(stand, 1).items() if key != "imageinfo"}
            more = {"iicontinue": "Hair1.jpg|2019", "continue": "||"}
            return {"continue": more, "query": {"pages": [late, item(stand, 2)]}}
        late = {"pageid": 9001, "ns": 6, "title": "File:Hair1.jpg", "imageinfo": item(stand, 1)["imageinfo"]}
        return {"batchcomplete": True, "query": {"pages": [late]}}

    stand.also("/w/api.php", answer)
    assert [row["title"] for row in collected(stand, tmp_path)] == ["Hair1", "Hair2"]
    assert stand.asked[1]["iicontinue"] == "Hair1.jpg|2019"


@pytest.mark.parametrize("code", ["maxlag", "ratelimited", "internal_api_error_DBQueryError"])
def test_commons_may_be_busy_in_a_200(site: Site, tmp_path: Path, code: str) -> None:
    stand = stand_in(site, "commons", lambda stand: [[item(stand, 1)]])
    busy = Reply({"error": {"code": code, "info": "later", "lag": 7}}, headers={"Retry-After": "0"})
    answers = [busy, busy]
    stand.also("/w/api.php", lambda params: answers.pop() if answers else stand.pages(params))
    assert len(collected(stand, tmp_path)) == 1
    assert len(stand.asked) == 3


def test_commons_may_refuse_in_a_200(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "commons")
    stand.also("/w/api.php", lambda params: {"error": {"code": "missingparam", "info": "no gsrsearch"}})
    with pytest.raises(BlockedError, match="commons: missingparam: no gsrsearch"):
        collected(stand, tmp_path)
    assert len(stand.asked) == 1


def test_flickr_licences_are_looked_up_and_checked_on_each_photo(site: Site, tmp_path: Path) -> None:
    def pages(stand: Any) -> list[list[dict[str, Any]]]:
        small = {"url_c": stand.image(9), "width_c": "800", "height_c": 533}
        licences = [item(stand, n, license=licence) for n, licence in enumerate(["11", "0", "12", 4])]
        return [[*licences, item(stand, 5, **small), item(stand, 6, media="video"), item(stand, 7, url_l=None)]]

    stand = stand_in(site, "flickr", pages)
    found = collected(stand, tmp_path, sources={"flickr": {"max_side": 900}})
    assert stand.asked[1]["license"] == "4,7,11"
    assert "licence" not in stand.asked[1]
    assert [row["image_url"].rpartition("/")[2] for row in found] == ["9.jpg"]
    found = collected(stand, tmp_path / "all")
    assert [row["license"] for row in found[:4]] == ["cc-by-4.0", "all-rights-reserved", "cc-by-nc-4.0", "cc-by-2.0"]
    assert [row["reason"] for row in found] == ["ok", "license", "license", "ok", "ok"]
    assert found[0]["page_url"] == "https://www.flickr.com/photos/1@N00/500"


@pytest.mark.parametrize(
    ("code", "error"), [(100, AuthError), (98, AuthError), (1, BlockedError), (3, YieldError), (105, BlockedError)]
)
def test_flickr_fails_in_a_200(site: Site, tmp_path: Path, code: int, error: type[Exception]) -> None:
    stand = stand_in(site, "flickr")

    def answer(params: Params) -> Any:
        if "text" not in params:
            return stand.pages(params)
        return {"stat": "fail", "code": code, "message": "Sorry"}

    stand.also("/services/rest/", answer)
    said = "nothing is found for 'hair'" if error is YieldError else ".*Sorry"  # 3: there is nothing of that kind
    with pytest.raises(error, match=f"flickr: {said}"):
        collected(stand, tmp_path, tries=3)
    assert len([p for p in stand.asked if "text" in p]) == (3 if code == 105 else 1)


def test_flickr_without_its_list_of_licences(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "flickr", lambda stand: [[item(stand, 1)]])
    stand.also("/services/rest/", lambda params: stand.pages(params) if "text" in params else Reply("gone", 404))
    assert [row["license"] for row in collected(stand, tmp_path)] == ["cc-by-2.0"]
    assert stand.asked[-1]["license"] == "4,5,7,8,9,10"


def test_pixabay_speaks_plain_text(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "pixabay", lambda stand: [[item(stand, 1)], [item(stand, 2)]])
    range_ = Reply('[ERROR 400] "page" is out of valid range.', 400)
    stand.also("/api/", lambda params: range_ if params["page"] == "2" else stand.pages(params))
    assert len(collected(stand, tmp_path, "水着", sources={"pixabay": {"page_size": 3}})) == 1
    assert stand.asked[0]["lang"] == "ja"
    stand.also("/api/", lambda params: Reply("[ERROR 400] Invalid or missing API key.", 400))
    with pytest.raises(AuthError, match="Invalid or missing API key"):
        collected(stand, tmp_path / "other")
    assert "lang" not in stand.asked[-1]


def test_pixabay_takes_no_more_than_its_terms_wish(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "pixabay", lambda stand: [[item(stand, n) for n in range(6)]])
    notes = Notes()
    assert len(collected(stand, tmp_path, notes=notes, sources={"pixabay": {"per_run": 4}})) == 4
    assert any("4 results per run" in text for text in notes.said)


def test_pexels_follows_no_other_host(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "pexels")
    away = "https://elsewhere.example/v1/search?page=2"
    stand.also("/v1/search", lambda params: {"photos": [item(stand, 1)], "next_page": away})
    assert len(collected(stand, tmp_path)) == 1
    assert stand.headers[0]["Authorization"] == KEY


def test_a_key_stays_through_a_redirect_on_its_own_host(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "pixabay", lambda stand: [[item(stand, 1)]])
    stand.also("/old/api/", lambda params: Reply("", 302, {"Location": "/pixabay/api/?page=1&per_page=100&q=hair"}))
    query = Query(source="pixabay", query="hair", base_url=stand.base + "/old")
    assert len(collected(stand, tmp_path, queries=(query,))) == 1
    assert [params["key"] for params in stand.asked] == [KEY, KEY]


def test_a_key_does_not_follow_a_redirect_to_another_host(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "flickr", lambda stand: [[item(stand, 1)]])
    with serving() as other:
        there = stand_in(other, "flickr", lambda stand: [[item(stand, 1)]])

        def away(params: Params) -> Any:
            query = "&".join(f"{name}={value}" for name, value in params.items() if name in {"api_key", "page"})
            return Reply("", 302, {"Location": f"{there.base}/services/rest/?method=x.search&{query}"})

        stand.also("/services/rest/", away)
        assert len(collected(stand, tmp_path, allow=(other.host,))) == 1
        assert there.asked
        assert "s3cr3t" not in str(other.requests)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('<?xml version="1.0"?><response success="false" reason="Search error: too many tags"/>', BlockedError),
        ("<error>Missing authentication. Go to api.example</error>", AuthError),
    ],
)
def test_safebooru_fails_in_xml_with_a_200(site: Site, tmp_path: Path, body: str, error: type[Exception]) -> None:
    stand = stand_in(site, "safebooru")
    stand.also("/index.php", lambda params: Reply(body, headers={"Content-Type": "text/xml"}))
    with pytest.raises(error, match="safebooru"):
        collected(stand, tmp_path)


def test_boards_take_still_pictures_for_everybody(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_SAFEBOORU_KEY", "77:sesame-open")

    def pages(stand: Any) -> list[list[dict[str, Any]]]:
        others = [
            item(stand, 1, rating="explicit"),
            item(stand, 2, tags="solo loli"),
            item(stand, 3, image="a.webm"),
            item(stand, 4, file_url=None),
            item(stand, 5, directory="12/34", file_url=f"//{site.host}/5.jpg"),
        ]
        return [others]

    stand = stand_in(site, "safebooru", pages)
    found = collected(stand, tmp_path, "ｌｏｎｇ＿ｈａｉｒ　solo")
    assert stand.asked[0]["tags"] == "long_hair solo"
    assert (stand.asked[0]["user_id"], stand.asked[0]["api_key"]) == ("77", "sesame-open")
    assert [row["image_url"] for row in found] == [
        site.url("/safebooru/images/344/ab4.jpg"),
        f"https://{site.host}/5.jpg",
    ]
    assert found[0]["reason"] == "ok"
    assert extra(found[0])["rating"] == "general"


def test_danbooru_searches_two_tags_and_looks_for_the_rest(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURATE_DANBOORU_KEY", "mika:sesame-open")

    def pages(stand: Any) -> list[list[dict[str, Any]]]:
        others = [
            item(stand, 9, tag_string="long_hair solo"),
            item(stand, 8),
            item(stand, 7, file_url=None),
            item(stand, 6, rating="q"),
            item(stand, 5, file_ext="zip"),
            item(stand, 4, is_banned=True),
        ]
        return [others, [item(stand, 3, file_url=None)], [item(stand, 2)]]

    stand = stand_in(site, "danbooru", pages)
    found = collected(stand, tmp_path, "long_hair solo mika_(artist)")
    assert [row["page_url"].rpartition("/")[2] for row in found] == ["8", "2"]
    assert [params.get("page") for params in stand.asked] == [None, "b4", "b3", "b2"]
    assert {params["tags"] for params in stand.asked} == {"long_hair solo"}
    assert {headers["Authorization"] for headers in stand.headers} == {"Basic bWlrYTpzZXNhbWUtb3Blbg=="}
    assert found[0]["creator"] == "mika_(artist)"


def test_danbooru_shows_the_tag_for_a_word_but_does_not_choose_it(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "danbooru")
    stand.also("/autocomplete.json", lambda params: [{"label": "long hair", "value": "long_hair"}])
    notes = Notes()
    with pytest.raises(YieldError, match="danbooru: nothing is found for 'ロングヘア'"):
        collected(stand, tmp_path, "ロングヘア", notes)
    assert any("long_hair" in text and "scrape.map" in text for text in notes.said)
    assert [params.get("tags") for params in stand.asked] == ["ロングヘア", None]


def test_danbooru_refuses_too_many_tags(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "danbooru")
    refusal = {"success": False, "error": "PostQuery::TagLimitError", "message": "You cannot search for more than 2"}
    stand.also("/posts.json", lambda params: Reply(refusal, 422))
    with pytest.raises(UsageError, match="cannot search for more than 2"):
        collected(stand, tmp_path)
    stand.also("/posts.json", lambda params: {"success": False, "message": "You can only view up to 1000 pages"})
    with pytest.raises(BlockedError, match="only view up to 1000 pages"):
        collected(stand, tmp_path / "other")


def test_bing_counts_what_it_saw_and_gives_up_on_repeats(site: Site, tmp_path: Path) -> None:
    def pages(stand: Any) -> list[list[dict[str, Any]]]:
        first = [item(stand, 1), item(stand, 2)]
        return [first, first, [item(stand, 3), item(stand, 1)], first, first, [item(stand, 4), item(stand, 5)]]

    stand = stand_in(site, "bing", pages)
    found = collected(stand, tmp_path)
    assert [params["first"] for params in stand.asked] == ["1", "3", "5", "7", "9"]
    assert [row["title"] for row in found] == ['a "quoted" title'] * 3
    assert {params["adlt"] for params in stand.asked} == {"strict"}
