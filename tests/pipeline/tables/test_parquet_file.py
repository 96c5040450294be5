"""A bit that flips in a table, or in the notes beside its rows, is noticed; what others wrote is read as it is."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.pipeline.dedup.fingerprints import THUMB
from curate.pipeline.tables import parquet_file
from curate.pipeline.tables.manifest import FINGERPRINTS
from curate.pipeline.tables.partial import PartialTable

ROWS = pa.table({"word": [f"{n:x}" * 9 for n in range(500)], "hash": pa.array([n * 2**40 for n in range(500)])})
NOTES = {b"curate.meta": b'{"section": {"size": 128}}', b"curate.version": b"3"}


def written(path: Path) -> bytes:
    with parquet_file.writer(path, ROWS.schema, NOTES) as file:
        file.write_table(ROWS)
    return path.read_bytes()


def test_what_is_written_is_read_and_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    first = written(tmp_path / "x")
    assert parquet_file.read(tmp_path / "x").equals(ROWS)
    assert parquet_file.read(tmp_path / "x", ["hash"]).schema.names == ["hash"]
    assert parquet_file.notes(tmp_path / "x") == NOTES
    with parquet_file.opened(tmp_path / "x") as file:
        assert sum(batch.num_rows for batch in file.iter_batches(100)) == 500
    assert written(tmp_path / "y") == first


def test_a_file_that_fails_while_it_is_read_does_not_end_the_process(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with parquet_file.writer(path, ROWS.schema) as file:
        for _ in range(40):
            file.write_table(ROWS)
    cut = """if True:
        import os, sys
        from pathlib import Path
        from curate.pipeline.tables import parquet_file
        with parquet_file.opened(Path(sys.argv[1])) as file:
            os.truncate(sys.argv[1], 0)  # a map of it ends in a signal, as where a disk fails
            try:
                list(file.iter_batches(100))
            except parquet_file.BROKEN:
                print("broken")
    """
    done = subprocess.run([sys.executable, "-c", cut, path], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "broken\n"), done.stderr


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path, draws = tmp_path / "x", random.Random(1)
    whole = written(path)
    noticed = 0
    for place in draws.sample(range(8 * len(whole)), 400):
        path.write_bytes(flipped(whole, place))
        try:
            rows, notes = parquet_file.read(path), parquet_file.notes(path)
        except parquet_file.BROKEN:
            noticed += 1
        else:
            assert rows.equals(ROWS) and notes.items() >= NOTES.items(), place
    assert noticed > 300  # the rest are statistics and names that nobody reads


def flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def test_what_others_wrote_has_no_digests_and_is_read(tmp_path: Path) -> None:
    pq.write_table(ROWS.replace_schema_metadata(NOTES), tmp_path / "x")
    assert parquet_file.read(tmp_path / "x").equals(ROWS)
    assert parquet_file.notes(tmp_path / "x") == NOTES


def test_notes_that_were_exchanged_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    written(path)
    other = pq.read_schema(path).metadata | {b"curate.version": b"4"}
    pq.write_table(ROWS.replace_schema_metadata(other), path)
    with pytest.raises(ValueError, match="changed since it was written"):
        parquet_file.notes(path)


def test_a_flipped_bit_in_a_finished_batch_costs_that_batch(tmp_path: Path) -> None:
    partial = PartialTable(FINGERPRINTS, tmp_path, "parts")
    for first in range(3):
        partial.add(
            "s", [{"crop_id": f"{first:064}", "phash": first, "variants": [], "contrast": 1.0, "thumb": bytes(THUMB)}]
        )
    assert partial.read("s").num_rows == 3
    path = sorted(tmp_path.rglob("*.arrow"))[1]
    whole = path.read_bytes()
    for place in random.Random(1).sample(range(8 * len(whole)), 100):
        path.write_bytes(flipped(whole, place))
        assert [int(name) for name in partial.read("s")["crop_id"].to_pylist()] == [0, 2], place
