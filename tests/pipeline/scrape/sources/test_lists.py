"""Lists of addresses as other programs write them: what is read of each, and what is said where it is none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, urls
from curate.pipeline.scrape.sources.candidate import Candidate
from tests.support.fake_apis import Notes

A, B = "https://a.example/1.jpg", "https://b.example/x/2.png?w=9"


def read(path: Path) -> list[Candidate]:
    return list(urls.search(Query(source="urls", input=str(path)), cast(Pages, Notes())))


def told(path: Path) -> list[tuple[str, str | None]]:
    """Address and title of every row."""
    return [(one.address, one.title) for one in read(path)]


def put(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


BOTH = f"title,link\n写真,{A}\nb,{B}\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp932"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators(tmp_path: Path, encoding: str, separator: str) -> None:
    path = put(tmp_path, "list.CSV", BOTH.replace(",", separator).encode(encoding))
    assert told(path) == [(A, "写真"), (B, "b")]
    packed = put(tmp_path, "list.tsv.gz", gzip.compress(BOTH.replace(",", separator).encode(encoding)))
    assert told(packed) == [(A, "写真"), (B, "b")]


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("l.txt", f"# mine\n{A}\n\n  {B}  \n", [(A, None), (B, None)]),
        ("l.txt", f"{A}\ta cat\n7\t{B}\n", [(A, "a cat"), (B, "7")]),
        ("l.txt", f"n0123_1 {A}\n{A} a cat, asleep\n", [(A, "n0123_1"), (A, "a cat, asleep")]),
        ("l.txt", "https://a.example/my photo.jpg\n", [("https://a.example/my%20photo.jpg", None)]),
        ("l.txt", f'"{A}",\n<{B}>\n', [(A, None), (B, None)]),
        ("l.txt", f"image_url\ttext\n{A}\tone\n", [(A, "one")]),
        ("l.csv", f"\n\nurl,title\n{A},one\n", [(A, "one")]),
        ("l.csv", f"sep=;\nurl;title\n{A};one, two\n", [(A, "one, two")]),
        ("l.csv", f"Image URL,Caption\n{A},red, blue, green\n", [(A, "red, blue, green")]),
        ("l.csv", f"caption,url\nred, blue,{A}\nplain,{B}\n", [(A, "red, blue"), (B, "plain")]),
        ("l.csv", f"{A},one\n{B},two\n", [(A, "one"), (B, "two")]),
        ("l.csv", f'url,title\n{A},"two\nlines"\n{B},"a ""b"" c"\n', [(A, "two lines"), (B, 'a "b" c')]),
        ("l.tsv", f'url\ttitle\n{A}\t"open\n{B}\t7" wide\n', [(A, '"open'), (B, '7" wide')]),
        ("l.tsv", f'title\turl\n"open\t{A}\n"also\t{B}', [("https://a.example/1.jpg", '"open'), (B, '"also')]),
        ("l.jsonl", f'{{"src": "{A}"}}\n{{"image": {{"url": "{B}", "w": 3}}}}\n', [(A, None), (B, None)]),
        ("l.jsonl", json.dumps({"image_urls": [A, B], "title": "both"}), [(A, "both"), (B, "both")]),
        ("l.json", json.dumps([A, B]), [(A, None), (B, None)]),
        (
            "l.json",
            json.dumps({"results": [{"urls": {"raw": A, "id": 3}}, {"link": B}]}, indent=2),
            [(A, None), (B, None)],
        ),
        ("l.ndjson", json.dumps({"data": {"children": 1, "items": [{"contentUrl": A}]}}), [(A, None)]),
    ],
)
def test_dialects(tmp_path: Path, name: str, text: str, found: list[tuple[str, str | None]]) -> None:
    assert told(put(tmp_path, name, text)) == found


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"URL": pa.array([None, B]), "url": pa.array([A, None])}, [A, B]),
        ({"image": pa.array([A.encode(), B.encode()], pa.large_binary())}, [A, B]),
        ({"images": pa.array([[A, B], []], pa.list_(pa.string()))}, [A, B, "row 2"]),
        ({"src": pa.array([{"url": A}, {"url": B}])}, [A, B]),
        ({"url": pa.array([A, B]).dictionary_encode(), "pixels": pa.array([b"1", b"2"])}, [A, B]),
    ],
)
def test_columns_of_parquet(tmp_path: Path, columns: dict[str, Any], found: list[str]) -> None:
    pq.write_table(pa.table(columns), tmp_path / "l.parquet")
    assert [one.address for one in read(tmp_path / "l.parquet")] == found


def test_a_row_without_an_address_keeps_its_number(tmp_path: Path) -> None:
    found = read(put(tmp_path, "l.jsonl", f'{{"url": "{A}"}}\n{{broken\n{{"id": 4}}\n[]\n'))
    assert [(one.address, one.refused) for one in found] == [(A, None), *((f"row {n}", "bad_url") for n in (2, 3, 4))]


def test_licences_of_lists(tmp_path: Path) -> None:
    coco = {
        "info": {"url": "https://data.example"},
        "licenses": [{"id": 3, "name": "Attribution-NonCommercial-NoDerivs License", "url": "https://l.example"}],
        "images": [{"id": 1, "license": 3, "file_name": "1.jpg", "coco_url": A}],
    }
    assert read(put(tmp_path, "c.json", json.dumps(coco)))[0].license == "cc-by-nc-nd"
    rows = (
        "url,license\nhttps://live.staticflickr.com/1/2_o.jpg,4\nhttps://a.example/2.jpg,4\nhttps://a.example/3.jpg,\n"
    )
    assert [one.license for one in read(put(tmp_path, "f.csv", rows))] == ["cc-by-2.0", "other", "unknown"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "l.txt",
            "C:\\photos\\a.jpg\n/home/me/b.jpg\n",
            r"none of its first 2 rows holds a web address.*\n.*--source folder",
        ),
        ("l.csv", "url\nphotos/a.jpg\n", "none of its first 1 rows"),
        ("l.csv", "name;place\na;b\n", "no column of addresses among: name, place"),
        ("l.jsonl", '{"id": 1, "name": "x"}\n', "no addresses under: id, name"),
        ("l.jsonl", "{broken\n{too\n", "none of its first 2 lines can be read"),
        ("l.csv", b"PK\3\4 and so on", "save it as CSV"),
        ("l.csv.gz", b"\x1f\x8b\x08 cut short", "cannot be read as a list"),
        ("l.xlsx", b"PK\3\4", "not a kind of list"),
    ],
)
def test_what_is_no_list_is_said(tmp_path: Path, name: str, text: str | bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(put(tmp_path, name, text))


@pytest.mark.parametrize("name", ["l.txt", "l.csv", "l.json", "l.tsv", "l.parquet"])
def test_an_empty_list_has_no_rows(tmp_path: Path, name: str) -> None:
    if name == "l.parquet":
        pq.write_table(pa.table({"url": pa.array([], pa.string())}), tmp_path / name)
    else:
        put(tmp_path, name, "\n\n")
    assert read(tmp_path / name) == []


@given(
    data=st.binary(max_size=300) | st.text(max_size=200).map(str.encode),
    kind=st.sampled_from([".txt", ".csv", ".jsonl"]),
)
def test_any_bytes_are_a_list_or_none(tmp_path_factory: pytest.TempPathFactory, data: bytes, kind: str) -> None:
    path = put(tmp_path_factory.getbasetemp(), f"any{kind}", data)
    try:
        read(path)
    except CurateError as error:
        assert error.hint
