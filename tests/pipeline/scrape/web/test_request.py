"""Keys: where they come from, whom they are sent to, and that nothing shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.core.errors import AuthError
from curate.pipeline.scrape.web import api_keys
from curate.pipeline.scrape.web.daily_quota import DailyQuota
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.request import PLAIN, RequestOptions

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=40)


@given(TEXT, TEXT)
def test_no_text_shows_a_secret(secret: str, token: str) -> None:
    asking = RequestOptions(params={"api_key": secret}, headers={"Authorization": f"Bearer {token}"})
    url = asking.address("https://api.example/search?q=%E9%AB%AA")
    assert secret not in asking.without(url).replace("https://api.example/search?q=%E9%AB%AA", "")
    error = FetchError("network", f"GET {url} with Bearer {token}", 400, url, body=f"{secret} {token}".encode())
    with pytest.raises(FetchError) as raised:
        asking.rethrow(error)
    shown = f"{raised.value} {raised.value.final_url} {raised.value.body!r}"
    assert shown.count("***") >= 2
    assert f"api_key={secret}" not in shown
    assert repr(asking) == repr(RequestOptions())


def test_without_secrets_an_address_stays_as_it_is() -> None:
    url = "https://api.example/search?q=%E9%AB%AA+a&empty="
    assert PLAIN.address(url) == PLAIN.without(url) == url
    assert RequestOptions(params={"key": "a b"}).address("https://api.example/") == "https://api.example/?key=a+b"


def test_a_key_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("CURATE_FLICKR_KEY", "  ")
    assert api_keys.read("flickr") is None
    monkeypatch.setenv("CURATE_FLICKR_KEY", "鍵")
    with pytest.raises(AuthError, match="CURATE_FLICKR_KEY") as raised:
        api_keys.read("flickr")
    assert "鍵" not in str(raised.value)
    monkeypatch.setenv("CURATE_FLICKR_KEY", "a\nb")
    with pytest.raises(AuthError):
        api_keys.read("flickr")


@pytest.mark.parametrize("text", ["", "- a list", "pexels: [", "flickr: other"])
def test_a_file_without_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("CURATE_PEXELS_KEY", raising=False)
    api_keys.file().parent.mkdir()
    api_keys.file().write_text(text)
    assert api_keys.read("pexels") is None


def test_an_allowance_is_for_a_day_and_for_a_host(tmp_path: Path) -> None:
    path, now = tmp_path / "counts.json", datetime(2026, 11, 21, 23, 0, tzinfo=UTC)
    for _ in range(3):
        DailyQuota(path).spend("a.example", 3, now)
    with pytest.raises(FetchError) as raised:
        DailyQuota(path).spend("a.example", 3, now)
    assert (raised.value.reason, raised.value.wait) == ("quota", 3600.0)
    DailyQuota(path).spend("b.example", 3, now)
    DailyQuota(path).spend("a.example", None, now)
    DailyQuota(path).spend("a.example", 3, now + timedelta(hours=1))
    path.write_text("torn")
    DailyQuota(path).spend("a.example", 1, now)
