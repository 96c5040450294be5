"""Lines of a journal that nobody's scrape wrote: one line that names them, in no time and no memory."""

from __future__ import annotations

import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.core.errors import CurateError
from curate.pipeline.scrape.journal import Journal
from curate.pipeline.scrape.places import Places

SEEN: dict[str, Any] = {"event": "seen", "key": "k", "index": 0, "outcome": None}
SEEN["candidate"] = {"address": "https://demo.test/1.png", "image_url": "https://demo.test/1.png"}
BROKEN = {
    "an index before the first": json.dumps(SEEN | {"index": -5}),
    "an index that is text": json.dumps(SEEN | {"index": "1"}),
    "a name that is none": '{"event": "forget", "digest": "zz"}',
    "a count below nothing": '{"event": "done", "key": "k", "count": -1}',
    "a hash that is a fraction": '{"event": "avoid", "phash": 1e30}',
    "no event": "{}",
    "an endless event": json.dumps({"event": "x" * 4000}),
    "a list": "[1]",
    "deep": '{"event":' * 5000 + "1" + "}" * 5000,
    "bytes": "\udcff\udcfe",
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_named_with_what_to_do(tmp_path: Path, line: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(f"{json.dumps(SEEN)}\n{line}\n".encode("utf-8", "surrogateescape"))
    before = path.read_bytes()
    with pytest.raises(CurateError, match=r"journal\.jsonl:2: not a line of a journal: ") as told:
        Journal(path)
    assert "\n" not in told.value.message
    assert len(told.value.message) < len(str(path)) + 200
    assert "move it away" in told.value.hint
    assert path.read_bytes() == before


def test_a_flipped_bit_in_a_line_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.done("k", 8)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"count":8', b'"count":9'))
    with pytest.raises(CurateError, match=r"journal\.jsonl:1: not a line of a journal: its crc is of another text"):
        Journal(path)
    path.write_bytes(re.sub(rb',"crc":"\w+"', b"", whole))
    with Journal(path) as journal:
        assert journal.count("k") == 8


def test_places_may_be_left_out_as_forgetting_does(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    lines = [json.dumps(SEEN | {"index": index}) for index in (0, 70_000)]
    path.write_text("\n".join([*lines, '{"event": "done", "key": "k", "count": 70001}', ""]), "utf-8")
    with Journal(path) as journal:
        assert len(list(journal.candidates("k"))) == 2


@pytest.mark.parametrize("far", [2**26 - 1, 2**40])
def test_a_number_far_out_costs_what_its_line_takes(tmp_path: Path, far: int) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text("".join(json.dumps(SEEN | {"index": index}) + "\n" for index in (0, far, 2)), "utf-8")
    tracemalloc.start()
    try:
        with Journal(path) as journal:
            assert len(list(journal.remaining("s", "k", 0))) == 3
            assert len(list(journal.remaining("s", "k", 3))) == 1
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@given(st.lists(st.integers(0, 300), unique=True))
def test_places_are_found_by_number_whatever_order_they_come_in(numbers: list[int]) -> None:
    places = Places()
    for at, number in enumerate(numbers):
        places[number] = at
    assert [places[number] for number in numbers] == list(range(len(numbers)))
    assert places[301] is None and bool(places) == bool(numbers)
    for first, end in ((0, None), (100, None), (0, 200), (50, 150)):
        wanted = [number for number in sorted(numbers) if first <= number < (end or 301)]
        assert list(places.between(first, end)) == [numbers.index(number) for number in wanted]
