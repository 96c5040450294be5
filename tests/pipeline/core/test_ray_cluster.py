"""The engine on a cluster of two nodes, both on this machine: the results of one process, whatever dies."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core import ray_cluster
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.parallel import Engine, WorkerDied, run
from curate.pipeline.crop import stage as crop
from curate.pipeline.dedup import stage as dedup
from curate.pipeline.dedup.config import Dedup
from curate.pipeline.pairs import stage as pairs
from curate.pipeline.pairs.config import Pairs
from tests.pipeline.core.test_parallel import adder, fussy, killer, unmakeable, whereabouts
from tests.pipeline.crop.test_stage import INLINE, people
from tests.pipeline.imaging.test_shards import SECTION
from tests.support import ROOT, drawn_people


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A cluster of two nodes with one CPU each."""
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install -r requirements-ray.lock")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(ROOT / "src"))  # of the nodes' processes
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        found.add_node(num_cpus=1)
        found.wait_for_nodes()
        yield found
        ray.shutdown()
        found.shutdown()


@pytest.fixture
def engine(nodes: Any) -> Engine:
    return Engine(kind="ray", address=nodes.address, batch=3)


def dozing() -> Callable[[int], int]:
    def work(n: int) -> int:
        time.sleep(0.2)
        return n

    return work


@pytest.mark.slow
def test_results_come_in_order_from_both_nodes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "WINDOW", 10)
    assert list(run(adder, {"plus": 10}, iter(range(25)), engine)) == list(range(10, 35))
    assert list(run(adder, {"plus": 10}, [], engine)) == []
    assert len(set(run(whereabouts, {}, range(9), engine)) - {os.getpid()}) >= 2


@pytest.mark.slow
def test_a_batch_that_kills_its_worker_costs_no_other(engine: Engine) -> None:
    results = list(run(killer, {"bad": 4}, range(9), engine))
    assert isinstance(results[4], WorkerDied) and results[4].batch == 4
    assert [r for r in results if not isinstance(r, WorkerDied)] == [n for n in range(9) if n != 4]


@pytest.mark.slow
def test_errors_arrive_as_they_were_raised(engine: Engine) -> None:
    with pytest.raises(UsageError, match="three"):
        list(run(fussy, {}, range(6), engine))
    with pytest.raises(UsageError, match="no model"):
        list(run(unmakeable, {}, range(3), engine))


@pytest.mark.slow
def test_every_stage_gives_the_bytes_of_a_local_run(tmp_path: Path, engine: Engine) -> None:
    for name, own in (("ray", engine), ("inline", INLINE)):
        drawn_people.table(tmp_path / name, {"long": people(7), "short": people(3)})
        crop.run(SECTION, tmp_path / name, engine=own)
        dedup.run(Dedup(), tmp_path / name, engine=own)
        pairs.run(Pairs(), tmp_path / name, engine=own)
        build.run(Build(), tmp_path / name)
    found = [
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("ray", "inline")
    ]
    assert found[0] == found[1]
    assert any(path.suffix == ".tar" for path in found[0])


@pytest.mark.slow
def test_a_lost_node_costs_no_batch(engine: Engine, nodes: Any) -> None:
    other = nodes.add_node(num_cpus=1)
    nodes.wait_for_nodes()
    results = run(dozing, {}, range(40), engine)
    first = [next(results) for _ in range(3)]
    nodes.remove_node(other, allow_graceful=False)
    assert first + list(results) == list(range(40))


def pressing(at: int) -> Callable[[int], int]:
    def work(n: int) -> int:
        if n == at:
            os.kill(os.getppid(), signal.SIGINT)  # of the guarded worker: its actor here
        return n

    return work


class _Handle:
    """Calls methods as Ray's handle of an actor does, at once and in this process."""

    def __init__(self, actor: object) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=getattr(self._actor, name))


class _Rows:
    """As Ray Data has rows and maps them: `ahead` of those that are taken are done."""

    ahead = 3

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def map(self, actor: Any, *, fn_constructor_kwargs: dict[str, Any], concurrency: int, num_cpus: int) -> _Rows:
        self._work = actor(**fn_constructor_kwargs)
        return self

    def iter_rows(self) -> Iterator[Any]:
        done: deque[Any] = deque()
        for row in self._rows:
            done.append(self._work(row))
            if len(done) > self.ahead:
                yield done.popleft()
        yield from done


def _init(**settings: Any) -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """What of Ray the engine calls, in this process: shows its own part where Ray is not installed."""
    context = SimpleNamespace(execution_options=SimpleNamespace())
    data = SimpleNamespace(
        from_items=lambda rows, override_num_blocks: _Rows(rows),
        DataContext=SimpleNamespace(get_current=lambda: context),
    )
    ray = SimpleNamespace(
        data=data,
        init=_init,
        is_initialized=lambda: False,
        cluster_resources=dict,
        get=lambda value: value,
        remote=lambda **options: lambda kind: SimpleNamespace(remote=lambda: _Handle(kind())),
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.data", data)
    return Engine(kind="ray")


def test_at_ctrl_c_the_batches_that_were_begun_are_yielded(standin: Engine) -> None:
    done = []
    with pytest.raises(KeyboardInterrupt):
        for result in run(pressing, {"at": 5}, range(1000), standin):
            done.append(result)
    assert done == list(range(len(done)))
    assert 5 < len(done) <= 5 + 2 + _Rows.ahead


def test_ray_leaves_sigterm_as_it_was(standin: Engine) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert list(run(adder, {"plus": 1}, [1], standin)) == [2]
    assert signal.getsignal(signal.SIGTERM) is before


def test_no_cluster_and_no_ray_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"engine\.kind: ray"):
        list(run(adder, {"plus": 1}, [1], Engine(kind="ray")))
