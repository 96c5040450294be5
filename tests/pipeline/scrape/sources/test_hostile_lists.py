"""Lists with a broken value among good ones: one bad row costs one row; a list that is none is one clear line."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, urls
from curate.pipeline.scrape.sources.candidate import Candidate, storable
from curate.pipeline.scrape.web.url import LONGEST
from tests.pipeline.scrape.test_hostile_pages import ADDRESSES, VALUES
from tests.pipeline.scrape.test_stage import rows, scraped
from tests.support.fake_apis import Notes
from tests.support.http_server import Site, photo

FIRST, LAST = "https://a.example/1.jpg", "https://a.example/2.jpg"
MILLION = "x" * 1_000_000


def read(path: Path, notes: Notes | None = None) -> list[Candidate]:
    """The candidates of a list, as the journal takes them; the first and the last must be the good ones."""
    query = Query(source="urls", input=str(path))
    found = [storable(one) for one in urls.search(query, cast(Pages, notes or Notes()))]
    assert (found[0].image_url, found[-1].image_url) == (FIRST, LAST)
    for one in found:
        said = [one.address, one.title, one.creator, one.license_url, one.page_url, one.role, one.group_id]
        assert max(len(text or "") for text in said) <= LONGEST
        "".join(text or "" for text in said).encode()
    return found


@pytest.mark.parametrize("name", VALUES)
def test_a_broken_value_in_json_costs_its_row(tmp_path: Path, name: str) -> None:
    said = VALUES[name]
    facts = ", ".join(f'"{key}": {said}' for key in ("title", "license", "creator", "role", "group_id", "page_url"))
    lines = [f'{{"url": "{FIRST}"}}', f'{{"url": {said}}}', said, f'{{"src": "{FIRST}?", {facts}}}', f'"{LAST}"']
    (tmp_path / "l.jsonl").write_text("\n".join(lines))
    notes = Notes()
    found = read(tmp_path / "l.jsonl", notes)
    assert len(found) >= 4
    for said in notes.said:
        assert re.fullmatch(r"\S+l\.jsonl:[234]: no address can be read in this row(, and \d more like it)?", said)


@pytest.mark.parametrize("name", ["lists", "null", "objects", "half a character", "of 400 digits"])
def test_a_broken_licence_of_a_coco_list_costs_its_licence(tmp_path: Path, name: str) -> None:
    said = {**VALUES, "null": "null", "objects": '{"a": 1}'}[name]
    licenses = f'[{{"id": {said}, "name": {said}}}, {said}, {{"id": 3, "name": "CC0"}}]'
    images = f'[{{"url": "{FIRST}", "license": {said}}}, {{"url": "{LAST}", "license": 3}}]'
    (tmp_path / "l.json").write_text(f'{{"licenses": {licenses}, "images": {images}}}')
    assert read(tmp_path / "l.json")[-1].license == "cc0-1.0"


@pytest.mark.parametrize("said", [*ADDRESSES, "data:image/png;base64," + "A" * 100_000, MILLION])
def test_an_address_that_is_none_costs_its_row(tmp_path: Path, said: str) -> None:
    table = [["url", "title", "page_url", "license_url", "role"], [FIRST], [FIRST + "?", said, said, said, said]]
    table += [[said, "x"], [LAST, "y"]]
    quoted = (",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in table)
    (tmp_path / "l.csv").write_bytes("\n".join(quoted).encode("utf-8", "replace"))
    assert len(read(tmp_path / "l.csv")) == 4
    objects = (dict(zip(table[0], row, strict=False)) for row in table[1:])
    (tmp_path / "l.jsonl").write_text("\n".join(map(json.dumps, objects)))
    assert len(read(tmp_path / "l.jsonl")) == 4


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_cell_of_a_million_characters_costs_nothing_else(tmp_path: Path, quote: str) -> None:
    lines = ["title,url", f"a,{FIRST}", f"{quote}{MILLION}{quote},{FIRST}?", f"b,{LAST}"]
    (tmp_path / "l.csv").write_text("\n".join(lines))
    assert [len(one.title or "") for one in read(tmp_path / "l.csv")] == [1, 500, 1]
    (tmp_path / "l.txt").write_text(f"{FIRST}\n{FIRST}? {'y' * 5_000_000}\n{LAST}\n")
    assert len(read(tmp_path / "l.txt")) == 3


def test_quotes_that_stay_open_are_read_once(tmp_path: Path) -> None:
    """As many lines as took minutes, each with a quote that is never closed."""
    line = f'x,{"y" * 600}"z,"open\n'
    (tmp_path / "l.csv").write_text(f"title,url\na,{FIRST}\n{line * 500}b,{LAST}\n")
    assert len(read(tmp_path / "l.csv")) > 500


def test_what_python_has_no_value_for_is_an_empty_cell(tmp_path: Path) -> None:
    ends = pa.py_buffer(pa.array([0, 1, 3, 4], pa.int32()).buffers()[1])
    broken = pa.Array.from_buffers(pa.string(), 3, [None, ends, pa.py_buffer(b"a\xff\xfeb")])
    far = pa.array([0, 2**62, 0], pa.timestamp("us"))
    table = pa.table({"url": pa.array([FIRST, FIRST + "?", LAST]), "title": broken, "description": far})
    pq.write_table(table, tmp_path / "l.parquet")
    assert [one.title for one in read(tmp_path / "l.parquet")] == ["a", None, "b"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("l.json", "[" * 100_000, "more than 100 lists or objects within each other"),
        ("l.json", "[" * 300 + "]" * 300, "more than 100 lists or objects within each other"),
        ("l.json", "9" * 5000, "limit"),
        ("l.csv.gz", gzip.compress(f"url\n{FIRST}\n".encode() * 1000)[:-20], "ended before"),
        ("l.csv", b"PAR1xxxx", "cannot be read as a list"),
        ("l.csv", ",".join([MILLION] * 3), "no column of addresses"),
    ],
)
def test_a_list_that_cannot_be_read_is_one_clear_line(
    tmp_path: Path, name: str, content: bytes | str, message: str
) -> None:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UsageError, match=message) as raised:
        read(tmp_path / name)
    assert name in raised.value.message and len(raised.value.message) < 500 and raised.value.hint


def test_a_scrape_of_such_a_list_has_all_rows(site: Site, tmp_path: Path) -> None:
    good = [site.add(f"/{n}.jpg", photo(n)) for n in range(2)]
    said = [one.encode("utf-8", "replace").decode() for one in ADDRESSES]
    found = scraped(site, tmp_path, [good[0], *said, good[1]])
    assert {found[path]["reason"] for path in ("/0.jpg", "/1.jpg")} == {"ok"}
    assert len(rows(tmp_path)) == 2 + len(said)
    asked = len(site.requests)
    assert scraped(site, tmp_path, [good[0], *said, good[1]]) == found
    assert len(site.requests) == asked
