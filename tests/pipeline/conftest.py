"""Fixtures of the data half."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.http_server import Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    """A web server on loopback, without routes."""
    with serving() as running:
        yield running
