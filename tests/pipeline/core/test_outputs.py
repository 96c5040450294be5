"""Nothing is written over what a person made: not over inputs under any name, not over strangers' files, not twice."""

from __future__ import annotations

import errno
import json
import os
import unicodedata
from pathlib import Path

import pytest

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.outputs import RECORD, OutputPlan, Record, files_of, name_key


def put(target: Path, text: str, *inputs: Path, force: bool = False) -> None:
    """What a command does that makes `target` from `inputs`."""
    with OutputPlan([target], inputs, force=force) as plan, plan.write(target) as temporary:
        temporary.write_text(text)


@pytest.mark.parametrize("link", [os.link, os.symlink, lambda source, target: None])
@pytest.mark.parametrize("force", [False, True])
def test_an_input_is_never_written_over_under_whatever_name(tmp_path: Path, link: object, force: bool) -> None:
    photo = tmp_path / "photo.png"
    photo.write_text("mine")
    target = tmp_path / "other.png"
    link(photo, target)  # type: ignore[operator]
    if not target.exists():
        target = tmp_path / "sub" / ".." / "photo.png"
        (tmp_path / "sub").mkdir()
    with pytest.raises(UsageError, match="is one of the inputs"):
        OutputPlan([tmp_path / "new.png", target], [photo], force=force)
    assert photo.read_text() == "mine"
    assert not (tmp_path / "new.png").exists()


def test_the_same_command_may_write_again_what_it_wrote(tmp_path: Path) -> None:
    target = tmp_path / "out" / "x.png"
    for text in ("first", "second"):
        put(target, text)
        assert target.read_text() == text
    assert [json.loads(line)["name"] for line in (target.parent / RECORD).read_text().splitlines()] == ["x.png"]


def test_one_command_writes_into_a_folder_at_a_time(tmp_path: Path) -> None:
    first, second = OutputPlan([tmp_path / "a.png"]), OutputPlan([tmp_path / "b.png"])
    with first, pytest.raises(UsageError, match=rf"process {os.getpid()} .* is at work there"), second:
        pytest.fail("two at once")
    with second, second.write(tmp_path / "b.png") as temporary:
        temporary.write_text("b")
    assert sorted(path.name for path in tmp_path.iterdir()) == [RECORD, "b.png"]


def test_strangers_files_stay_without_force(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_text("somebody's")
    with pytest.raises(UsageError, match=r"a\.png: is there already.*, and 1 more are") as told:
        OutputPlan([tmp_path / "a.png", tmp_path / "b.png"])
    assert "--force" in told.value.hint
    put(tmp_path / "a.png", "ours", force=True)
    put(tmp_path / "a.png", "ours again")


def test_what_was_changed_since_is_the_persons(tmp_path: Path) -> None:
    put(tmp_path / "x.png", "made")
    (tmp_path / "x.png").write_text("retouched by hand")
    with pytest.raises(UsageError, match="is there already"):
        put(tmp_path / "x.png", "made")
    assert (tmp_path / "x.png").read_text() == "retouched by hand"


@pytest.mark.parametrize("other", ["ANNA.png", unicodedata.normalize("NFD", "änna.png"), "sub/../anna.png"])
def test_two_targets_of_one_name_are_refused(tmp_path: Path, other: str) -> None:
    (tmp_path / "sub").mkdir()
    first = "änna.png" if "nna" in other and not other.isascii() else "anna.png"
    with pytest.raises(UsageError, match="two results of one name"):
        OutputPlan([tmp_path / first, tmp_path / other])


def test_names_are_compared_as_by_a_file_system_without_case() -> None:
    assert name_key(Path("Straße/É.PNG")) == name_key(Path("STRASSE") / unicodedata.normalize("NFD", "é.png"))
    assert name_key(Path("a.png")) != name_key(Path("b.png"))


@pytest.mark.parametrize("place", ["file/x.png", "file/deep/x.png", "folder"])
def test_a_place_where_no_file_can_be_is_told_at_once(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=r"is no folder|is a folder"):
        OutputPlan([tmp_path / "good.png", tmp_path / place])


def test_a_target_that_comes_late_is_checked_when_it_comes(tmp_path: Path) -> None:
    (tmp_path / "late.png").write_text("somebody's")
    with OutputPlan([]) as plan:
        with pytest.raises(UsageError, match="is there already"), plan.write(tmp_path / "late.png"):
            pass
        with plan.write(tmp_path / "free.png") as temporary:
            temporary.write_text("ours")
    assert Record(tmp_path).holds(tmp_path / "free.png")
    assert not Record(tmp_path).holds(tmp_path / "late.png")


def test_what_a_killed_command_wrote_is_known_as_ours(tmp_path: Path) -> None:
    plan = OutputPlan([tmp_path / "x.png"])
    with plan.write(tmp_path / "x.png") as temporary:
        temporary.write_text("whole")
    with (tmp_path / RECORD).open("a") as record:  # never tidied up, and torn at its end
        record.write('{"name": "y.png", "sha')
    put(tmp_path / "x.png", "again")


def test_a_failing_write_leaves_target_and_record_alone(tmp_path: Path) -> None:
    put(tmp_path / "x.png", "first")
    plan = OutputPlan([tmp_path / "x.png"])
    with pytest.raises(ValueError, match="broken"), plan, plan.write(tmp_path / "x.png") as temporary:
        temporary.write_text("half")
        raise ValueError("broken")
    assert (tmp_path / "x.png").read_text() == "first"
    assert Record(tmp_path).holds(tmp_path / "x.png")


@pytest.mark.parametrize("refused", ["replace", "fsync"])
def test_what_a_disk_did_not_let_take_its_place_is_forgotten(
    refused: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_once(*_: object) -> None:
        patched.undo()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    put(tmp_path / "a.png", "old")
    before = (tmp_path / RECORD).read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, refused, refuse_once)
        with pytest.raises(CurateError, match=r"a\.png: cannot write"):
            put(tmp_path / "a.png", "new")
    assert (tmp_path / RECORD).read_bytes() == before
    put(tmp_path / "a.png", "new")


def test_the_record_is_the_same_in_any_order_and_forgets_what_is_gone(tmp_path: Path) -> None:
    for folder, order in (("one", "abc"), ("two", "cab")):
        for name in order:
            put(tmp_path / folder / name, name)
        (tmp_path / folder / "b").unlink()
        put(tmp_path / folder / "a", "a")
    assert (tmp_path / "one" / RECORD).read_bytes() == (tmp_path / "two" / RECORD).read_bytes()
    assert "b" not in {json.loads(line)["name"] for line in (tmp_path / "one" / RECORD).read_text().splitlines()}


def test_a_record_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / RECORD).mkdir()
    with pytest.raises(CurateError, match=r"cannot read: Is a directory\n  move away what lies there"):
        put(tmp_path / "x.png", "ours")


def test_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.pth").write_text("")
    assert files_of([tmp_path / "in", tmp_path / "none"]) == [tmp_path / "in/a.pth", tmp_path / "none"]


@pytest.mark.parametrize("name", ["x" * 300, "../mine.png", "..", "", "a\0b"])
def test_a_record_of_a_stranger_names_files_of_its_folder_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.png").write_text("mine")
    folder = tmp_path / "out"
    folder.mkdir()
    lines = [json.dumps({"name": name, "sha256": text}) for text in ("a", "b")]
    (folder / RECORD).write_text("".join(f"{line}\n" for line in lines))
    put(folder / "x.png", "new")
    assert [json.loads(line)["name"] for line in (folder / RECORD).read_text().splitlines()] == ["x.png"]
