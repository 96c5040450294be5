"""Fixtures for every test: where the real photos and model files are, when they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def _folder(variable: str, what: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set: {what} needed")
    path = Path(value)
    if not path.is_dir():
        pytest.fail(f"{variable}={value} is not a folder")
    return path


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real photos and drawings, from CURATE_DATA; the test is skipped without it."""
    return _folder("CURATE_DATA", "real photos are")


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of model files that are not on the package index, from CURATE_MODELS."""
    return _folder("CURATE_MODELS", "the anime cascade is")
