"""What a review shows, what it writes down, and what the stages make of that."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pytest

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.errors import CurateError, TableError, UsageError
from curate.pipeline.review import doubt, item_facts, verdicts
from curate.pipeline.review.session import ReviewQuery, ReviewSession
from curate.pipeline.tables import decisions, manifest
from tests.support.tables import small_world
from tests.support.unreadable import unreadable


@pytest.fixture
def world(tmp_path: Path) -> Path:
    small_world(tmp_path, portraits=8)
    return tmp_path


def shown(session: ReviewSession, **wish: object) -> list[str]:
    return session.view(ReviewQuery(**wish))[0]  # type: ignore[arg-type]


def test_filters_and_orders(world: Path) -> None:
    session = ReviewSession(world, "ann")
    assert session.kinds == ["crops"]
    assert len(shown(session)) == 16
    assert len(shown(session, reason="ok", domain="long")) == 5
    assert len(shown(session, reason="refused")) == 6 and len(shown(session, reason="no_face")) == 2
    rising = [
        session.items("crops").values("roll")[session.items("crops").places[i]]
        for i in shown(session, order="roll", reason="ok")
    ]
    assert rising == sorted(rising) and len(set(rising)) > 2
    falling = shown(session, order="roll", reason="ok", reverse=True)
    assert session.items("crops").values("roll")[session.items("crops").places[falling[0]]] == rising[-1]
    assert 0 < len(shown(session, order="roll", reason="ok", low=-4.5, high=0.5)) < len(rising)
    (copy,) = shown(session, reason="duplicate", domain="long")
    assert copy in shown(session, cluster=copy) and len(shown(session, cluster=copy)) == 2
    assert len(shown(session, find="LONG 3")) == 1, "a title"
    assert shown(session, find=copy[:10]) == [copy]


@pytest.mark.parametrize("wish", [{"kind": "pairs"}, {"order": "rol"}, {"state": "opn"}, {"cluster": "x"}])
def test_a_name_that_there_is_not_is_told(world: Path, wish: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"there (is|are) no"):
        shown(ReviewSession(world, "ann"), **wish)


def test_a_folder_without_tables_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="nothing to review") as told:
        ReviewSession(tmp_path, "ann")
    assert told.value.hint == "make it: curate scrape --query TEXT && curate crop"


def test_what_was_taken_back_is_not_told_as_a_failure_where_it_can_not_be_read_anew(world: Path) -> None:
    session = ReviewSession(world, "ann")
    first, second = shown(session, reason="ok", state="open")[:2]
    for name in (first, second):
        session.decide("crops", [name], "reject")

    def written_and_then_unreadable(root: Path, made: list[decisions.Decision]) -> None:
        append(root, made)
        opening.enter_context(unreadable(root / decisions.FILE))

    append = decisions.append
    with pytest.MonkeyPatch.context() as patch, ExitStack() as opening:
        patch.setattr(decisions, "append", written_and_then_unreadable)
        assert session.undo("crops") == (1, {})
        with pytest.raises(CurateError, match=r"review\.jsonl: cannot read: Permission denied"):
            shown(session)
    assert shown(session, state="rejected") == [first], "one was taken back"


def test_decisions_of_all_are_seen_and_ones_own_are_taken_back(world: Path) -> None:
    ann, bob = ReviewSession(world, "ann"), ReviewSession(world, "bob")
    first, second, third = shown(ann, reason="ok", state="open")[:3]
    assert ann.decide("crops", [first, second], "reject", reason="blurred") == {first: "r", second: "r"}
    assert bob.decide("crops", [third], "keep") == {third: "k"}
    assert shown(bob, state="rejected") == shown(ann, state="rejected") and len(shown(ann, state="decided")) == 3
    assert ann.undo("crops") == (2, {first: "-", second: "-"})
    assert ann.undo("crops") == (0, {}), "what bob decided stays"
    assert shown(ann, state="decided") == [third]
    assert ReviewSession(world, "bob").undo("crops")[1] == {third: "-"}, "and another page of his takes it back"


def test_what_was_refused_is_not_kept_and_a_photo_is_decided_as_one(world: Path) -> None:
    session = ReviewSession(world, "ann")
    (faceless,) = shown(session, reason="no_face", domain="long")
    with pytest.raises(UsageError, match=r"was refused \(no_face\)"):
        session.decide("crops", [faceless], "keep")
    assert not (world / decisions.FILE).exists()
    session.decide("crops", [faceless], "reject")
    photo = session.items("crops").images[session.items("crops").places[faceless]][0]
    assert decisions.read(world).refusal(photo) == "review"
    with pytest.raises(UsageError, match="no domain 'x'"):
        session.decide("crops", shown(session, reason="ok")[:1], "move", domain="x")


def test_decisions_change_the_dataset_alone(world: Path) -> None:
    """Crops and copies are as they were: the next build alone has to run."""
    build.run(Build(), world)
    before = {table: table.path(world).read_bytes() for table in (manifest.CROPS, manifest.DEDUP)}
    session = ReviewSession(world, "ann")
    out, moved, undone = shown(session, reason="ok", domain="long")[:3]
    session.decide("crops", [out], "reject")
    session.decide("crops", [moved], "move", domain="short")
    session.decide("crops", [undone], "reject")
    session.undo("crops")
    build.run(Build(), world)
    rows = {row["crop_id"]: row for row in manifest.read(manifest.DATASET, world).to_pylist()}
    assert (rows[out]["reason"], rows[moved]["domain"], rows[undone]["reason"]) == ("review", "short", "ok")
    assert before == {table: table.path(world).read_bytes() for table in before}


def test_a_table_that_was_made_again_is_read_again(world: Path) -> None:
    session = ReviewSession(world, "ann")
    assert len(shown(session)) == 16
    rows = manifest.read(manifest.CROPS, world)
    manifest.write(manifest.CROPS, rows.slice(0, 9), world, manifest.meta(manifest.CROPS, world))
    assert len(shown(session)) == 9


def test_who_is_near_a_threshold_is_doubtful() -> None:
    import numpy as np

    shares = doubt.nearness(np.array([0.1, 5.0, 2.0, -0.3, -9.0, np.nan]))
    assert shares.argmax() == 0 and shares[0] > shares[2] > shares[1]
    assert shares[3] > shares[4] and shares[5] == 0


@pytest.mark.parametrize(
    ("address", "led"), [("http://[bad", None), ("javascript:1", None), ("https://a.example/1", "https://a.example/1")]
)
def test_what_strangers_say_of_a_photo_is_visible_and_leads_to_web_addresses_alone(
    world: Path, address: str, led: str | None
) -> None:
    images = manifest.read(manifest.IMAGES, world)
    for name, value in {"title": "a\u202egnp.exe\x1b", "creator": "\x9b1m", "page_url": address}.items():
        column = pa.array([value] * images.num_rows, pa.string())
        images = images.set_column(images.schema.get_field_index(name), images.schema.field(name), column)
    manifest.write(manifest.IMAGES, images, world)
    session = ReviewSession(world, "ann")
    (photo,) = item_facts.of_item(session, "crops", shown(session, reason="ok")[0])["photos"]
    assert (photo["title"], photo["creator"]) == (r"a\u202egnp.exe\x1b", r"\x9b1m")
    assert (photo["page"], photo["width"]) == (led, 96)


def test_ids_are_named_by_their_first_letters(world: Path) -> None:
    name = shown(ReviewSession(world, "ann"), reason="ok")[0]
    assert verdicts.decide(world, [name[:8]], "reject", reason="mirrored", by="ann") == [name]
    assert decisions.read(world).decision(name).reason == "mirrored"  # type: ignore[union-attr]
    for wrong, told in ((name[:7], "is no id"), ("f" * 32, "is no crop")):
        with pytest.raises(UsageError, match=told):
            verdicts.decide(world, [name, wrong], "keep", by="ann")
    assert decisions.read(world).refusal(name) == "review", "all or none"
    with pytest.raises(UsageError, match="stands for a command"):
        verdicts.person("select")


def test_what_was_decided_by_ids_is_taken_back_by_ids(world: Path) -> None:
    one, two = shown(ReviewSession(world, "ann"), reason="ok")[:2]
    verdicts.decide(world, [one], "keep", by="ann")
    verdicts.decide(world, [one, two], "reject", by="ann")
    with pytest.raises(UsageError, match="bob has decided nothing there; what holds is reject, by ann"):
        verdicts.undecide(world, [one], by="bob")
    taken = verdicts.undecide(world, [one[:8], two], by="ann")
    assert taken == [
        verdicts.TakenBack(one, "reject", "keep", "ann"),
        verdicts.TakenBack(two, "reject", None, None),
    ]
    held = decisions.read(world)
    assert held.kept_by_person(one)
    assert held.decision(two) is None
    with pytest.raises(UsageError, match="ann has decided nothing there"):
        verdicts.undecide(world, [one, two], by="ann")
    assert decisions.read(world).kept_by_person(one), "all or none"
