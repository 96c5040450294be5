"""Commands on a disk that fails: at each call that changes it, or opens or lists what is there to read it.

Every outcome is the right result or one line that says what could not be written or read and what to do; nothing that
was there is lost or torn; and the same command without the fault goes on to the end of an undisturbed run. A picture
that can't be read may cost its own row. Quick: some commands at the last call of each sort, some more at one or two.
All commands, at every call or at four of each sort (Walk.selection), for each fault that a call may meet (Call.faults):
-m deep.
"""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.support.disk_commands import COMMANDS, REPEATED, Command
from tests.support.disk_walk import Walk
from tests.support.failing_disk import BROKEN, FULL, QUOTA, READ_ONLY, READING, Call, FailingDisk, Fault, failing_disk
from tests.support.http_server import photo as jpeg
from tests.support.http_server import serving

LOG = logging.getLogger(__name__)

# By the fault, and the kinds of calls that meet it: two calls of these, or one of each sort of every kind.
QUICK: dict[str, tuple[Fault, str]] = {
    "build": (FULL, ""),
    "scrape --source folder --input photos --domain new": (BROKEN, ""),
    "keep {crop}": (FULL, "create"),
    "undecide {crop}": (READ_ONLY, "sync"),
    "review --import second": (READ_ONLY, "sync"),
    "forget {image} --yes": (READ_ONLY, "rename"),
    "export --to viton-hd --out out": (QUOTA, "create"),
}
# Those that meet one fault, in turn, at the last read of each sort.
QUICK_READS = ("build", "undecide {crop}", "review --import second")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FailingDisk]:
    with failing_disk(tmp_path_factory.mktemp("disk")) as made:
        yield made


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The host of a shop, and the file that says how to read it."""
    with serving() as site:
        for n in range(3):
            site.add(f"/{n}.jpg", jpeg(n))
        site.page("/items", "".join(f'<a class="card" href="/item/{n}">x</a>' for n in range(3)))
        free = '<a rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/">free</a>'
        for n in range(3):
            site.page(f"/item/{n}", f'<h1>Item {n}</h1><img src="/{n}.jpg">{free}')
        rules = "listing: {item: a.card}\nitem: {images: [{css: img}]}\n"
        file = tmp_path_factory.mktemp("shop") / "shop.yaml"
        file.write_text(f"name: shop\nstart: ['{site.url('/items')}']\n{rules}", "utf-8")
        yield site.host, file


def world(command: Command, folder: Path, shop: tuple[str, Path] | None = None) -> tuple[Path, dict[str, str]]:
    """Where the command is to begin, and what its words stand for."""
    root = folder / "world"
    root.mkdir()
    words = command.world(root)
    if shop:
        shutil.copyfile(shop[1], root / "shop.yaml")
        words["host"] = shop[0]
    return root, words


def walked(disk: FailingDisk, command: Command, root: Path, words: dict[str, str], *, reads: bool = False) -> Walk:
    """The walk of a command in `root`, where what is to come before it has been done."""
    for before in command.after:
        done = disk.run(Command(before).asked(words), root)
        assert done.code == 0, done.said
    tries = root.with_name("tries")
    tries.mkdir()
    walk = Walk(disk, command.asked(words), root, tries, command.once, reads)
    assert walk.calm.code in {0, 6}, walk.calm.said
    return walk


def wrong(walk: Walk, tries: Iterable[tuple[Call, Fault]]) -> str:
    """All that is wrong with `tries`, a line each; how they ended is logged."""
    outcomes: Counter[int] = Counter()
    found = []
    for call, fault in tries:
        code, faulty = walk.attempt(call, fault)
        outcomes[code] += 1
        found += [f"{fault.name} at {call}: {text}" for text in faulty]
    assert outcomes, "a command that changes nothing"
    told = ", ".join(f"{count} exit {code}" for code, count in sorted(outcomes.items()))
    calls = len(walk.calm.calls)
    LOG.info("%d calls, %d tries, %s, %d wrong", calls, outcomes.total(), told, len(found))
    return "\n".join(found)


@pytest.mark.parametrize("line", QUICK)
def test_a_disk_that_fails_costs_a_line_and_nothing_else(line: str, disk: FailingDisk, tmp_path: Path) -> None:
    command = next(one for one in COMMANDS if one.line == line)
    walk = walked(disk, command, *world(command, tmp_path))
    fault, kinds = QUICK[line]
    calls = walk.selection(kinds.split(), last_alone=True)[-2:] if kinds else walk.selection(last_alone=True)
    assert not (found := wrong(walk, ((call, fault) for call in calls))), found


@pytest.mark.parametrize("line", QUICK_READS)
def test_what_can_not_be_read_costs_a_line_and_nothing_else(line: str, disk: FailingDisk, tmp_path: Path) -> None:
    command = next(one for one in COMMANDS if one.line == line)
    walk = walked(disk, command, *world(command, tmp_path), reads=True)
    calls = walk.selection(READING, last_alone=True)
    tries = ((call, fault) for call in calls for fault in call.faults(reads=True, costly=True))
    assert not (found := wrong(walk, tries)), found


@pytest.mark.deep
@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_every_command(command: Command, disk: FailingDisk, shop: tuple[str, Path], tmp_path: Path) -> None:
    walk = walked(disk, command, *world(command, tmp_path, shop))
    tries = ((call, fault) for call in walk.selection() for fault in call.faults(costly=command.costly))
    assert not (found := wrong(walk, tries)), found


@pytest.mark.deep
@pytest.mark.parametrize("command", [*COMMANDS, *REPEATED], ids=str)
def test_every_command_reads(command: Command, disk: FailingDisk, shop: tuple[str, Path], tmp_path: Path) -> None:
    walk = walked(disk, command, *world(command, tmp_path, shop), reads=True)
    tries = (
        (call, fault) for call in walk.selection(READING) for fault in call.faults(reads=True, costly=command.costly)
    )
    assert not (found := wrong(walk, tries)), found
