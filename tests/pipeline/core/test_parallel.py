"""The engine: the same results in the same order wherever they are made, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.parallel import Engine, WorkerDied, cores, run
from tests.support import ROOT

POOL = Engine(kind="process", workers=2)
ENGINES = [Engine(kind="inline"), Engine(kind="process", workers=1), POOL]


def adder(plus: int) -> Callable[[int], int]:
    return lambda n: n + plus


def killer(bad: int) -> Callable[[int], int]:
    def work(n: int) -> int:
        if n == bad:
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    return work


def ended(number: int) -> Callable[[int], int]:
    def work(n: int) -> int:
        os.kill(os.getpid(), number)
        return n

    return work


def fussy() -> Callable[[int], int]:
    def work(n: int) -> int:
        if n == 3:
            raise UsageError("three is not wanted", "leave it out")
        return n

    return work


def unmakeable() -> Callable[[int], int]:
    raise UsageError("no model", "get one")


def whereabouts() -> Callable[[int], int]:
    return lambda _: os.getpid()


@pytest.mark.parametrize("engine", ENGINES, ids=["inline", "one", "pool"])
def test_results_come_in_order(engine: Engine) -> None:
    assert list(run(adder, {"plus": 10}, range(25), engine)) == list(range(10, 35))


def talker() -> Callable[[int], int]:
    def work(n: int) -> int:
        sys.stderr.write(f"a library warns of \x1b[31m{n}\n")
        sys.stderr.flush()
        return n

    return work


def test_what_a_worker_says_does_not_steer_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(run(talker, {}, [1, 2], POOL)) == [1, 2]
    assert capfd.readouterr().err.count("a library warns of \\x1b[31m") == 2


@pytest.mark.parametrize("engine", ENGINES, ids=["inline", "one", "pool"])
def test_nothing_to_do(engine: Engine) -> None:
    assert list(run(adder, {"plus": 1}, [], engine)) == []


@pytest.mark.parametrize("engine", [ENGINES[0], POOL], ids=["inline", "pool"])
def test_an_error_of_a_worker_arrives(engine: Engine) -> None:
    seen = []
    with pytest.raises(UsageError, match="three"):
        for result in run(fussy, {}, range(6), engine):
            seen.append(result)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("engine", [ENGINES[0], POOL], ids=["inline", "pool"])
def test_a_worker_that_can_not_be_made_says_why(engine: Engine) -> None:
    with pytest.raises(UsageError, match="no model"):
        list(run(unmakeable, {}, range(3), engine))


@pytest.mark.parametrize("bad", [0, 5])
def test_a_batch_that_kills_its_worker_costs_no_other(bad: int) -> None:
    results = list(run(killer, {"bad": bad}, range(9), POOL))
    died = [r for r in results if isinstance(r, WorkerDied)]
    assert [r.batch for r in died] == [bad]
    assert isinstance(results[bad], WorkerDied)
    assert [r for r in results if not isinstance(r, WorkerDied)] == [n for n in range(9) if n != bad]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_is_sent_to_all_processes_of_a_command_is_its_parent_s_to_handle(number: int) -> None:
    assert list(run(ended, {"number": number}, range(3), POOL)) == [0, 1, 2]


def test_no_more_batches_are_taken_than_can_be_under_way() -> None:
    taken = 0

    def batches() -> Iterator[int]:
        nonlocal taken
        for n in range(1000):
            taken += 1
            yield n

    results = run(adder, {"plus": 0}, batches(), POOL)
    assert next(results) == 0
    assert taken <= 2 * 2 + 1
    results.close()  # type: ignore[attr-defined]


def test_a_pool_works_in_other_processes() -> None:
    assert os.getpid() not in run(whereabouts, {}, range(4), POOL)
    assert set(run(whereabouts, {}, range(4), ENGINES[1])) == {os.getpid()}


def test_zero_workers_means_the_cores_that_we_may_use() -> None:
    assert cores(Engine(workers=3)) == 3
    assert cores(Engine()) == len(os.sched_getaffinity(0))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks processes up in /proc")
def test_a_killed_parent_leaves_no_orphans(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import time\nfrom curate.pipeline.core.parallel import run\nfrom curate.pipeline.core.parallel import Engine\n"
        "from tests.pipeline.core.test_parallel import whereabouts\n"
        "if __name__ == '__main__':\n"
        "    for pid in run(whereabouts, {}, range(4), Engine(kind='process', workers=2)):\n"
        "        print(pid, flush=True)\n"
        "        time.sleep(60)\n",
        "utf-8",
    )
    root = ROOT
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment, cwd=root) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    for _ in range(100):
        if not Path(f"/proc/{child}").exists() or " Z " in Path(f"/proc/{child}/stat").read_text():
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail(f"process {child} outlived its parent")
