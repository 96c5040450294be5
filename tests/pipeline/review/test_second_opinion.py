"""A second person gets the set and no decision, and what they say is told apart from what was said here."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.review import second_opinion
from curate.pipeline.review.session import ReviewQuery, ReviewSession
from curate.pipeline.tables import decisions, manifest
from tests.support.command import curate
from tests.support.tables import small_world


@pytest.fixture
def world(tmp_path: Path) -> Path:
    root = tmp_path / "world"
    small_world(root, portraits=8)
    return root


def trains(root: Path, by: str, **wish: str) -> tuple[ReviewSession, list[str]]:
    session = ReviewSession(root, by)
    return session, session.view(ReviewQuery(reason="ok", **wish))[0]  # type: ignore[arg-type]


def test_there_and_back(world: Path, tmp_path: Path) -> None:
    ann, names = trains(world, "ann")
    ann.decide("crops", names[:4], "keep")
    ann.decide("crops", names[4:6], "reject")
    there = tmp_path / "there"
    done = second_opinion.export(world, there)
    assert done.items == {"crops": 12} and not list(there.rglob("raw"))
    bob, same = trains(there, "bob")
    assert set(same) == set(names) and not bob.counts("crops")["states"]["kept"]
    assert all((there / row["path"]).is_file() for row in manifest.read(manifest.CROPS, there).to_pylist())
    assert "have no photo here" in curate("crop", "--root", there, code=2).stderr
    bob.decide("crops", names[:3], "keep")
    bob.decide("crops", names[3:6], "reject", reason="blurred")
    bob.decide("crops", names[6:7], "reject", reason="hat")
    bob.decide("crops", names[7:8], "reject")
    bob.undo("crops")
    found = second_opinion.take(world, there)
    assert (found.by, found.added, found.both, found.agreed) == ("bob", 1, 6, 5)
    assert found.kappa == pytest.approx((5 / 6 - 1 / 2) / (1 / 2))
    (apart,) = found.disagreements
    assert (apart.item, apart.ours, apart.theirs) == (names[3], "keep", "reject")
    held = decisions.read(world)
    assert held.refusal(names[3]) is None, "the word here stands"
    assert (held.decision(names[6]).by, held.decision(names[6]).reason) == ("bob", "hat")  # type: ignore[union-attr]
    assert held.decision(names[7]) is None
    assert (world / second_opinion.DISAGREEMENTS).read_text() == f"item\there\tbob\n{names[3]}\tkeep\treject\n"
    assert "83% the same, kappa 0.67" in second_opinion.text(found)


def test_one_domain_alone_is_exported_and_no_folder_is_written_over(world: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    said = curate("review", "--export", there, "--domain", "long", "--root", world).stdout
    assert "6 crops" in said and f"--import {there}" in said
    assert set(manifest.read(manifest.CROPS, there)["domain"].to_pylist()) == {"long"}
    assert "not empty" in curate("review", "--export", there, "--root", world, code=2).stderr
    assert (
        "did you mean"
        in curate("review", "--export", tmp_path / "x", "--domain", "lon", "--root", world, code=2).stderr
    )


def test_an_export_that_did_not_end_is_made_anew(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "there"
    with monkeypatch.context() as patched:
        patched.setattr(decisions, "FILE", "no/such/folder")  # the last that is written
        with pytest.raises(CurateError, match="cannot write"):
            second_opinion.export(world, there)
    second_opinion.export(world, there, domains=["long"])
    again = tmp_path / "again"
    second_opinion.export(world, again, domains=["long"])
    assert _names(there) == _names(again), "no picture of another domain is left"
    with pytest.raises(UsageError, match="not empty"):
        second_opinion.export(world, there)


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_whose_decisions_they_are_is_asked(world: Path, tmp_path: Path) -> None:
    ann, names = trains(world, "ann")
    ann.decide("crops", names[:1], "keep")
    other = tmp_path / "review.jsonl"
    other.write_text("nothing\n")
    with pytest.raises(UsageError, match="holds no decision"):
        second_opinion.take(world, other)
    other.write_bytes((world / decisions.FILE).read_bytes())
    with pytest.raises(UsageError, match="ann has decided here, too"):
        second_opinion.take(world, other)
    assert second_opinion.take(world, other, by="bob").both == 1
    assert len((world / decisions.FILE).read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], None),
        ([("keep", "keep")], None),
        ([("keep", "keep"), ("reject", "reject")], 1.0),
        ([("keep", "reject"), ("reject", "keep")], -1.0),
        ([("keep", "keep"), ("keep", "reject"), ("reject", "keep"), ("reject", "reject")], 0.0),
    ],
)
def test_kappa_is_what_is_left_of_agreement_without_chance(
    words: list[tuple[str, str]], expected: float | None
) -> None:
    assert second_opinion.kappa(words) == expected


def test_names_without_end_are_cut_in_what_is_said(tmp_path: Path) -> None:
    lines = [f'{{"item": "a", "decision": "keep", "by": "{who}"}}\n' for who in ("ben", "x" * 4000)]
    (tmp_path / "theirs.jsonl").write_text("".join(lines), "utf-8")
    with pytest.raises(UsageError, match="decisions of ben, x") as told:
        second_opinion.take(tmp_path, tmp_path / "theirs.jsonl")
    assert len(told.value.message) < 400 + len(str(tmp_path))
