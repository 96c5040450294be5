"""What is taken for a photo in a folder, and how one that can't be read is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.outputs import OutputPlan
from curate.pipeline.imaging import codec
from curate.train.translate import photos
from curate.train.translate.photos import UnreadablePhoto, list_photos, read_photo


def put(path: Path, shade: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(codec.encode_png(np.full((8, 8, 3), shade, np.uint8)))
    return path


def test_photos_are_told_by_their_bytes_or_by_their_names(tmp_path: Path) -> None:
    kept = [put(tmp_path / "b/no_suffix"), put(tmp_path / "a.png")]
    for name in ("empty.JPG", "page.webp", "drawing.psd"):
        (tmp_path / name).write_text("<html>" * (name != "empty.JPG"))
        kept.append(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    put(tmp_path / ".hidden.png")
    put(tmp_path / ".thumbnails/a.png")
    assert list_photos([tmp_path]).files == sorted(kept)
    reasons = {path.name: found.reason for path in kept if isinstance(found := read_photo(path), UnreadablePhoto)}
    assert reasons == dict.fromkeys(("empty.JPG", "page.webp", "drawing.psd"), "not_image")


def test_what_a_command_wrote_is_no_photo_until_somebody_changes_it(tmp_path: Path) -> None:
    mine = put(tmp_path / "x.png")
    made = tmp_path / "translated" / "x.png"
    with OutputPlan([made]) as plan, plan.write(made) as temporary:
        temporary.write_bytes(codec.encode_png(np.zeros((8, 8, 3), np.uint8)))
    assert list_photos([tmp_path]) == ([mine], 1)
    assert list_photos([made]) == ([made], 0), "named, it is taken"
    with pytest.raises(UsageError, match="only what curate wrote"):
        list_photos([made.parent])
    put(made, 7)
    assert list_photos([tmp_path]) == ([made, mine], 0)


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/deep/x.png")
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "album").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/deep/back").symlink_to(folder)
    assert list_photos([folder]).files == [folder / "album/deep/x.png"]


def test_a_folder_or_a_file_without_rights_is_told_and_the_others_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, good = tmp_path / "locked", put(tmp_path / "z.png")
    locked.mkdir()
    shut = put(tmp_path / "shut.jpg")
    listed, read = Path.iterdir, Path.read_bytes

    def refusing(path: Path, original: object) -> object:
        if path in (locked, shut):
            raise PermissionError(13, "Permission denied")
        return original(path)  # type: ignore[operator]

    monkeypatch.setattr(Path, "iterdir", lambda path: refusing(path, listed))
    monkeypatch.setattr(Path, "read_bytes", lambda path: refusing(path, read))
    found = list_photos([tmp_path]).files
    assert found == [locked, shut, good]
    assert read_photo(shut) == UnreadablePhoto("unreadable", "Permission denied")


def test_a_photo_of_more_than_the_limit_is_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "large.png")
    assert not isinstance(read_photo(path), UnreadablePhoto)
    monkeypatch.setattr(photos, "MAX_PIXELS", 63)
    found = read_photo(path)
    assert isinstance(found, UnreadablePhoto)
    assert found.reason == "too_large"
    assert "8x8 px" in found.detail and "bomb" not in found.detail
    assert codec.MAX_SIDE**2 >= 200_000_000
