"""Decisions: who outranks whom, what a broken file costs, and that no writer loses another's lines."""

from __future__ import annotations

import errno
import multiprocessing
import os
import re
from pathlib import Path

import pytest

from curate.pipeline.core.errors import CurateError
from curate.pipeline.tables import decisions
from curate.pipeline.tables.decisions import Decision


def made(item: str, decision: str = "reject", by: str = "ann", **more: str) -> Decision:
    return Decision(item=item, decision=decision, by=by, **more)  # type: ignore[arg-type]


def lines(root: Path) -> list[str]:
    return (root / decisions.FILE).read_text("utf-8").splitlines()


def test_no_file_decides_nothing(tmp_path: Path) -> None:
    found = decisions.read(tmp_path)
    assert not found
    assert found.decision("a") is None
    assert found.refusal("a", "b") is None


def test_a_decision_comes_back_as_it_was_made(tmp_path: Path) -> None:
    one = made("a", reason='鏡像 \n "quoted"', when=decisions.now())
    decisions.append(tmp_path, [one])
    assert decisions.read(tmp_path).decision("a") == one
    assert len(lines(tmp_path)) == 1


def test_the_last_line_wins(tmp_path: Path) -> None:
    decisions.append(tmp_path, [made("a"), made("a", "keep")])
    assert decisions.read(tmp_path).refusal("a") is None
    decisions.append(tmp_path, [made("a", by="bob")])
    assert decisions.read(tmp_path).refusal("a") == "review"


def test_a_person_outranks_select_whichever_came_last(tmp_path: Path) -> None:
    decisions.append(tmp_path, [made("a", "keep"), made("a", by="select"), made("b", by="select"), made("b", "keep")])
    found = decisions.read(tmp_path)
    assert found.refusal("a") is None
    assert found.refusal("b") is None
    assert found.kept_by_person("a")


def test_an_image_speaks_for_what_is_made_of_it_until_that_is_decided_itself(tmp_path: Path) -> None:
    decisions.append(tmp_path, [made("image"), made("other", "keep"), made("crop", "keep")])
    found = decisions.read(tmp_path)
    assert found.refusal("another crop", "image") == "review"
    assert found.refusal("crop", "image") is None
    assert found.refusal("pair", "other", "image") == "review"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no json", "JSON"),
        ('{"item": "a"', "truncated"),
        ('{"item": "a", "decision": "drop", "by": "ann"}', "drop"),
        ('{"item": "a", "decision": "%s", "by": "ann"}' % ("x" * 4000), "xxx..."),
        ('{"item": "", "decision": "keep", "by": "ann"}', "item"),
        ('{"decision": "keep", "by": "ann"}', "item"),
        ("[1, 2]", "object"),
        ('{"item": "\udcff", "decision": "keep", "by": "ann"}', "utf-8"),
    ],
)
def test_a_malformed_line_is_told_with_its_number_and_costs_no_other(line: str, said: str, tmp_path: Path) -> None:
    decisions.append(tmp_path, [made("a")])
    with (tmp_path / decisions.FILE).open("ab") as file:
        file.write(b"\n" + line.encode("utf-8", "surrogateescape") + b"\n")
    decisions.append(tmp_path, [made("b")])
    problems: list[str] = []
    found = decisions.read(tmp_path, problems.append)
    assert [found.refusal(item) for item in "ab"] == ["review", "review"]
    (problem,) = problems
    assert problem.startswith(f"{tmp_path / decisions.FILE}:3: ")
    assert said in problem


def test_a_flipped_bit_in_a_line_is_named_and_decides_nothing(tmp_path: Path) -> None:
    decisions.append(tmp_path, [made("a"), made("b")])
    path = tmp_path / decisions.FILE
    whole, second = path.read_bytes().splitlines(keepends=True)
    for at in range(len(whole) - len(b"}\n")):
        flipped = bytearray(whole)
        flipped[at] ^= 1
        path.write_bytes(bytes(flipped) + second)
        told: list[str] = []
        found = decisions.read(tmp_path, told.append)
        assert found.decision("b") and (found.decision("a") == made("a") or f"{decisions.FILE}:" in told[0])


def test_a_line_says_its_checksum_and_one_without_is_read_as_it_is(tmp_path: Path) -> None:
    decisions.append(tmp_path, [made("a")])
    path = tmp_path / decisions.FILE
    [line] = lines(tmp_path)
    assert re.search(r',"crc":"[0-9a-f]{8}"\}$', line)
    edited = line.replace("reject", "keep")
    path.write_text(f"{edited}\n")
    told: list[str] = []
    assert not decisions.read(tmp_path, told.append) and "its crc is of another text" in told[0]
    path.write_text(re.sub(',"crc":"[^"]*"', "", edited) + " \r\n")
    assert decisions.read(tmp_path).kept_by_person("a")


def test_a_line_that_was_left_open_is_closed_first(tmp_path: Path) -> None:
    decisions.append(tmp_path, [made("a")])
    path = tmp_path / decisions.FILE
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    decisions.append(tmp_path, [made("b")])
    found = decisions.read(tmp_path)
    assert found.decision("a")
    assert found.decision("b")


def test_removing_takes_that_deciders_lines_and_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / decisions.FILE
    path.parent.mkdir()
    odd = '{"by": "ann",  "item": "a", "decision": "reject", "mood": "fine"}'
    path.write_text(f'{odd}\nbroken\n\n{{"item": "b", "decision": "reject", "by": "select"}}\n', "utf-8")
    assert decisions.remove(tmp_path, "select") == 1
    assert lines(tmp_path) == [odd, "broken", ""]
    assert decisions.remove(tmp_path, "select") == 0


def test_removing_makes_no_file(tmp_path: Path) -> None:
    assert decisions.remove(tmp_path, "select") == 0
    assert not (tmp_path / decisions.FILE).exists()


def test_replacing_by_the_same_leaves_the_file_alone(tmp_path: Path) -> None:
    first = {item: made(item, by="select", reason="surplus", when="2026-01-01T00:00:00Z") for item in "abc"}
    decisions.append(tmp_path, [made("z")])
    decisions.replace(tmp_path, "select", first)
    before = lines(tmp_path)
    later = {item: made(item, by="select", reason="surplus", when="2026-02-02T00:00:00Z") for item in "abd"}
    decisions.replace(tmp_path, "select", {k: later.get(k, first[k]) for k in "abc"})
    assert lines(tmp_path) == before
    decisions.replace(tmp_path, "select", later)
    assert lines(tmp_path)[:3] == before[:3]
    assert [line for line in lines(tmp_path) if '"c"' in line] == []
    assert decisions.read(tmp_path).refusal("z") == "review"


def test_writers_do_not_lose_each_others_lines(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write, args=(tmp_path, name)) for name in ("ann", "bob")]
    for writer in writers:
        writer.start()
    for _ in range(20):
        decisions.remove(tmp_path, "select")
        decisions.append(tmp_path, [made("s", by="select")])
    for writer in writers:
        writer.join()
    decisions.remove(tmp_path, "select")
    problems: list[str] = []
    decisions.read(tmp_path, problems.append)
    assert not problems
    assert len(lines(tmp_path)) == 100


def _write(root: Path, name: str) -> None:
    for number in range(50):
        decisions.append(root, [made(f"{name}{number}", by=name)])


def test_a_disk_that_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / decisions.FILE).mkdir(parents=True)
    with pytest.raises(CurateError, match="cannot write"):
        decisions.append(tmp_path, [made("a")])


@pytest.mark.parametrize("refused", [("fsync", "ftruncate"), ("replace",)])
def test_what_a_disk_does_not_let_take_back_stands(
    refused: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decisions.append(tmp_path, [made("a"), made("a", "keep")])
    before = lines(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patched:
        for call in refused:
            patched.setattr(os, call, refuse)
        with pytest.raises(CurateError, match="cannot write: Read-only"):
            decisions.append(tmp_path, [made("a", "undo")])
    assert lines(tmp_path) == before
    decisions.append(tmp_path, [made("a", "undo")])
    assert decisions.read(tmp_path).refusal("a") == "review", "one was taken back, not two"


def test_the_same_twice_in_a_row_is_taken_back_at_once(tmp_path: Path) -> None:
    again = [made("a", when="2"), made("a", "keep", when="3"), made("a", by="bob"), made("a", "keep", when="4")]
    decisions.append(tmp_path, [made("a", when="1"), *again])
    found = decisions.read(tmp_path)
    assert found.kept_by_person("a")
    newest = [found.newest("a", "ann")]
    found.add([made("a", "undo")])
    newest.append(found.newest("a", "ann"))
    assert [one and one.when for one in newest] == ["4", "2"]
    found.add([made("a", "undo")])
    assert found.newest("a", "ann") is None
    assert found.refusal("a") == "review", "bob's stands"


def test_a_moved_crop_is_in_the_domain_that_its_line_names(tmp_path: Path) -> None:
    decisions.append(tmp_path, [made("a", "move", domain="short"), made("image", "move", domain="long")])
    found = decisions.read(tmp_path)
    assert found.domain("long", "a", "photo") == "short"
    assert found.domain("short", "b", "image") == "long"
    assert found.domain("short", "c", "photo") == "short"
    assert found.refusal("a") is None
    decisions.append(tmp_path, [made("a")])
    assert decisions.read(tmp_path).domain("long", "a") == "long"


@pytest.mark.parametrize("domain", ["a\\u001b[2J", "a\\nb", " ", "\\u202e", "x" * 251])
def test_a_move_names_a_domain(tmp_path: Path, domain: str) -> None:
    (tmp_path / "manifests").mkdir()
    line = f'{{"item": "a", "decision": "move", "domain": "{domain}", "by": "ann"}}\n'
    (tmp_path / decisions.FILE).write_text(line)
    told: list[str] = []
    assert not decisions.read(tmp_path, told.append)
    assert "`domain` is no name of a domain" in told[0]


@pytest.mark.parametrize("line", ['"decision": "move"', '"decision": "keep", "domain": "short"'])
def test_a_move_says_where_to_and_nothing_else_does(tmp_path: Path, line: str) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / decisions.FILE).write_text(f'{{"item": "a", {line}, "by": "ann"}}\n')
    told: list[str] = []
    assert not decisions.read(tmp_path, told.append)
    assert "`domain` says where to move it" in told[0]
