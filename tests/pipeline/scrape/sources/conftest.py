"""Fixtures of the tests of sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fake_apis import KEY, KINDS


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The keys that are needed, and none of the machine's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name, kind in KINDS.items():
        monkeypatch.delenv(f"CURATE_{name.upper()}_KEY", raising=False)
        if kind.key:
            monkeypatch.setenv(f"CURATE_{name.upper()}_KEY", KEY)
