"""One's own folders: the table shows the files that are there now, each under a name of its own."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.core.errors import YieldError
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.downloader import Downloader
from curate.pipeline.scrape.revisit import NOTHING, Revisit
from tests.pipeline.scrape.test_stage import rows, section
from tests.support.http_server import photo


def put(top: Path, files: dict[str, bytes]) -> Path:
    """`files` below `top`, an hour old."""
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (path.stat().st_atime - 3600,) * 2)
    return top


def taken(root: Path, top: Path, revisit: Revisit = NOTHING, **changes: Any) -> dict[str, str]:
    """Scrapes `top` into the domain d; the reasons of every row by file."""
    query = Query(source="folder", input=str(top), domain=changes.pop("domain", "d"))
    scrape.run(section(query, contact=None, **changes), root, revisit=revisit)
    return {row["file"]: row["reason"] for row in rows(root)}


def ids(root: Path) -> dict[str, str]:
    return {row["file"]: row["image_id"] for row in rows(root)}


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once."""
    monkeypatch.setattr("curate.pipeline.scrape.downloader._SETTLED", -1.0)


def folder(tmp_path: Path) -> Path:
    top = tmp_path / "photos"
    files = {
        "b/two.jpg": photo(2),
        "a/one.png": photo(1, "PNG"),
        "a/one.png.json": json.dumps({"title": "One", "author": "A", "license": "CC BY 4.0"}).encode(),
        "a/.hidden.jpg": photo(3),
        ".git/x.jpg": photo(4),
        "b/again.jpg": photo(2),
        "b/half.jpg": photo(5)[:-500],
        "b/page.jpg": b"<html>",
        "b/nothing.jpg": b"",
        "b/unnamed": photo(6),
        "notes.txt": b"words",
    }
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    (tmp_path / "elsewhere.jpg").write_bytes(photo(7))
    (top / "b/out.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    return top


def test_a_folder_is_copied_and_left_as_it_was(tmp_path: Path) -> None:
    top, root = folder(tmp_path), tmp_path / "root"
    before = {path: path.stat().st_mtime_ns for path in sorted(top.rglob("*"))}
    settings = section(Query(source="folder", input=str(top)), contact=None, allow_unknown_license=False)
    scrape.run(settings, root)
    found = [(row["domain"], row["title"], row["reason"]) for row in rows(root)]
    assert found == [
        ("a", "One", "ok"),
        ("b", "again", "ok"),
        ("b", "half", "decode_failed"),
        ("b", "nothing", "not_image"),
        ("b", "out", "ok"),
        ("b", "page", "not_image"),
        ("b", "two", "duplicate"),
        ("b", "unnamed", "ok"),
    ]
    assert (rows(root)[0]["creator"], rows(root)[0]["license"]) == ("A", "cc-by-4.0")
    assert {path: path.stat().st_mtime_ns for path in sorted(top.rglob("*"))} == before
    table = (root / "manifests/images.parquet").read_bytes()
    scrape.run(settings, root)
    assert (root / "manifests/images.parquet").read_bytes() == table


def test_a_folder_in_one_domain(tmp_path: Path) -> None:
    scrape.run(section(Query(source="folder", input=str(folder(tmp_path)), domain="mine")), tmp_path / "root")
    assert {row["domain"] for row in rows(tmp_path / "root")} == {"mine"}


def test_a_folder_s_name_is_a_domain_that_every_table_takes(tmp_path: Path) -> None:
    names = {"長い\u3000髪": "長い\u3000髪", "a\x1b[2J\u202eb": "a\\x1b[2J\\u202eb", " ": "_", "x" * 253: "x" * 250}
    top = put(tmp_path / "photos", {f"{name}/{n}.jpg": photo(n) for n, name in enumerate(names)})
    taken(tmp_path / "root", top, domain=None)
    assert {row["domain"] for row in rows(tmp_path / "root")} == set(names.values())


@pytest.mark.parametrize("revisit", [NOTHING, Revisit(refresh=True), Revisit(retry=frozenset({"decode_failed"}))])
def test_the_table_shows_what_is_there_now(tmp_path: Path, no_pause: None, revisit: Revisit) -> None:
    whole = photo(3)
    top = put(tmp_path / "p", {"a.jpg": photo(1), "gone.jpg": photo(2), "half.jpg": whole[:-900], "none.png": b""})
    root = tmp_path / "root"
    assert taken(root, top) == {"a.jpg": "ok", "gone.jpg": "ok", "half.jpg": "decode_failed", "none.png": "not_image"}
    first = ids(root)
    put(top, {"a.jpg": photo(7), "half.jpg": whole, "none.png": photo(8, "PNG"), "new/b.jpg": photo(9)})
    (top / "gone.jpg").unlink()
    assert taken(root, top, revisit) == dict.fromkeys(["a.jpg", "half.jpg", "new/b.jpg", "none.png"], "ok")
    assert ids(root)["a.jpg"] != first["a.jpg"]
    put(top, {"a.jpg": photo(1)})
    assert taken(root, top, revisit)["a.jpg"] == "ok"
    assert ids(root)["a.jpg"] == first["a.jpg"], "what it was before"


def test_unchanged_files_are_not_read_again(tmp_path: Path, no_pause: None, monkeypatch: pytest.MonkeyPatch) -> None:
    top, root = put(tmp_path / "p", {f"{n}.jpg": photo(n) for n in range(4)}), tmp_path / "root"
    taken(root, top)
    table, journal = (root / "manifests/images.parquet").read_bytes(), (root / "raw/images/journal.jsonl").read_bytes()
    read: list[bytes] = []
    given = Downloader._given
    monkeypatch.setattr(Downloader, "_given", lambda self, data: read.append(data) or given(self, data))
    taken(root, top)
    assert not read
    assert (root / "manifests/images.parquet").read_bytes() == table
    assert (root / "raw/images/journal.jsonl").read_bytes() == journal
    times = (top / "2.jpg").stat()
    (top / "2.jpg").write_bytes(photo(2)[:-1] + b"x")  # as many bytes as before, and the times set back
    os.utime(top / "2.jpg", ns=(times.st_atime_ns, times.st_mtime_ns))
    taken(root, top)
    assert len(read) == 1


def test_a_file_that_was_written_just_now_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top, root = tmp_path / "p", tmp_path / "root"
    top.mkdir()
    (top / "a.jpg").write_bytes(photo(1))
    taken(root, top)
    monkeypatch.setattr("curate.pipeline.scrape.downloader._stamp", lambda file, now: "0" * 32)  # one tick of its clock
    (top / "a.jpg").write_bytes(photo(2))
    assert taken(root, top) == {"a.jpg": "ok"}
    assert (root / rows(root)[0]["path"]).read_bytes() == photo(2)


def test_every_name_is_a_row_of_its_own(tmp_path: Path) -> None:
    encoded = "写真".encode("shift_jis")
    names = [encoded + b"1.jpg", encoded + b"2.jpg", "が.jpg".encode(), "か\u3099.jpg".encode(), b"\xff\xfe.jpg"]
    names += [b"a%20b.jpg", b"a b.jpg", b"x.jpg", b"X.JPG", b"x.png", b"x.jpeg", b"new\nline.jpg"]
    top, root = tmp_path / os.fsdecode(encoded), tmp_path / "root"
    try:
        top.mkdir()
        for n, name in enumerate(names):
            Path(os.fsdecode(os.fsencode(top) + b"/" + name)).write_bytes(photo(n))
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    count = len(list(top.iterdir()))
    found = taken(root, top)
    assert len(found) == count
    assert set(found.values()) == {"ok"}
    assert {"が.jpg", "a%2520b.jpg", "a b.jpg", "%FF%FE.jpg", "new%0Aline.jpg"} <= set(found)
    assert "写真1" in {row["title"] for row in rows(root)}
    assert taken(root, top) == found
    assert {json.loads(row["extra"])["input"] for row in rows(root)} == {f"{tmp_path}/%8Eʐ^"}


def test_two_folders_with_the_same_names_in_one_domain(tmp_path: Path) -> None:
    one = put(tmp_path / "one", {"IMG_1.jpg": photo(1), "IMG_2.jpg": photo(2)})
    two = put(tmp_path / "two", {"IMG_1.jpg": photo(3), "IMG_2.jpg": photo(4)})
    root = tmp_path / "root"
    taken(root, one)
    taken(root, two)
    found = [(Path(json.loads(row["extra"])["input"]).name, row["file"], row["reason"]) for row in rows(root)]
    assert found == [(top, name, "ok") for top in ("one", "two") for name in ("IMG_1.jpg", "IMG_2.jpg")]
    (one / "IMG_1.jpg").unlink()
    put(one, {"IMG_2.jpg": photo(5), "IMG_3.jpg": photo(6)})
    taken(root, two)
    assert [row["file"] for row in rows(root)] == ["IMG_2.jpg", "IMG_1.jpg", "IMG_2.jpg"], "only what was asked for"
    assert (root / rows(root)[0]["path"]).read_bytes() == photo(5)


def test_one_folder_typed_in_several_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    top = put(root / "photos", {"a.jpg": photo(1)})
    (tmp_path / "link").symlink_to(top)
    monkeypatch.chdir(tmp_path)
    for way in (top, Path("photos"), Path("./photos/"), root / "x/../photos", tmp_path / "link"):
        assert taken(root, way) == {"a.jpg": "ok"}
    assert json.loads(rows(root)[0]["extra"])["input"] == "photos"
    put(top, {"b.jpg": photo(2)})
    (top / "a.jpg").unlink()
    assert taken(root, top) == {"b.jpg": "ok"}, "no other search has kept the row"


def test_a_folder_that_has_moved_or_gone(tmp_path: Path) -> None:
    top, root = put(tmp_path / "p", {"a.jpg": photo(1), "b.jpg": photo(2)}), tmp_path / "root"
    other = put(tmp_path / "q", {"c.jpg": photo(3)})
    taken(root, top)
    moved = Path(shutil.move(top, tmp_path / "moved"))
    taken(root, moved, domain="e")
    found = {(row["domain"], row["file"]): row["reason"] for row in rows(root)}
    assert {key: reason for key, reason in found.items() if key[0] == "e"} == {
        ("e", "a.jpg"): "ok",
        ("e", "b.jpg"): "ok",
    }
    shutil.rmtree(moved)
    assert taken(root, other, domain="f").keys() == {"a.jpg", "b.jpg", "c.jpg"}
    assert all((root / row["path"]).is_file() for row in rows(root)), "what was taken once stays"


def test_links_are_followed(tmp_path: Path) -> None:
    every = put(tmp_path / "all", {"long/1.jpg": photo(1), "2.jpg": photo(2)})
    top, root = tmp_path / "subset", tmp_path / "root"
    top.mkdir()
    (top / "one.jpg").symlink_to(every / "2.jpg")
    (top / "folder").symlink_to(every / "long")
    (top / "nowhere.jpg").symlink_to(every / "3.jpg")
    (every / "long/again").symlink_to(top)
    (every / "long/self").symlink_to(every / "long")
    said: list[str] = []

    class Notes:
        def note(self, text: str) -> None:
            said.append(text)

        def task(self, name: str, total: int | None) -> Any:
            from curate.pipeline.core.progress import SILENT

            return SILENT.task(name, total)

    scrape.run(section(Query(source="folder", input=str(top), domain="d"), contact=None), root, progress=Notes())
    assert {row["file"]: row["reason"] for row in rows(root)} == {"folder/1.jpg": "ok", "one.jpg": "ok"}
    assert [text.partition(": ")[2] for text in said] == [
        "1 links lead nowhere",
        "2 links lead back into a folder that they stand in, and were not followed",
    ]


@pytest.mark.parametrize(
    ("said", "creator", "code", "reason"),
    [
        ({"author": {"id": 1, "name": "Ann"}, "license": "CC BY 4.0"}, "Ann", "cc-by-4.0", "ok"),
        (
            {"artists": ["Ann", "Bo"], "license": {"name": "Attribution-NonCommercial License"}},
            "Ann, Bo",
            "cc-by-nc",
            "license",
        ),
        ({"tag_string_artist": "ann bo", "license": "ask first"}, "ann, bo", "other", "license_unclear"),
        (
            {"owner": {"nsid": "7@N", "realname": "Ann"}, "category": "flickr", "license": 5},
            "Ann",
            "cc-by-sa-2.0",
            "ok",
        ),
        ({"owner": {}, "user": {"account": "ann"}, "license": None}, "ann", "unknown", "ok"),
        ({"tags": {"artist": ["ann"]}, "license": 5}, "ann", "other", "license_unclear"),
    ],
)
def test_sidecars(tmp_path: Path, said: dict[str, Any], creator: str, code: str, reason: str) -> None:
    top = put(tmp_path / "p", {"a.jpg": photo(1), "a.jpg.json": json.dumps(said).encode(), "b.jpg": photo(2)})
    taken(tmp_path / "root", top)
    row = next(row for row in rows(tmp_path / "root") if row["file"] == "a.jpg")
    assert (row["creator"], row["license"], row["reason"]) == (creator, code, reason)
    if reason == "license_unclear":
        assert json.loads(row["extra"])["license_raw"] == str(said["license"])


@pytest.mark.parametrize(("source", "sought"), [("folder", "picture"), ("video", "film that shows anything")])
def test_a_folder_without_pictures_is_no_success(tmp_path: Path, source: str, sought: str) -> None:
    top = put(tmp_path / "p", {"notes.txt": b"words"})
    with pytest.raises(YieldError, match=f"p: there is no {sought} in it"):
        scrape.run(section(Query(source=source, input=str(top)), contact=None), tmp_path / "root")
    assert not rows(tmp_path / "root")
