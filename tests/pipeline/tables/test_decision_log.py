"""What a page sees of decisions that others make, too, and how it takes back its own."""

from __future__ import annotations

import re
from pathlib import Path

from curate.pipeline.tables import decisions
from curate.pipeline.tables.decision_log import DecisionLog
from tests.pipeline.tables.test_decisions import made


def state(log: DecisionLog, item: str) -> str | None:
    found = log.decided.decision(item)
    return found and found.decision


def test_it_follows_what_others_write(tmp_path: Path) -> None:
    log = DecisionLog(tmp_path)
    assert log.follow() == []
    decisions.append(tmp_path, [made("a"), made("b")])
    assert [one.item for one in log.follow() or ()] == ["a", "b"]
    decisions.append(tmp_path, [made("a", "keep", by="bob")])
    assert [one.by for one in log.follow() or ()] == ["bob"]
    assert (state(log, "a"), state(log, "b")) == ("keep", "reject")


def test_a_line_that_is_being_written_is_none_yet(tmp_path: Path) -> None:
    decisions.append(tmp_path, [made("a")])
    log = DecisionLog(tmp_path)
    with (tmp_path / decisions.FILE).open("ab") as file:
        file.write(b'{"item":"b","decision":"keep","by":"ann"')
        file.flush()
        assert log.follow() == []
        file.write(b"}\n")
    assert [one.item for one in log.follow() or ()] == ["b"]


def test_a_file_that_was_rewritten_is_read_anew(tmp_path: Path) -> None:
    decisions.append(tmp_path, [made("a"), made("b", by="select")])
    log = DecisionLog(tmp_path)
    decisions.remove(tmp_path, "select")
    assert log.follow() is None
    assert (state(log, "a"), state(log, "b")) == ("reject", None)
    path = tmp_path / decisions.FILE
    line = re.sub(b',"crc":"[^"]*"', b"", path.read_bytes().replace(b"reject", b"keep"))
    path.write_bytes(line + b" " * 9 + b"\n" * 99)  # an editor, in place
    assert log.follow() is None and state(log, "a") == "keep"
    path.unlink()
    assert log.follow() is None and state(log, "a") is None


def test_an_undo_is_a_line_and_takes_back_ones_own_newest(tmp_path: Path) -> None:
    log = DecisionLog(tmp_path)
    decisions.append(tmp_path, [made("a", "keep"), made("a"), made("a", "reject", by="bob"), made("a", "undo")])
    log.follow()
    assert state(log, "a") == "reject", "bob's stands"
    decisions.append(tmp_path, [made("a", "undo", by="bob")])
    log.follow()
    assert state(log, "a") == "keep"
    decisions.append(tmp_path, [made("a", "undo"), made("a", "undo"), made("never", "undo")])
    log.follow()
    assert state(log, "a") is None and not log.decided
    assert not decisions.read(tmp_path), "whoever reads the file says the same"


def test_the_last_action_is_all_that_was_decided_at_one_time(tmp_path: Path) -> None:
    log = DecisionLog(tmp_path)
    first = [made("a", when="1"), made("b", when="1")]
    decisions.append(tmp_path, [*first, made("c", by="bob", when="1"), made("d", when="2")])
    log.follow()
    assert [one.item for one in log.last_action("ann")] == ["d"]
    decisions.append(tmp_path, [made("d", "undo", when="3")])
    log.follow()
    assert [one.item for one in log.last_action("ann")] == ["b", "a"]
    decisions.append(tmp_path, [made("b", "undo", when="4"), made("a", "undo", when="4"), made("a", when="5")])
    log.follow()
    assert [one.when for one in log.last_action("ann")] == ["5"]
    assert [one.item for one in log.last_action("bob")] == ["c"]
    assert log.last_action("eve") == []


def test_the_same_twice_in_a_row_is_one_action(tmp_path: Path) -> None:
    log = DecisionLog(tmp_path)
    decisions.append(tmp_path, [made("a", when="1"), made("b", when="2"), made("a", when="3")])
    log.follow()
    assert [one.when for one in log.last_action("ann")] == ["3"]
    log.append([made("a", "undo", when="4")])
    log.follow()
    assert [one.item for one in log.last_action("ann")] == ["b"]
    assert state(log, "a") is None
