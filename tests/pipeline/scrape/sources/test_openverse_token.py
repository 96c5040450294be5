"""Openverse for those who registered: an id and a secret give a token, and the headers say how much is left."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.core.errors import AuthError, QuotaError
from tests.support.fake_apis import Params, Reply, Stand, collected, item, openverse_page, stand_in
from tests.support.http_server import Site

TOKEN = "/v1/auth_tokens/token/"
SECRET = "s3cr3t+/="


def registered(site: Site, monkeypatch: pytest.MonkeyPatch, tokens: list[Any]) -> Stand:
    """A stand-in that gives `tokens` one after the other, and takes only the last one given."""
    monkeypatch.setenv("CURATE_OPENVERSE_KEY", f"my-id:{SECRET}")
    stand = stand_in(site, "openverse")
    given: list[str] = []

    def token(form: Params) -> Any:
        assert form == {"grant_type": "client_credentials", "client_id": "my-id", "client_secret": SECRET}
        reply = tokens.pop(0)
        if isinstance(reply, str):
            given.append(reply)
            return {"access_token": reply, "expires_in": 36000, "token_type": "Bearer", "scope": "read write"}
        return reply

    def answer(params: Params) -> Any:
        if stand.headers[-1].get("Authorization") != f"Bearer {given[-1]}":
            return Reply({"detail": "Token has expired"}, 401)
        return openverse_page([item(stand, int(params["page"]))], params, 3)

    stand.also(TOKEN, token)
    stand.also("/v1/images/", answer)
    return stand


def traces(root: Path) -> str:
    return "".join(path.read_text("latin-1") for path in root.rglob("*") if path.is_file())


def test_an_id_and_a_secret_give_a_token(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand = registered(site, monkeypatch, ["token-1"])
    assert len(collected(stand, tmp_path)) == 3
    assert [params.get("page_size") for params in stand.asked] == [None, "50", "50", "50"]
    assert SECRET not in traces(tmp_path) and "token-1" not in traces(tmp_path)
    assert not [request for request in site.requests if SECRET in request.path or "token-1" in request.path]


def test_a_token_that_expires_on_the_way_is_renewed_once(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = registered(site, monkeypatch, ["token-1", "token-2"])
    fresh = stand.site.routes["/openverse/v1/images/"]
    served: list[int] = []

    def expiring(handler: Any) -> None:
        if len(served) == 1:
            served.append(0)
            handler.headers.replace_header("Authorization", "Bearer token-0")
        served.append(1)
        fresh(handler)

    site.route("/openverse/v1/images/", expiring)
    assert len(collected(stand, tmp_path)) == 3
    assert site.counts()[f"/openverse{TOKEN}"] == 2


@pytest.mark.parametrize(
    "reply",
    [Reply({"error": "invalid_client"}, 401), Reply({"error": "invalid_grant"}, 400), {"scope": "x"}, Reply("<html>")],
)
def test_no_token_is_a_matter_of_the_key(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: Any
) -> None:
    stand = registered(site, monkeypatch, [reply])
    with pytest.raises(AuthError, match="openverse") as told:
        collected(stand, tmp_path)
    assert "CURATE_OPENVERSE_KEY" in told.value.hint
    assert SECRET not in f"{told.value} {told.value.hint} {traces(tmp_path)}"


def test_an_empty_minute_is_waited_for_and_an_empty_day_ends_the_search(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curate.pipeline.scrape.web.backoff._PERIODS", {"min": 0.7, "day": 86_400.0})
    stand = stand_in(site, "openverse")
    left = {1: ("burst", "20/min"), 3: ("sustained", "200/day")}

    def answer(params: Params) -> Any:
        page = int(params["page"])
        name, limit = left.get(page, ("burst", "20/min"))
        said = {
            f"X-RateLimit-Limit-anon_{name}": limit,
            f"X-RateLimit-Available-anon_{name}": "0" if page in left else "7",
        }
        return Reply(openverse_page([item(stand, page)], params, 9), headers=said)

    stand.also("/v1/images/", answer)
    begun = time.monotonic()
    with pytest.raises(QuotaError, match="openverse") as told:
        collected(stand, tmp_path)
    assert told.value.code == 4 and "the same command goes on after" in told.value.hint
    asked = [request.began for request in site.requests if "/v1/images/" in request.path]
    assert len(asked) == 3, "the fourth was not sent"
    assert asked[1] - asked[0] > 0.6 and time.monotonic() - begun < 20
