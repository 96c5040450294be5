"""Pairs: every combination, nothing cut off, copies out, whatever a run left half done."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.pipeline.core.parallel import Engine, WorkerDied
from curate.pipeline.imaging import codec, letterbox
from curate.pipeline.imaging.config import Letterbox
from curate.pipeline.imaging.geometry import apply
from curate.pipeline.pairs import stage as pairs
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.tables import decisions, manifest
from curate.pipeline.tables.decisions import Decision
from curate.pipeline.tables.partial import PartialTable
from tests.support.tables import image_row, png, products

INLINE = Engine(kind="inline", batch=3)
SIDES = st.integers(1, 3000)


def world(root: Path, rows: list[dict[str, Any]]) -> None:
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), root)


def run(root: Path, section: Pairs | None = None, engine: Engine = INLINE) -> list[dict[str, Any]]:
    pairs.run(section or Pairs(size=64, faces=False), root, engine=engine)
    rows: list[dict[str, Any]] = manifest.read(manifest.PAIRS, root).to_pylist()
    return rows


def product(root: Path, name: str, *pictures: tuple[str, bytes | None], rank: int = 0, **columns: Any) -> list[Any]:
    """Rows for the pictures (role, bytes) of one product."""
    group = {"group_id": name, **columns}
    return [
        image_row(root, data, "shop", rank + n, role=role, **group, **({} if data else REFUSED))
        for n, (role, data) in enumerate(pictures)
    ]


REFUSED = {"status": manifest.REJECTED, "reason": "http_4xx"}


def reasons(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((row["group_id"], row["reason"]) for row in rows)


@settings(deadline=None)
@given(SIDES, SIDES, st.integers(32, 512))
def test_a_letterbox_keeps_the_ratio_and_stays_inside(width: int, height: int, size: int) -> None:
    affine = letterbox.affine(width, height, size)
    rows, columns = letterbox.fitted(width, height, size)
    w, h = columns.stop - columns.start, rows.stop - rows.start
    assert max(w, h) == size
    assert abs(w / size - width / max(width, height)) <= max(0.5, 1.0) / size
    # The outer edges of the raw picture come to lie on whole pixels, centred, with not half a pixel of drift.
    corners = apply(affine, [[-0.5, -0.5], [width - 0.5, height - 0.5]]) + 0.5
    assert corners == pytest.approx(np.round(corners), abs=1e-6)
    (left, top), (right, bottom) = corners
    assert (right - left, bottom - top) == pytest.approx((w, h))
    assert abs(left - (size - right)) <= 1 + 1e-6
    assert abs(top - (size - bottom)) <= 1 + 1e-6


def test_a_mark_in_the_raw_picture_lands_where_the_affine_says() -> None:
    raw = np.full((90, 300, 3), 255, np.uint8)
    raw[40:50, 200:210] = (255, 0, 0)
    boxed = letterbox.boxed(raw, Letterbox(size=128))
    affine = letterbox.affine(300, 90, 128)
    weight = 255.0 - boxed[:, :, 1]
    y, x = np.mgrid[:128, :128]
    centre = [(x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()]
    assert centre == pytest.approx(apply(affine, [[204.5, 44.5]])[0], abs=0.1)


def test_the_background_fills_what_the_picture_leaves() -> None:
    boxed = letterbox.boxed(np.zeros((50, 100, 3), np.uint8), Letterbox(size=64, background=(10, 20, 30)))
    assert boxed.shape == (64, 64, 3)
    assert (boxed[:16] == (10, 20, 30)).all() and (boxed[48:] == (10, 20, 30)).all()
    assert not boxed[16:48].any()


def test_every_person_makes_a_pair_with_the_first_article(tmp_path: Path) -> None:
    rows = product(
        tmp_path, "p", ("article", png(1)), ("human", png(2)), ("article", png(3)), ("human", png(4)), ("human", png(5))
    )
    world(tmp_path, rows)
    made = run(tmp_path)
    assert reasons(made) == [("p", "ok")] * 3
    assert {row["article_image_id"] for row in made} == {rows[0]["image_id"]}
    assert {row["human_image_id"] for row in made} == {rows[n]["image_id"] for n in (1, 3, 4)}
    for row in made:
        for key in ("article_path", "human_path"):
            assert codec.decode((tmp_path / row[key]).read_bytes()).shape == (64, 64, 3)
    assert len({row["split"] for row in made}) == 1


def test_products_that_are_not_whole_are_told(tmp_path: Path) -> None:
    rows = product(tmp_path, "bare", ("article", png(1)), ("human", None))
    rows += product(tmp_path, "worn", ("article", None), ("human", png(2)), rank=10)
    rows += product(tmp_path, "gone", ("article", None), ("human", None), rank=20)
    world(tmp_path, rows)
    made = run(tmp_path)
    assert reasons(made) == [("bare", "no_human"), ("worn", "no_article")]
    assert all(row["status"] == manifest.REJECTED and row["human_path"] is None for row in made)


def test_pictures_without_a_role_are_for_others(tmp_path: Path) -> None:
    world(tmp_path, [image_row(tmp_path, png(1), "long", 0)])
    assert run(tmp_path) == []
    assert (tmp_path / "processed" / "pairs").is_dir(), "dvc wants the output of a stage that made nothing, too"


def test_a_copy_of_a_pair_gives_way_to_the_first(tmp_path: Path) -> None:
    def reencoded(seed: int) -> bytes:
        return codec.encode_jpeg(codec.decode(png(seed)), 70)

    rows = product(tmp_path, "z-first", ("article", png(1)), ("human", png(2)))
    rows += product(tmp_path, "a-copy", ("article", reencoded(1)), ("human", reencoded(2)), ("human", png(4)), rank=10)
    rows += product(tmp_path, "other", ("article", png(5)), ("human", png(6)), rank=20)
    world(tmp_path, rows)
    made = run(tmp_path, Pairs(size=64, val=0.0, test=0.5, faces=False))
    assert reasons(made) == [("a-copy", "duplicate"), ("a-copy", "ok"), ("other", "ok"), ("z-first", "ok")]
    [copy] = [row for row in made if row["reason"] == "duplicate"]
    assert copy["duplicate_of"] == next(row["pair_id"] for row in made if row["group_id"] == "z-first")
    assert {row["cluster_id"] for row in made if row["group_id"] != "other"} == {"z-first"}
    assert len({row["split"] for row in made if row["group_id"] != "other"}) == 1


def test_bytes_that_came_for_another_product_count_for_this_one(tmp_path: Path) -> None:
    """A shop shows the same person in two products: scrape refuses the second address as a duplicate."""
    rows = product(tmp_path, "top", ("article", png(1)), ("human", png(2)))
    again = {"status": manifest.REJECTED, "reason": "duplicate", "path": None}
    rows += product(tmp_path, "skirt", ("article", png(3)), rank=10)
    rows.append(image_row(tmp_path, png(2), "shop", 11, role="human", group_id="skirt", **again))
    world(tmp_path, rows)
    assert reasons(run(tmp_path)) == [("skirt", "ok"), ("top", "ok")]


def test_files_that_are_damaged_or_gone_are_reasons(tmp_path: Path) -> None:
    rows = product(tmp_path, "torn", ("article", png(1)), ("human", png(2)))
    rows += product(tmp_path, "gone", ("article", png(3)), ("human", png(4)), ("human", png(5)), rank=10)
    (tmp_path / rows[1]["path"]).write_bytes(png(2)[:200])
    (tmp_path / rows[3]["path"]).unlink()
    world(tmp_path, rows)
    assert reasons(run(tmp_path)) == [("gone", "missing_file"), ("gone", "ok"), ("torn", "changed")]


def test_a_row_that_lacks_a_measure_counts_as_not_measured(tmp_path: Path) -> None:
    world(tmp_path, product(tmp_path, "top", ("article", png(1)), ("human", png(2))))
    run(tmp_path)
    whole = manifest.read(manifest.PAIRS, tmp_path)
    for name in ("article_shown", "border", "human_colours"):
        [row] = whole.to_pylist()
        lacking = manifest.from_rows(manifest.PAIRS, [row | {name: None}])
        manifest.write(manifest.PAIRS, lacking, tmp_path, manifest.meta(manifest.PAIRS, tmp_path))
        run(tmp_path)
        assert manifest.read(manifest.PAIRS, tmp_path).equals(whole)


def snapshot(root: Path) -> dict[str, bytes]:
    files = [*(root / "processed").rglob("*"), manifest.PAIRS.path(root)]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files if path.is_file()}


def test_a_run_that_was_killed_goes_on_to_the_same_end(tmp_path: Path) -> None:
    world(tmp_path, products(tmp_path))
    run(tmp_path)
    whole = snapshot(tmp_path)
    made = sorted((tmp_path / "processed").rglob("*.png"))
    made[0].unlink()
    made[1].write_bytes(made[1].read_bytes()[:50])
    made[2].with_name(f".{made[2].name}.4711.tmp").write_bytes(b"half")
    untouched = made[3].stat().st_mtime_ns
    run(tmp_path)
    assert snapshot(tmp_path) == whole
    assert made[3].stat().st_mtime_ns == untouched, "what stands there is not made again"


def test_pictures_of_older_settings_are_taken_away(tmp_path: Path) -> None:
    world(tmp_path, products(tmp_path))
    run(tmp_path, Pairs(size=32, faces=False))
    rows = run(tmp_path, Pairs(size=48, faces=False))
    named = {row[key] for row in rows for key in ("article_path", "human_path")} - {None}
    files = {p.relative_to(tmp_path).as_posix() for p in (tmp_path / "processed").rglob("*") if p.is_file()}
    assert files == named


def test_a_folder_among_the_pictures_is_nobody_s_leftover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world(tmp_path, products(tmp_path))
    monkeypatch.setattr(PartialTable, "clear", lambda self: None)  # a disk that doesn't let it go
    run(tmp_path, Pairs(size=32, faces=False))
    assert list((tmp_path / "processed/pairs/.parts").glob("*/*.arrow"))


def test_splits_stay_as_products_come(tmp_path: Path) -> None:
    section = Pairs(size=32, val=0.3, test=0.3, faces=False)
    world(tmp_path, products(tmp_path, count=10))
    before = {row["group_id"]: row["split"] for row in run(tmp_path, section) if row["reason"] == "ok"}
    world(tmp_path, products(tmp_path, count=16))
    after = {row["group_id"]: row["split"] for row in run(tmp_path, section) if row["reason"] == "ok"}
    assert len(set(before.values())) > 1
    assert {group: after[group] for group in before} == before


def test_a_pool_gives_the_same_bytes(tmp_path: Path) -> None:
    world(tmp_path, products(tmp_path))
    run(tmp_path)
    inline = snapshot(tmp_path)
    for path in (tmp_path / "processed").rglob("*.png"):
        path.unlink()
    run(tmp_path, engine=Engine(kind="process", workers=2, batch=2))
    assert snapshot(tmp_path) == inline


def test_the_licence_of_a_pair_is_that_of_both(tmp_path: Path) -> None:
    rows = product(tmp_path, "p", ("article", png(1)), license="cc0")
    rows += product(tmp_path, "p", ("human", png(2)), rank=5, license="by-sa")
    world(tmp_path, rows)
    assert [row["license"] for row in run(tmp_path)] == ["by-sa+cc0"]


def test_a_picture_that_kills_its_worker_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def engine(make: Any, settings: Any, batches: Any, section: Engine) -> Any:
        worker = make(**settings)
        for batch in batches:
            yield WorkerDied(batch) if any(p.group_id == "garments-1" for p in batch) else worker(batch)

    world(tmp_path, products(tmp_path, count=3))
    monkeypatch.setattr(pairs, "run_engine", engine)
    made = [pair for pair in reasons(run(tmp_path)) if pair[0] in {"garments-0", "garments-1", "garments-2"}]
    assert made == [("garments-0", "ok"), ("garments-1", "worker_died"), ("garments-2", "ok")]


def test_other_thresholds_need_no_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world(tmp_path, products(tmp_path))
    before = {row["pair_id"]: row for row in run(tmp_path)}
    monkeypatch.setattr(codec, "decode", lambda data: pytest.fail("opened again"))
    after = run(tmp_path, Pairs(size=64, faces=False, min_border=1.0))
    refused = [row for row in after if row["reason"] == "busy_article"]
    assert refused
    for row in refused:
        assert row["border"] < 1.0 and row["border"] == before[row["pair_id"]]["border"]
        assert (tmp_path / row["article_path"]).is_file(), "a person can still look at it"
    assert run(tmp_path) == list(before.values()), "and back again"


def test_a_new_product_is_the_only_one_that_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world(tmp_path, products(tmp_path, count=20))
    run(tmp_path)
    world(tmp_path, products(tmp_path, count=21))
    opened = []
    decode = codec.decode
    monkeypatch.setattr(codec, "decode", lambda data: opened.append(1) or decode(data))
    run(tmp_path)
    # The new product's two pictures, and those of the two that were not whole and now are.
    assert len(opened) <= 6


def test_what_was_measured_before_a_kill_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world(tmp_path, products(tmp_path, count=9))
    decode, opened = codec.decode, []

    def killed(data: bytes) -> Any:
        if len(opened) == 13:
            raise KeyboardInterrupt
        opened.append(1)
        return decode(data)

    monkeypatch.setattr(codec, "decode", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    opened.clear()
    monkeypatch.setattr(codec, "decode", lambda data: opened.append(1) or decode(data))
    rows = run(tmp_path)
    assert len(opened) == 2 * (9 - 6), "two batches of three products were done"
    assert len([row for row in rows if row["reason"] == "ok"]) == 9


def test_words_of_a_page_refuse_its_pairs(tmp_path: Path) -> None:
    rows = product(tmp_path, "set", ("article", png(1)), ("human", png(2)), ("human", png(3)), title="ビキニ")
    rows[2]["extra"] = '{"alt": "着用 ＢＡＣＫ view"}'
    rows += product(tmp_path, "half", ("article", png(4)), ("human", png(5)), rank=10, title="ボトム単品")
    world(tmp_path, rows)
    made = run(tmp_path, Pairs(size=64, faces=False, exclude=("back VIEW", "ﾎﾞﾄﾑ単品")))
    assert reasons(made) == [("half", "excluded"), ("set", "excluded"), ("set", "ok")]
    assert {row["human_text"] for row in made if row["reason"] == "excluded"} == {"着用 ＢＡＣＫ view", None}


def test_colour_variants_stay_in_one_split(tmp_path: Path) -> None:
    def tinted(channel: int) -> bytes:
        rgb = codec.decode(png(1))
        return codec.encode_png(np.roll(rgb, channel, axis=2))

    rows = product(tmp_path, "red", ("article", tinted(0)), ("human", png(2)), title="フリルビキニ（レッド）")
    rows += product(tmp_path, "blue", ("article", png(7)), ("human", png(3)), rank=9, title="ﾌﾘﾙﾋﾞｷﾆ (ブルー)")
    rows += product(tmp_path, "other", ("article", png(8)), ("human", png(4)), rank=20, title="フリルビキニ")
    world(tmp_path, rows)
    clusters = {row["group_id"]: row["cluster_id"] for row in run(tmp_path)}
    assert clusters["red"] == clusters["blue"] != clusters["other"]


def test_one_cut_in_two_colours_is_two_articles_in_one_split(tmp_path: Path) -> None:
    def dyed(colour: tuple[int, int, int]) -> bytes:
        rgb = np.full((96, 96, 3), 255, np.uint8)
        rgb[20:80, 30:66] = colour
        rgb[20:40, 12:84] = colour
        return codec.encode_png(rgb)

    rows = product(tmp_path, "a", ("article", dyed((200, 40, 40))), ("human", png(2)), title="a")
    rows += product(tmp_path, "b", ("article", dyed((20, 90, 60))), ("human", png(3)), rank=9, title="b")
    world(tmp_path, rows)
    made = run(tmp_path)
    assert [row["reason"] for row in made] == ["ok", "ok"]
    assert len({row["cluster_id"] for row in made}) == 1


def test_a_refused_first_does_not_take_its_copy_along(tmp_path: Path) -> None:
    """The article that stands for its copies must be one that trains."""
    rows = product(tmp_path, "first", ("article", png(1)), ("human", png(2)), title="back view")
    rows += product(tmp_path, "copy", ("article", png(1)), ("human", png(3)), rank=9, title="front")
    world(tmp_path, rows)
    assert reasons(run(tmp_path, Pairs(size=64, faces=False, exclude=("back",)))) == [
        ("copy", "ok"),
        ("first", "excluded"),
    ]


def test_decisions_outrank_thresholds_and_a_rejected_first_frees_its_copy(tmp_path: Path) -> None:
    article, twice = png(5, 80, 60), hashlib.sha256(png(1)).hexdigest()
    world(
        tmp_path,
        [
            *product(tmp_path, "first", ("article", article), ("human", png(1)), ("human", png(2))),
            *product(tmp_path, "copy", ("article", article + b" "), ("human", png(1)), rank=10),
            *product(tmp_path, "wide", ("article", png(9, 160, 40)), ("human", png(4)), rank=20),
        ],
    )
    section = Pairs(size=64, faces=False, aspect=(0.5, 2.0))
    before = run(tmp_path, section)
    assert reasons(before) == [("copy", "duplicate"), ("first", "ok"), ("first", "ok"), ("wide", "aspect")]
    ids = {row["group_id"]: row for row in before}
    one, other = sorted(
        (row for row in before if row["group_id"] == "first"), key=lambda row: row["human_image_id"] != twice
    )
    decisions.append(
        tmp_path,
        [
            Decision(item=one["pair_id"], decision="reject", by="ann"),
            Decision(item=other["human_image_id"], decision="reject", by="ann"),
            Decision(item=ids["wide"]["pair_id"], decision="keep", by="ann"),
        ],
    )
    after = run(tmp_path, section)
    assert reasons(after) == [("copy", "ok"), ("first", "review"), ("first", "review"), ("wide", "ok")]
    assert {row["pair_id"]: row["split"] for row in after} == {row["pair_id"]: row["split"] for row in before}
    (tmp_path / decisions.FILE).unlink()
    assert run(tmp_path, section) == before
