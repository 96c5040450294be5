"""Model files: found, fetched once, checked, and never imported with their package."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from curate.pipeline.cli import commands
from curate.pipeline.core.errors import ModelError, UsageError
from curate.pipeline.faces import model_files

BODY = b"<cascade/>"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def origin(asked: list[str]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if self.path == "/file" else 404)
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(bare: None, tmp_path: Path) -> Path:
    """The empty cache."""
    return tmp_path / "cache/curate"


def lists(monkeypatch: pytest.MonkeyPatch, url: str, body: bytes = BODY) -> None:
    known = model_files.MODELS["anime-cascade"]
    changed = dataclasses.replace(known, url=url, sha256=hashlib.sha256(body).hexdigest())
    monkeypatch.setattr(model_files, "MODELS", {"anime-cascade": changed})


def test_a_file_is_fetched_once(home: Path, origin: str, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lists(monkeypatch, f"{origin}/file")
    assert model_files.path("anime-cascade").read_bytes() == BODY
    assert model_files.path("anime-cascade") == home / "lbpcascade_animeface.xml"
    assert asked == ["/file"]


def test_a_file_in_the_given_folder_is_used(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "lbpcascade_animeface.xml").write_bytes(BODY)
    monkeypatch.setenv("CURATE_MODELS", str(given))
    lists(monkeypatch, "http://127.0.0.1:9/never")
    assert model_files.path("anime-cascade").parent == given


@pytest.mark.parametrize("url", ["{origin}/gone", "http://127.0.0.1:9/nobody"])
def test_without_the_file_the_error_says_where_to_put_it(
    home: Path, origin: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists(monkeypatch, url.format(origin=origin))
    with pytest.raises(ModelError, match="lbpcascade_animeface") as caught:
        model_files.path("anime-cascade")
    assert "CURATE_MODELS" in caught.value.hint
    assert not home.exists()


def test_another_file_of_that_name_is_refused(home: Path, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lists(monkeypatch, f"{origin}/file", body=b"what we know")
    with pytest.raises(ModelError, match="not the file we know"):
        model_files.path("anime-cascade")
    home.mkdir(parents=True)
    (home / "lbpcascade_animeface.xml").write_bytes(b"cut sho")
    with pytest.raises(ModelError, match="not the file we know") as caught:
        model_files.path("anime-cascade")
    assert "delete" in caught.value.hint


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with the one that brings the cascade; importing it is an error."""
    site = tmp_path / "site"
    (site / "danbooru").mkdir(parents=True)
    (site / "danbooru/__init__.py").write_text("raise RuntimeError('imported')", "utf-8")
    (site / "danbooru/lbpcascade_animeface.xml").write_bytes(BODY)
    (site / "danbooru_utility-0.1.20.dist-info").mkdir()
    (site / "danbooru_utility-0.1.20.dist-info/METADATA").write_text("Name: danbooru-utility\nVersion: 0.1.20\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CURATE_MODELS", raising=False)
    return site


def test_a_file_of_a_package_is_used_where_it_lies(
    site: Path, origin: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lists(monkeypatch, f"{origin}/file")
    assert model_files.path("anime-cascade") == site / "danbooru/lbpcascade_animeface.xml"
    assert model_files.standing("anime-cascade").state == "ok"
    assert asked == [] and "danbooru" not in sys.modules
    (site / "danbooru/lbpcascade_animeface.xml").write_bytes(b"of another release")
    assert model_files.find("anime-cascade") is None
    assert model_files.path("anime-cascade").read_bytes() == BODY
    assert asked == ["/file"]


def test_a_given_folder_goes_before_a_package(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists(monkeypatch, "http://127.0.0.1:9/never")
    (tmp_path / "lbpcascade_animeface.xml").write_bytes(BODY)
    monkeypatch.setenv("CURATE_MODELS", str(tmp_path))
    assert model_files.path("anime-cascade").parent == tmp_path


def test_the_lock_of_model_packages_has_what_brings_them() -> None:
    pinned = set(re.findall(r"^([\w-]+)==", (ROOT / "requirements-models.lock").read_text("utf-8"), re.MULTILINE))
    named = {model.package for model in model_files.MODELS.values()} - {None, "face_recognition_models"}
    assert named <= pinned
    for name, model in model_files.MODELS.items():
        assert model.fetched or model.package, f"{name}: nobody brings it"


def test_the_landmark_file_is_the_pinned_one_and_its_package_stays_unimported() -> None:
    path = model_files.path("landmarks-68")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == model_files.MODELS["landmarks-68"].sha256
    assert "face_recognition_models" not in sys.modules


def test_how_each_file_stands_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists(monkeypatch, "http://127.0.0.1:9/never")
    assert model_files.standing("anime-cascade").state == "missing"
    home.mkdir(parents=True)
    (home / "lbpcascade_animeface.xml").write_bytes(b"cut sho")
    assert model_files.standing("anime-cascade").state == "wrong"
    (home / "lbpcascade_animeface.xml").write_bytes(BODY)
    found = model_files.standing("anime-cascade")
    assert (found.state, found.where) == ("ok", str(home / "lbpcascade_animeface.xml"))


def test_files_that_a_package_brings_are_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert model_files.standing("mmod-face").state == "ok"
    other = dataclasses.replace(model_files.MODELS["mmod-face"], sha256="0" * 64)
    monkeypatch.setattr(model_files, "MODELS", {"mmod-face": other})
    assert model_files.standing("mmod-face").state == "wrong"
    gone = dataclasses.replace(other, package="no_such_package")
    monkeypatch.setattr(model_files, "MODELS", {"mmod-face": gone})
    assert model_files.standing("mmod-face").state == "missing"
    with pytest.raises(ModelError, match="no_such_package is missing"):
        model_files.path("mmod-face")


def test_the_command_lists_fetches_and_verifies(home: Path, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lists(monkeypatch, f"{origin}/file")
    app, ask = typer.Typer(), CliRunner()
    commands.register(app)
    assert "missing" in ask.invoke(app, ["models"]).output
    assert ask.invoke(app, ["models", "verify"]).exit_code == 2
    fetched = ask.invoke(app, ["models", "fetch"])
    assert fetched.exit_code == 0 and "ok" in fetched.output
    (row,) = json.loads(ask.invoke(app, ["models", "verify", "anime-cascade", "--json"]).stdout)
    assert row["state"] == "ok" and row["license"] == model_files.MODELS["anime-cascade"].license


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean 'anime-cascade'"):
        model_files.path("anime-cascad")
