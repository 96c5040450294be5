"""Forgetting an item everywhere, crediting everybody, and looking before downloading: through the command line."""

from __future__ import annotations

import csv
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape import forget
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query
from curate.pipeline.stats import credits as crediting
from curate.pipeline.tables import decisions, manifest, placements
from curate.pipeline.tables.decisions import Decision
from curate.pipeline.tables.placements import PlacedFace
from tests.pipeline.scrape.test_stage import html_site, listed, rows, section
from tests.support.command import curate
from tests.support.http_server import Site, drawing, encoded, photo


def collected(site: Site, root: Path) -> Query:
    """Five pictures by three people; two have equal bytes. One of them stands in every later table."""
    people = ["Anna", "Bo", "Anna", "=cmd()", ""]
    for n in range(5):
        site.add(f"/{n}.jpg", photo(1 if n == 3 else n))
    lines = [f"{site.url(f'/{n}.jpg')},{people[n]},<b>T{n}</b> & co,CC BY 4.0" for n in range(5)]
    (root / "list.csv").write_text("\n".join(["url,creator,title,license", *lines]), "utf-8")
    query = Query(source="urls", input="list.csv", domain="things")
    scrape.run(section(query), root, allow=(site.host,))
    image = sha256(photo(1)).hexdigest()
    path = f"raw/images/{image[:2]}/{image}.jpg"
    crop = {
        "crop_id": "c1",
        "image_id": image,
        "source_path": path,
        "domain": "things",
        "license": "cc-by-4.0",
        "detector": "haar",
        "align": "box",
        "faces": 1,
        "face_index": 0,
        "path": "processed/crops/things/c1.png",
        "status": "accepted",
        "reason": "ok",
    }
    missing = {field.name: 0 if field.type in {"int32", "int64"} else "x" for field in manifest.CROPS.schema}
    needed = {field.name for field in manifest.CROPS.schema if not field.nullable}
    crop = {**{name: missing[name] for name in needed}, **crop}
    gone = {"path": None, "status": "rejected", "reason": "no_face"}
    write(root, manifest.CROPS, crop, {**crop, "crop_id": "c2", "image_id": "other", **gone})
    phash = {"domain": "things", "phash": 1, "status": "accepted", "reason": "ok"}
    write(root, manifest.DEDUP, *({"crop_id": c, "cluster_id": c, **phash} for c in ("c1", "c2")))
    trains = {"crop_id": "c1", "path": crop["path"], "source_path": path, "domain": "things", "split": "train"}
    fate = {"status": manifest.ACCEPTED, "reason": manifest.OK}
    write(root, manifest.DATASET, {**trains, **fate, "cluster_id": "c1", "license": "cc-by-4.0"})
    derived = ("cache/a.npy", "report/sheet.jpg", "evaluated/hair/pictures/a2b/before/0000.jpg")
    for name in (crop["path"], *(f"processed/{path}" for path in derived)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"pixels")
    made = root / "processed/translated/hair"
    made.mkdir(parents=True)
    for name, notes in ((image, {"input": path}), ("bo", {"input": "b", "article": path}), ("kept", {"input": "c"})):
        (made / f"{name}.json").write_text(json.dumps(notes))
        (made / f"{name}.png").write_bytes(b"pixels")
    decisions.append(root, [Decision(item=item, decision="reject", by="ann") for item in ("c2", "c1", image)])
    placements.append(root, PlacedFace(item=image, box=(1, 2, 30, 30), by="ann"))
    config = root / "processed/runs/hair/config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"data": {"domains": {"a": "things", "b": "others"}}}))
    return query


def write(root: Path, table: manifest.Table, *found: dict[str, Any]) -> None:
    manifest.write(table, manifest.from_rows(table, found), root)


@pytest.mark.parametrize("by", ["url", "sha256", "creator"])
def test_forgetting_leaves_no_trace_and_lasts(site: Site, tmp_path: Path, by: str) -> None:
    query = collected(site, tmp_path)
    image = sha256(photo(1)).hexdigest()
    what = {"url": site.url("/1.jpg"), "sha256": image, "creator": "Bo"}[by]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    ahead = forget.preview(what, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    done = forget.run(what, tmp_path)
    assert (ahead.images, ahead.rows, ahead.datasets, ahead.runs) == (done.images, done.rows, done.datasets, done.runs)
    assert ahead.files == done.files
    assert done.next == ["curate crop", "curate dedup", "curate build"]  # this project has no pairs
    assert (done.images, done.rows) == (1, {"dataset": 1, "dedup": 1, "crops": 1, "images": 2})
    assert (done.datasets, done.runs) == (["dataset: things, train"], ["processed/runs/hair"])
    assert {row["image_url"] for row in rows(tmp_path)} == {site.url(f"/{n}.jpg") for n in (0, 2, 4)}
    assert manifest.read(manifest.CROPS, tmp_path)["crop_id"].to_pylist() == ["c2"]
    assert [line.split('"')[3] for line in (tmp_path / decisions.FILE).read_text().splitlines()] == ["c2"]
    assert not (tmp_path / placements.FILE).read_text()
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "list.csv"]
    assert not [
        path for path in left if image in path.name or path.name in {"c1.png", "a.npy", "sheet.jpg", "0000.jpg"}
    ]
    assert {path.name for path in (tmp_path / "processed/translated/hair").iterdir()} == {"kept.json", "kept.png"}
    journal = (tmp_path / "raw/images/journal.jsonl").read_text("utf-8")
    assert image not in journal and site.url("/1.jpg") not in journal and '"Bo"' not in journal

    site.requests.clear()
    site.add("/0.jpg", photo(1))  # the same bytes again, at an address that is not forgotten
    (tmp_path / "raw/images" / sha256(photo(0)).hexdigest()[:2] / f"{sha256(photo(0)).hexdigest()}.jpg").unlink()
    for _ in range(2):
        scrape.run(section(query, min_side=100), tmp_path, allow=(site.host,))
        assert {row["image_url"] for row in rows(tmp_path)} == {site.url("/2.jpg"), site.url("/4.jpg")}
        assert not list(tmp_path.rglob(f"{image}*"))
    assert set(site.counts()) == {"/0.jpg"}


def test_a_near_copy_of_what_was_forgotten_is_refused(site: Site, tmp_path: Path) -> None:
    picture = Image.fromarray(drawing(1)).resize((640, 600), Image.Resampling.BICUBIC)
    smaller, lossless = (encoded(np.asarray(picture.resize(size)), kind) for size, kind in NEAR)
    urls = [site.add("/original.jpg", encoded(np.asarray(picture))), site.add("/other.jpg", photo(2))]
    scrape.run(section(listed(tmp_path, urls)), tmp_path, allow=(site.host,))
    forget.run(urls[0], tmp_path)
    urls += [site.add("/smaller.jpg", smaller), site.add("/lossless.png", lossless), site.add("/new.jpg", photo(3))]
    for _ in range(2):  # the second time from the journal
        scrape.run(section(listed(tmp_path, urls)), tmp_path, allow=(site.host,))
        found = {row["image_url"].removeprefix(site.url("")): row for row in rows(tmp_path)}
        reasons = {path: row["reason"] for path, row in found.items()}
        near = {"/smaller.jpg": "excluded", "/lossless.png": "excluded"}
        assert reasons == {"/other.jpg": "ok", "/new.jpg": "ok", **near}
        assert found["/smaller.jpg"]["path"] is None
    assert not list(tmp_path.rglob(f"{sha256(smaller).hexdigest()}*"))
    assert set(site.counts().values()) == {1}
    assert "original" not in (tmp_path / "raw/images/journal.jsonl").read_text("utf-8")


NEAR = (((400, 375), "JPEG"), ((640, 600), "PNG"))


def test_what_nobody_knows_is_said_but_an_address_is_remembered(site: Site, tmp_path: Path) -> None:
    query = collected(site, tmp_path)
    with pytest.raises(UsageError, match="'Nobody'"):
        forget.run("Nobody", tmp_path)
    site.add("/5.jpg", photo(5))
    assert forget.run(site.url("/5.jpg"), tmp_path).rows == {}
    with (tmp_path / "list.csv").open("a") as file:
        file.write(f"\n{site.url('/5.jpg')},Eve,T5,CC BY 4.0")
    scrape.run(section(query), tmp_path, allow=(site.host,))
    assert len(rows(tmp_path)) == 5
    assert site.counts()["/5.jpg"] == 0


def test_an_interrupted_forgetting_goes_on(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query, write_table = collected(site, tmp_path), manifest.write

    def failing(table: manifest.Table, *args: Any, **options: Any) -> Path:
        if table is manifest.IMAGES:
            raise KeyboardInterrupt
        return write_table(table, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(manifest, "write", failing)
        with pytest.raises(KeyboardInterrupt):
            forget.run("Bo", tmp_path)
    assert forget.run("Bo", tmp_path).rows == {"images": 2}
    scrape.run(section(query), tmp_path, allow=(site.host,))
    assert len(rows(tmp_path)) == 3


def test_everybody_is_credited(site: Site, tmp_path: Path) -> None:
    collected(site, tmp_path)
    done = crediting.run(tmp_path)
    assert (done.pictures, done.creators) == (4, 2)
    with (tmp_path / done.table).open(encoding="utf-8", newline="") as file:
        found = {row["image_url"]: row for row in csv.DictReader(file)}
    assert {row["creator"] for row in found.values()} == {"Anna", "Bo", ""}
    assert [row["used"] for url, row in sorted(found.items())] == ["", "dataset", "", ""]
    page = (tmp_path / done.page).read_text("utf-8")
    assert "<b>" not in page and "T0 &amp; co" in page and page.count("<h2>Anna</h2>") == 1
    before = page, (tmp_path / done.table).read_bytes()
    crediting.run(tmp_path)
    assert ((tmp_path / done.page).read_text("utf-8"), (tmp_path / done.table).read_bytes()) == before


def test_a_spreadsheet_takes_nothing_for_a_formula(site: Site, tmp_path: Path) -> None:
    url = site.add("/0.jpg", photo(0))
    (tmp_path / "list.csv").write_text(f"url,creator\n{url},=cmd()", "utf-8")
    scrape.run(section(Query(source="urls", input="list.csv")), tmp_path, allow=(site.host,))
    assert ",'=cmd()," in (tmp_path / crediting.run(tmp_path).table).read_text("utf-8")


def test_the_commands(site: Site, tmp_path: Path) -> None:
    html_site(site, tmp_path)
    (tmp_path / "params.yaml").write_text("scrape: {delay: 0}\n")
    common = ["--root", str(tmp_path), "--json"]
    command = ["scrape", *common, "--source", "html", "--site", str(tmp_path / "site.yaml"), "--allow-net", site.host]
    command += ["--contact", "me@example.org"]
    dry = json.loads(curate(*command, "--dry-run").stdout)
    counts = {(match["page"].removeprefix(site.url("")), match["key"]): match["count"] for match in dry[0]["matches"]}
    assert counts["/items?p=1", "listing.item"] == 2
    assert counts["/items?p=2", "listing.next"] == 0
    assert counts["/item/3", "item.images[0].css"] == 1
    assert [one["title"] for one in dry[0]["candidates"]] == [f"Item {n}" for n in range(4)]
    assert not [path for path in site.counts() if path.endswith(".jpg")]
    assert not list((tmp_path / "raw/images").rglob("*.jpg"))
    assert not (tmp_path / "manifests").exists()

    done = json.loads(curate(*command).stdout)
    assert done["accepted"] == done["hosts"][site.host]["accepted"] == 4
    assert done["requests"] == 10  # two pages, four items, four pictures; robots.txt was asked for by the dry run
    refreshed = curate(*command, "--refresh", "--retry-failed")
    assert json.loads(refreshed.stdout)["requests"] == 10, refreshed.stderr
    assert json.loads(curate("credits", *common).stdout)["pictures"] == 4
    assert json.loads(curate("forget", site.url("/item/1"), *common).stdout)["rows"] == {"images": 1}
    curate(*command, "--retry-failed=http_6xx", code=2)
