"""Contacts: what reaches somebody, what does not, which hosts demand one, where the user's own is kept."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape.web import contact


@pytest.mark.parametrize(
    "text",
    [
        "hanako@mine.dev",
        " hanako+curate@mail.mine.co.jp ",
        "https://mine.dev/about",
        "mine.dev/contact",
        "mailto:hanako@mine.dev",
        "me@xn--eckwd4c7c.xn--zckzah",
    ],
)
def test_what_reaches_somebody(text: str) -> None:
    assert contact.usable(text)
    assert contact.checked(text) == text.strip()


@pytest.mark.parametrize(
    "text", ["", "x", "hanako", "hanako@", "@mine.dev", "a b@mine.dev", "http://", "花子@mine.dev"]
)
def test_what_is_no_contact(text: str) -> None:
    assert contact.problem(text)
    with pytest.raises(UsageError):
        contact.checked(text, public=False)


@pytest.mark.parametrize(
    "text",
    [
        "you@example.org",
        "hanako@example.com",
        "hanako@mail.example.net",
        "https://www.example.com/me",
        "you@mine.dev",
        "your.name@mine.dev",
        "x@mine.dev",
        "hanako@yourdomain.com",
        "https://your-site.org",
        "demo@curate.test",
        "hanako@laptop.local",
    ],
)
def test_placeholders_reach_nobody_and_do_for_a_server_of_ones_own_alone(text: str) -> None:
    assert not contact.usable(text)
    with pytest.raises(UsageError, match="placeholder"):
        contact.checked(text)
    assert contact.checked(text, public=False) == text


def test_which_hosts_demand_one() -> None:
    assert contact.demanded("commons.wikimedia.org")
    assert contact.demanded("upload.wikimedia.org")
    assert not contact.demanded("api.openverse.org")
    assert not contact.demanded("notwikimedia.org")


def test_the_users_own_is_kept_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert contact.kept() is None
    path = contact.keep("hanako@mine.dev")
    assert path == tmp_path / "curate/contact"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert contact.kept() == "hanako@mine.dev"
    path.write_text("you@example.org")
    with pytest.raises(UsageError, match=str(path)):
        contact.kept()
