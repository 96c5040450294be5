"""Runs that go wrong in each of the known ways, and one that does not, found in their lines alone."""

from __future__ import annotations

import math
import random
import re
from pathlib import Path
from typing import Any

import pytest

from curate.train.trainer.diagnostics import CHECKS, LONGEST, MEASURED_CHECKS, diagnose
from curate.train.trainer.run import run
from tests.support.training import RecordedProgress, dataset, tiny


def healthy(lines: int = 40, **changes: Any) -> list[dict[str, float]]:
    """The lines of a run in which nothing is wrong, but for `changes`: functions of the line's number by scalar."""
    rng = random.Random(0)
    rows = []
    for number in range(lines):
        row = {
            "step": 50.0 * (number + 1),
            "G/gan_a2b": rng.uniform(0.2, 0.6),
            "G/cycle_a": rng.uniform(1.0, 2.0) * 10 / (10 + number),
            "D/d_a": rng.uniform(0.1, 0.3),
            "seen/accuracy_a": rng.uniform(0.6, 0.99),
            "seen/accuracy_b": rng.uniform(0.6, 0.95),
            "G/lr": 2e-4,
            "D/lr": 2e-4,
        }
        if number % 10 == 9:
            row |= {"val/kid_standin_a2b": 0.1, "val/diversity_standin_a2b": 0.9, "val/change_a2b": 0.1}
        rows.append(row | {key.replace("__", "/"): make(number) for key, make in changes.items()})
    return rows


def test_a_healthy_run_is_one_at_every_line() -> None:
    rows = healthy(100)
    assert all(not diagnose(rows[:count]) for count in range(101))


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        ({"seen__accuracy_b": lambda n: 0.995 if n >= 30 else 0.8}, "d_wins", r"wins \(b\).* for 10 lines"),
        ({"G__cycle_a": lambda n: 60.0 if n == 39 else 1.0}, "diverging", r"losses of G are \d\d times"),
        ({"G__cycle_a": lambda n: math.nan if n == 39 else 1.0}, "not_finite", r"G/cycle_a is no longer a number"),
        ({"val__diversity_standin_a2b": lambda n: 0.9 - 0.02 * n}, "collapse", r"mode collapse: .* a2b 12%"),
        ({"val__change_b2a": lambda n: 0.05 / (1 + n)}, "copies", r"just the input, changed only b2a by 0\.1%"),
        ({"val__structure_b2a": lambda n: -0.9}, "inverted", r"light and dark are swapped .*b2a -0\.90"),
        ({"val__colour_a2b": lambda n: -0.6}, "inverted", r"colours are swapped .*a2b -0\.60"),
        ({"val__checkerboard_a2b": lambda n: 0.04}, "checkerboard", r"a2b 4\.0% of the range"),
        ({"seen__saturated_2": lambda n: 1.0}, "saturated", r"masks of member 2 are 0 or 1 everywhere, for 10 lines"),
        ({"seen__distance": lambda n: 0.005}, "agreed", r"members agree: .* differs by 0\.5% of the range"),
        ({"seen__mask": lambda n: 0.001}, "mask", r"the mask is empty: for 10 lines"),
        ({"seen__mask_a2b": lambda n: 0.001, "seen__mask_b2a": lambda n: 0.2}, "mask", r"the mask a2b is empty"),
        ({"seen__mask_a2b": lambda n: 0.3, "seen__mask_b2a": lambda n: 1.0}, "mask", r"^the mask b2a is full"),
        ({"seen__mask": lambda n: 0.999 if n > 5 else 0.5}, "mask", r"the mask is full"),
        ({"seen__article": lambda n: 0.5 + 0.02 * (n % 2)}, "article_ignored", r"ignores the article: .* 51% of"),
    ],
)
def test_each_trouble_is_found_and_said(changes: dict[str, Any], name: str, said: str) -> None:
    found = diagnose(healthy(**changes))
    assert list(found) == [name]
    assert re.search(said, found[name]), found[name]
    assert name in {**CHECKS, **MEASURED_CHECKS}


def test_without_an_accuracy_the_loss_near_its_floor_tells() -> None:
    def without(rows: list[dict[str, float]]) -> list[dict[str, float]]:
        return [{k: v for k, v in row.items() if not k.startswith("seen/")} for row in rows]

    assert not diagnose(without(healthy()))
    assert list(diagnose(without(healthy(D__d_a=lambda n: 0.25 * 0.8**n)))) == ["d_wins"]


def test_what_passes_is_no_trouble() -> None:
    assert not diagnose(healthy(seen__accuracy_b=lambda n: 0.99 if n % 9 else 0.9)), "not for long enough"
    assert not diagnose(healthy(lines=15, seen__article=lambda n: 0.5)), "it has only begun to learn"
    assert not diagnose(healthy(seen__mask=lambda n: 0.0 if n < 35 else 0.05)), "it has begun to paint"
    assert not diagnose(healthy(val__structure_a2b=lambda n: -0.2, val__colour_a2b=lambda n: -0.2)), "changed a lot"
    once = healthy()
    once[-1] |= {"val/change_a2b": 0.01}
    assert not diagnose(once), "one measurement is an accident"


def test_a_long_run_is_judged_by_as_many_lines_as_a_shorter_one() -> None:
    class Counted(list[Any]):
        """Rows that count how many of them are looked at."""

        looked_at = 0

        def __getitem__(self, index: Any) -> Any:
            found = super().__getitem__(index)
            self.looked_at += len(found) if isinstance(index, slice) else 1
            return found

        def __iter__(self) -> Any:
            self.looked_at += len(self)
            return super().__iter__()

    seen = {}
    for count in (2000, 8000):
        rows = Counted(healthy(50) * (count // 50))
        assert not diagnose(rows)
        seen[count] = rows.looked_at
    assert seen[8000] <= 1.2 * seen[2000]
    won = healthy(50) * 40 + healthy(LONGEST, seen__accuracy_a=lambda n: 1.0)
    assert list(diagnose(won)) == ["d_wins"]


def test_a_run_tells_its_health_where_it_is_seen(tmp_path: Path) -> None:
    """Generators that can't learn, against discriminators that can: they win."""
    dataset(tmp_path)
    progress = RecordedProgress()
    flags = {
        "run__steps": 60,
        "run__tick": 2,
        "model__lr": 1e-8,
        "model__discriminator_lr": 0.005,
        "run__measure_every": 0,
    }
    run(tiny(**flags), tmp_path, tmp_path / "run", progress=progress)  # type: ignore[arg-type]
    assert any("health: the discriminator wins" in note for note in progress.notes)
    assert "the discriminator wins" in (tmp_path / "run/health.txt").read_text()
    assert progress.shown[-1]["health"] == "d_wins"
