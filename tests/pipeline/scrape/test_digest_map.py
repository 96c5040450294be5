"""The compact map against a dict, and rows that come back from the disk in the order of their keys."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from curate.pipeline.core.errors import CurateError, TableError
from curate.pipeline.scrape.digest_map import DigestMap
from curate.pipeline.scrape.row_store import RowStore
from curate.pipeline.tables import manifest


def digest(n: int) -> bytes:
    return hashlib.sha256(str(n).encode()).digest()[:16]


def test_it_is_a_dict_of_digests() -> None:
    draw, known, places = random.Random(1), {}, DigestMap()
    for _ in range(5000):
        name, value = digest(draw.randrange(2000)), draw.randrange(2**62)
        known[name] = places[name] = value
    assert len(places) == len(known)
    assert all(places.get(name) == value and name in places for name, value in known.items())
    assert not any(digest(n) in places or places.get(digest(n)) for n in range(2000, 4000))
    assert list(places.in_order()) == [known[name] for name in sorted(known)]


def test_digests_that_begin_alike_are_told_apart() -> None:
    places = DigestMap()
    for n in range(300):
        places[b"\0" * 8 + n.to_bytes(8, "big")] = n
    assert [places.get(b"\0" * 8 + n.to_bytes(8, "big")) for n in range(301)] == [*range(300), None]
    assert list(places.in_order()) == list(range(300))


def rows(count: int) -> list[dict[str, object]]:
    return [
        {
            "candidate_id": digest(n).hex(),
            "domain": "長い髪",
            "source": "urls",
            "title": "a \u2028 line\nand more" * (n % 50),
            "license": "unknown",
            "rank": n,
            "status": manifest.REJECTED,
            "reason": "network",
        }
        for n in range(count)
    ]


def test_rows_make_the_same_file_as_a_table_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "GROUP", 64)
    spooled = RowStore(manifest.IMAGES, tmp_path / "spool")
    made = rows(200)
    for row in made:
        assert row["candidate_id"] not in spooled
        spooled.add(row)
        assert row["candidate_id"] in spooled
    there = manifest.write_batches(manifest.IMAGES, spooled.batches(), tmp_path / "a", {"x": 1})
    whole = manifest.from_rows(manifest.IMAGES, made)
    assert there.read_bytes() == manifest.write(manifest.IMAGES, whole, tmp_path / "b", {"x": 1}).read_bytes()
    assert manifest.read(manifest.IMAGES, tmp_path / "a").num_rows == 200
    assert not list((tmp_path / "spool").iterdir())


def test_no_rows_make_an_empty_table(tmp_path: Path) -> None:
    manifest.write_batches(manifest.IMAGES, RowStore(manifest.IMAGES, tmp_path / "spool").batches(), tmp_path)
    assert manifest.read(manifest.IMAGES, tmp_path).num_rows == 0


def test_batches_must_be_in_order_as_a_whole(tmp_path: Path) -> None:
    whole = manifest.from_rows(manifest.IMAGES, rows(20)).sort_by("candidate_id")
    with pytest.raises(TableError, match="not sorted"):
        manifest.write_batches(manifest.IMAGES, [whole.slice(10), whole.slice(0, 10)], tmp_path)
    assert not manifest.exists(manifest.IMAGES, tmp_path)
    manifest.write_batches(manifest.IMAGES, [whole.slice(0, 10), whole.slice(10)], tmp_path)


@pytest.mark.parametrize("lines", [b'{"rank": "x"}\n', b'{"stray": 1}\n', b"{\n"])
def test_lines_that_do_not_fit_the_schema(lines: bytes) -> None:
    with pytest.raises(TableError, match="images"):
        manifest.from_lines(manifest.IMAGES, lines)


def test_times_survive() -> None:
    for text in ("2026-11-21T02:00:00Z", "2026-11-21T02:00:00.123456Z"):
        line = msgspec.json.encode({**rows(1)[0], "retrieved_at": text})
        data = manifest.from_lines(manifest.IMAGES, line)
        assert data["retrieved_at"].cast(pa.string()).to_pylist()[0].startswith(text[:-1].replace("T", " "))


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CurateError, match="cannot write"):
        RowStore(manifest.IMAGES, tmp_path / "file" / "spool")
