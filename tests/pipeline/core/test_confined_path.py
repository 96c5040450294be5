"""The gate of single paths and of links, and the commands' ways to a file that go through it."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.pipeline.core.confined_path import LINKS, ConfinementError, inside, refuse_links_out
from curate.pipeline.imaging import shards
from curate.pipeline.scrape.forget import _remove
from curate.pipeline.tables import manifest
from curate.pipeline.tables.schema import CROPS
from tests.support.tables import small_world


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "raw").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(b"secret")
    return root


@pytest.mark.parametrize(
    "path", ["../secret.png", "raw/../../secret.png", "/etc/passwd", "", "a\0b", "x" * 256, "a//b"]
)
def test_a_path_that_is_not_plain_is_refused(path: str, root: Path) -> None:
    with pytest.raises(ConfinementError, match="no relative path below it"):
        inside(root, path)
    with pytest.raises(ConfinementError):
        shards.read(root, path)


def test_a_link_may_lead_to_another_place_below_the_root_only(root: Path) -> None:
    (root / "raw/here.png").write_bytes(b"here")
    (root / "raw/inner.png").symlink_to("here.png")
    (root / "raw/file.png").symlink_to(root.parent / "secret.png")
    (root / "raw/folder").symlink_to(root.parent)
    assert shards.read(root, "raw/inner.png") == b"here"
    for path in ("raw/file.png", "raw/folder/secret.png", "raw/folder/not/there/yet.png"):
        with pytest.raises(ConfinementError, match="a link leads out of") as told:
            shards.read(root, path)
        assert f"export {LINKS}=" in told.value.hint
    with pytest.raises(ConfinementError):
        shards.pack(root, "raw/folder", [("a.png", b"a")])
    with pytest.raises(ConfinementError):
        shards.remove(root, "raw/folder", {"a.png"})
    assert {path.name for path in root.parent.iterdir()} == {"root", "secret.png"}


def test_links_lead_where_a_person_allows_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "raw/file.png").symlink_to(root.parent / "secret.png")
    monkeypatch.setenv(LINKS, str(root.parent / "other"))
    with pytest.raises(ConfinementError):
        shards.read(root, "raw/file.png")
    monkeypatch.setenv(LINKS, f"{root.parent / 'other'}:{root.parent}")
    assert shards.read(root, "raw/file.png") == b"secret"


def test_a_root_that_is_a_link_is_the_users_own(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    (root / "raw/a.png").write_bytes(b"a")
    assert shards.read(link, "raw/a.png") == b"a"
    refuse_links_out(link)


def test_a_folder_is_searched_for_links_out_of_it(root: Path) -> None:
    (root / "raw/inner").symlink_to(root)
    refuse_links_out(root)
    (root / "raw/out").symlink_to(root.parent)
    with pytest.raises(ConfinementError, match="raw/out: a link leads out of"):
        refuse_links_out(root)


@pytest.mark.parametrize("offset", ["0", "511", "512", "9" * 15, "9" * 20])
@pytest.mark.parametrize("size", ["0", "9" * 15, "9" * 20])
def test_a_place_that_no_shard_has_is_a_missing_file(offset: str, size: str, root: Path) -> None:
    path = shards.pack(root, "raw", [("a.png", b"a")])[0]
    assert shards.read(root, path) == b"a"
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        shards.read(root, f"{shards.file(path)}/{offset}+{size}/a.png")


def test_no_table_is_read_or_written_through_a_link(root: Path) -> None:
    small_world(root)
    table = manifest.read(CROPS, root)
    (root / "manifests").rename(root.parent / "outside")
    (root / "manifests").symlink_to(root.parent / "outside")
    before = CROPS.path(root).read_bytes()
    with pytest.raises(ConfinementError):
        manifest.read(CROPS, root)
    with pytest.raises(ConfinementError):
        manifest.write(CROPS, table, root, {"other": 1})
    assert CROPS.path(root).read_bytes() == before


def test_forgetting_deletes_nothing_behind_a_link(root: Path) -> None:
    small_world(root)
    rows = manifest.accepted(manifest.read(CROPS, root)).to_pylist()
    folder = (root / rows[0]["path"]).parent
    folder.rename(root.parent / "outside")
    folder.symlink_to(root.parent / "outside")
    with pytest.raises(ConfinementError):
        _remove(CROPS, root, {rows[0]["crop_id"]})
    assert (root.parent / "outside" / Path(rows[0]["path"]).name).is_file()
