"""Fixtures for every test: where the real photos and model files are, when they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from curate.pipeline.core import interrupt
from curate.pipeline.faces import model_files

# Here and in every process that a test starts: several test processes share the cores.
os.environ["OMP_NUM_THREADS"] = "1"

hypothesis.settings.register_profile("untimed", deadline=None)  # a machine under load makes no test fail
hypothesis.settings.load_profile("untimed")


def _folder(variable: str, what: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set: {what} needed")
    path = Path(value)
    if not path.is_dir():
        pytest.fail(f"{variable}={value} is not a folder")
    return path


@pytest.fixture(autouse=True)
def _own_ctrl_c() -> Iterator[None]:
    """A command that was run in this process has taken Ctrl-C over."""
    yield
    interrupt.give_back()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real photos and drawings, from CURATE_DATA; the test is skipped without it."""
    return _folder("CURATE_DATA", "real photos are")


@pytest.fixture(scope="session")
def model_file() -> Callable[[str], Path]:
    """Gives the file of a model by its name; the test is skipped where it is not on this machine."""

    def there(name: str) -> Path:
        found = model_files.find(name)
        return found or pytest.skip(f"{name} is not on this machine: {model_files.how_to_get(name)}")

    return there


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with no model file but those of packages that curate requires: nothing given, nothing in the cache."""
    packaged = model_files._packaged
    monkeypatch.setattr(model_files, "_packaged", lambda model: None if model.fetched else packaged(model))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CURATE_MODELS", raising=False)


@pytest.fixture(scope="session")
def cascade(model_file: Callable[[str], Path]) -> Path:
    """The file of the detector `anime`."""
    return model_file("anime-cascade")
