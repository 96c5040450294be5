"""Every file that curate reads again, damaged in every way, before the commands that read it: each column of a table,
each value of a document, each line of a journal, and what a run, a generator and a review leave.

Quick: two damages of each file that needs no training. All damages before all commands: -m deep, which takes more
than an hour of a core.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import pytest

from curate.pipeline.cli import doctor
from tests.support.strange_worlds import FILES, WORLDS, words
from tests.support.strangers import Damage, Ground, Handed

LOG = logging.getLogger(__name__)
HANDED = [(world, one) for world, files in FILES.items() for one in files]
TRIES = [(world, one, command) for world, one in HANDED for command in one.commands]
Grounds = Callable[[str], Ground]


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Grounds:
    """Where tries in each world take place."""

    @cache
    def ground(world: str) -> Ground:
        root = tmp_path_factory.mktemp(world) / "world"
        root.mkdir()
        WORLDS[world](root)
        return Ground(root, tmp_path_factory.mktemp("tries"))

    return ground


@pytest.fixture(autouse=True)
def _packages_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """What doctor tries in processes of their own, for seconds, follows from no file here."""
    monkeypatch.setattr(doctor, "_imports", lambda: ())


def wrong(ground: Ground, handed: Handed, tries: Iterable[tuple[str, Damage, str]]) -> Iterator[str]:
    """What is wrong with how the commands of `tries` end."""
    named = words(ground.world)
    for name, damage, command in tries:
        damage(handed.path(ground.fresh()), ground.outside)
        for found in ground.wrong(command, named):
            LOG.warning("%s: %s: %s: %s", handed.file, name, command, found)
            yield f"{handed.file}: {name}: {command}: {found}"


@pytest.mark.parametrize("world", ["tables", "packed", "scraped"])
def test_two_damages_of_each_file_end_well_or_in_a_line(grounds: Grounds, world: str) -> None:
    ground = grounds(world)
    for number, handed in enumerate(FILES[world], 1):
        tries = handed.tries(ground.world, [one for one in handed.commands if not one.startswith("train")])
        chosen = [tries[times * number * 7919 % len(tries)] for times in (1, 2)]
        assert list(wrong(ground, handed, chosen)) == []


@pytest.mark.deep
@pytest.mark.parametrize(
    ("world", "handed", "command"), TRIES, ids=[f"{one.file} {command.split(' --')[0]}" for _, one, command in TRIES]
)
def test_whatever_a_file_holds_a_command_ends_well_or_says_so(
    grounds: Grounds, world: str, handed: Handed, command: str
) -> None:
    ground = grounds(world)
    ground.fresh()
    assert ground.wrong(command, words(ground.world), frozenset({0})) == [], "and well where nothing is damaged"
    tries = handed.tries(ground.world, [command])
    found = list(wrong(ground, handed, tries))
    LOG.info("%s: %s: %d tries, %d wrong", handed.file, command, len(tries), len(found))
    assert found == []
