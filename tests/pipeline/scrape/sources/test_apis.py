"""Every source with an interface, against a stand-in that answers like it: what it is asked, and what is made of it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.core.errors import AuthError, BlockedError, QuotaError, UsageError, YieldError
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query, Scrape
from tests.support.command import curate
from tests.support.fake_apis import KEY, KINDS, Notes, Params, Reply, Stand, collected, item, rows, stand_in
from tests.support.http_server import Site

EACH = pytest.mark.parametrize("name", KINDS)


def searches(stand: Stand) -> list[Params]:
    return [params for params in stand.asked if KINDS[stand.name].asked in params]


def narrow(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


# What each source makes of a query before it sends it.
SENT: Mapping[str, Callable[[str], str]] = {
    "commons": lambda text: f"{text[:280]} filetype:bitmap",
    "pixabay": lambda text: text[:100],
    "safebooru": narrow,
    "danbooru": narrow,
}


@EACH
@pytest.mark.parametrize(
    "text",
    ["ロングヘア", "ロングヘア & ショート #1", "ﾛﾝｸﾞﾍｱ", "💇", "髪" * 250],
    ids=["ja", "marks", "half", "emoji", "250"],
)
def test_a_query_arrives_as_it_was_typed(site: Site, tmp_path: Path, name: str, text: str) -> None:
    stand = stand_in(site, name, lambda stand: [[item(stand, 1)]])
    found = collected(stand, tmp_path, text)
    assert searches(stand)[0][KINDS[name].asked] == SENT.get(name, lambda text: text)(text)
    assert [(row["query"], row["domain"], row["reason"]) for row in found] == [(text, text, "ok")]


@EACH
def test_each_item_becomes_a_row_up_to_the_last_page(site: Site, tmp_path: Path, name: str) -> None:
    def pages(stand: Stand) -> list[list[dict[str, Any]]]:
        return [[item(stand, 5), item(stand, 4)], [item(stand, 4), item(stand, 3)], [item(stand, 2)]]

    stand = stand_in(site, name, pages)
    found = collected(stand, tmp_path)
    assert [row["reason"] for row in found] == ["ok"] * 4, "one is on two pages, and is one row"
    assert {row["source"] for row in found} == {name}
    assert len({row["page_url"] for row in found}) == 4
    extra = json.loads(found[0]["extra"])
    assert extra["source_id"]
    assert extra["terms_class"] in {"open", "platform", "unknown"}
    asked = len(stand.asked)
    collected(stand, tmp_path)
    assert len(stand.asked) == asked, "what is finished is not asked for again"


LICENSES = {
    "openverse": "cc-by-sa-2.0",
    "commons": "cc-by-sa-4.0",
    "flickr": "cc-by-2.0",
    "pixabay": "pixabay",
    "pexels": "pexels",
}


@EACH
def test_the_licence_is_the_sources_own(site: Site, tmp_path: Path, name: str) -> None:
    stand = stand_in(site, name, lambda stand: [[item(stand, 1)]])
    with contextlib.suppress(YieldError):  # where it is not accepted
        collected(stand, tmp_path, allow_unknown_license=False)
    found = rows(tmp_path)
    assert [row["license"] for row in found] == [LICENSES.get(name, "unknown")]
    assert [row["reason"] for row in found] == ["ok" if name in LICENSES else "license"]


@EACH
def test_one_broken_item_is_passed_over_and_counted(site: Site, tmp_path: Path, name: str) -> None:
    def pages(stand: Stand) -> list[list[dict[str, Any]]]:
        broken = item(stand, 2)
        del broken[KINDS[name].needs]
        empty = dict.fromkeys(item(stand, 3)) | {"id": 1}
        return [[item(stand, 7), broken, item(stand, 6), item(stand, 5, something={"new": [None]}), empty]]

    notes = Notes()
    found = collected(stand_in(site, name, pages), tmp_path, notes=notes)
    assert [row["reason"] for row in found] == ["ok"] * 3
    assert any("2 items lacked" in text for text in notes.said)


@EACH
def test_nothing_found_is_said(site: Site, tmp_path: Path, name: str) -> None:
    notes = Notes()
    with pytest.raises(YieldError, match=f"{name}: nothing is found for 'ロングヘア'"):
        collected(stand_in(site, name), tmp_path, "ロングヘア", notes)
    assert any("nothing found for ロングヘア" in text and "scrape.map" in text for text in notes.said)


@EACH
def test_a_changed_shape_names_the_source_and_keeps_the_answer(site: Site, tmp_path: Path, name: str) -> None:
    def pages(stand: Stand) -> list[list[dict[str, Any]]]:
        good = [item(stand, n) for n in range(5)]
        return [[{key: v for key, v in one.items() if key != KINDS[name].needs} for one in good[1:]] + good[:1]]

    stand = stand_in(site, name, pages)
    for _ in range(2):  # the second time it is asked anew
        asked = len(stand.asked)
        with pytest.raises(BlockedError, match=rf"{name} has changed its answers.*raw/\.answers/{name}-") as raised:
            collected(stand, tmp_path)
        assert len(stand.asked) > asked
    assert raised.value.code == 5
    (kept,) = (tmp_path / "raw/.answers").iterdir()
    assert kept.stat().st_size > 100


@pytest.mark.parametrize("name", [name for name in KINDS if name != "bing"])
@pytest.mark.parametrize("body", ["<html>We are moving</html>", "[1", '{"hits": 7}', '"text"'])
def test_what_is_no_answer_is_said_to_be_none(site: Site, tmp_path: Path, name: str, body: str) -> None:
    stand = stand_in(site, name)
    stand.also(KINDS[name].path, lambda params: Reply(body))
    with pytest.raises(BlockedError, match=f"{name} has changed its answers"):
        collected(stand, tmp_path)
    assert body in [path.read_text() for path in (tmp_path / "raw/.answers").iterdir()]


@EACH
def test_failures_that_pass_are_waited_out(site: Site, tmp_path: Path, name: str) -> None:
    stand = stand_in(site, name, lambda stand: [[item(stand, 1)]])
    answers = [Reply("busy", 503), Reply("{}", 429, {"Retry-After": "0"}), Reply("busy", 500)]
    stand.also(KINDS[name].path, lambda params: answers.pop() if answers else stand.pages(params))
    assert [row["reason"] for row in collected(stand, tmp_path)] == ["ok"]


@EACH
@pytest.mark.parametrize("headers", [{"Retry-After": "50000"}, {}], ids=["told", "untold"])
def test_a_used_up_quota_says_when_to_go_on(site: Site, tmp_path: Path, name: str, headers: Mapping[str, str]) -> None:
    stand = stand_in(site, name)
    stand.also(KINDS[name].path, lambda params: Reply("slow down", 429, headers))
    with pytest.raises(QuotaError, match=rf"{name}: .*\n.*goes on after \d{{4}}-\d\d-\d\d \d\d:\d\d UTC") as raised:
        collected(stand, tmp_path, tries=2)
    assert raised.value.code == 4
    assert len(stand.asked) == (1 if headers else 2)


@EACH
def test_a_search_that_was_cut_off_goes_on_where_it_was(site: Site, tmp_path: Path, name: str) -> None:
    def pages(stand: Stand) -> list[list[dict[str, Any]]]:
        return [[item(stand, 6), item(stand, 5)], [item(stand, 4), item(stand, 3)], [item(stand, 2), item(stand, 1)]]

    stand = stand_in(site, name, pages)
    whole = collected(stand, tmp_path / "whole")
    asked = list(stand.asked)
    stand.asked.clear()
    calm = len(asked) - 2  # the answers up to and with the last page but one, or two

    def cut(params: Params) -> Any:
        return stand.pages(params) if len(stand.asked) <= calm else Reply("", 429, {"Retry-After": "9999"})

    stand.also(KINDS[name].path, cut)
    with pytest.raises(QuotaError):
        collected(stand, tmp_path / "cut")
    assert 0 < len(rows(tmp_path / "cut")) < 6
    stand.also(KINDS[name].path, stand.pages)
    again = collected(stand, tmp_path / "cut")
    stand.asked.pop(calm)  # the refused one
    assert stand.asked == asked
    assert [timeless(row) for row in again] == [timeless(row) for row in whole]


def timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "retrieved_at"}


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (Reply("no", 401), 3, "pexels: the key was refused"),
        (Reply("slow", 429, {"Retry-After": "9999"}), 4, "goes on after"),
        (Reply("<html>"), 5, "pexels has changed its answers"),
        (Reply("no", 403, {"cf-mitigated": "challenge"}), 5, "a challenge page"),
    ],
    ids=["key", "quota", "changed", "challenge"],
)
def test_each_end_has_its_exit_code(site: Site, tmp_path: Path, reply: Reply, code: int, said: str) -> None:
    stand = stand_in(site, "pexels")
    stand.also("/v1/search", lambda params: reply)
    run = scraped(tmp_path, stand, "--query", "hair", code=code)
    assert said in run.stderr
    assert KEY not in run.stdout + run.stderr


def scraped(root: Path, stand: Stand, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """`curate scrape` with these options; `code` is the exit code that is expected."""
    (root / "params.yaml").write_text("scrape: {delay: 0}\n")
    command = ["scrape", "--root", str(root), "--source", stand.name, "--base-url", stand.base]
    command += ["--allow-net", stand.site.host, "--contact", "me@example.org"]
    return curate(*command, "--allow-unknown-license", "--allow-scrape-source", *options, code=code)


@pytest.mark.parametrize("name", ["flickr", "pixabay", "pexels"])
def test_a_key_is_needed_and_never_shown(
    site: Site, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = stand_in(site, name)
    stand.also(KINDS[name].path, lambda params: Reply(f"bad key {KEY}", 401))
    with pytest.raises(AuthError) as raised:
        collected(stand, tmp_path)
    assert raised.value.code == 3
    assert KEY not in str(raised.value)
    assert KEY in str(stand.asked) + str(stand.headers)
    monkeypatch.delenv(f"CURATE_{name.upper()}_KEY")
    with pytest.raises(AuthError, match=f"export CURATE_{name.upper()}_KEY"):
        collected(stand, tmp_path)


def test_keys_may_lie_in_a_file_that_nobody_else_reads(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CURATE_PEXELS_KEY")
    path = tmp_path / "config/curate/keys.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("pexels: from-a-file\n")
    path.chmod(0o644)
    stand = stand_in(site, "pexels", lambda stand: [[item(stand, 1)]])
    with pytest.raises(AuthError, match="chmod 600"):
        collected(stand, tmp_path)
    path.chmod(0o600)
    assert len(collected(stand, tmp_path)) == 1
    assert stand.headers[0]["Authorization"] == "from-a-file"


@EACH
def test_a_word_of_ones_own_for_a_source(site: Site, tmp_path: Path, name: str) -> None:
    stand = stand_in(site, name, lambda stand: [[item(stand, 1)]])
    found = collected(stand, tmp_path, "ﾛﾝｸﾞﾍｱ", map={"ロングヘア": {name: "long_hair"}})
    assert searches(stand)[0][KINDS[name].asked].startswith("long_hair")
    assert [row["query"] for row in found] == ["ﾛﾝｸﾞﾍｱ"]
    assert json.loads(found[0]["extra"])["query_sent"] == "long_hair"


def test_limits_may_be_set(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "openverse", lambda stand: [[item(stand, 1)], [item(stand, 2)], [item(stand, 3)]])
    with pytest.raises(QuotaError, match="2 requests were sent today"):
        collected(stand, tmp_path, sources={"openverse": {"daily": 2, "page_size": 7}})
    assert {params["page_size"] for params in stand.asked} == {"7"}
    assert len(rows(tmp_path)) == 2
    with pytest.raises(QuotaError):  # the count outlives the run
        collected(stand, tmp_path, sources={"openverse": {"daily": 2, "page_size": 7}})
    assert len(stand.asked) == 2
    with pytest.raises(UsageError, match="did you mean 'page_size'"):
        collected(stand, tmp_path, sources={"openverse": {"pagesize": 7}})


@pytest.mark.parametrize("settings", [{"sources": {"pixbay": {}}}, {"map": {"髪": {"pixbay": "hair"}}}])
def test_settings_for_no_source_are_noticed(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="did you mean 'pixabay'"):
        scrape.run(Scrape(queries=(Query(query="hair"),), **settings), tmp_path)


def test_unsplash_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="machine learning") as raised:
        scrape.run(Scrape(queries=(Query(source="unsplash", query="hair"),)), tmp_path)
    assert raised.value.code == 2


def test_bing_is_off_unless_allowed(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "bing")
    with pytest.raises(UsageError, match="--allow-scrape-source"):
        collected(stand, tmp_path, allow_scrape_source=False)
    site.add("/robots.txt", "User-agent: *\nDisallow: /bing/", mime="text/plain")
    with pytest.raises(BlockedError, match="robots_denied"):
        collected(stand, tmp_path)
    assert not stand.asked


@EACH
def test_from_the_command_line(site: Site, tmp_path: Path, name: str) -> None:
    stand = stand_in(site, name, lambda stand: [[item(stand, 1), item(stand, 2)]])
    run = scraped(tmp_path, stand, "--query", "ロングヘア", "--query", "ショートヘア")
    assert sorted(row["query"] for row in rows(tmp_path)) == ["ショートヘア"] * 2 + ["ロングヘア"] * 2
    written = b"".join(path.read_bytes() for path in (tmp_path / "raw").rglob("*") if path.is_file())
    assert KEY not in run.stdout + run.stderr
    assert KEY.encode() not in written


@pytest.mark.parametrize("name", ["commons", "pexels"])
def test_a_look_before_downloading(site: Site, tmp_path: Path, name: str) -> None:
    stand = stand_in(site, name, lambda stand: [[item(stand, 1), item(stand, 2)]])
    run = scraped(tmp_path, stand, "--query", "ロングヘア", "--dry-run")
    assert "2 candidates" in run.stdout
    assert {path.partition("?")[0] for path in site.counts()} == {f"/{name}{KINDS[name].path}"}
    assert not (tmp_path / "manifests").exists()
