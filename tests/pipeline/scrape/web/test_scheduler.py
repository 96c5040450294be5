"""Turns: one slow host keeps nobody waiting, kept turns let nobody in between, failures reach whoever asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from curate.pipeline.scrape.web.scheduler import Scheduler, Steps, Turn, Wait


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    running = Scheduler(workers=4, delay=0.0)
    yield running
    running.close()


def asking(host: str, log: list[str], name: str, *turns: Turn) -> Steps[str]:
    for turn in turns or (Turn(host),):
        yield turn
        log.append(name)
    return name


def test_results_and_failures_reach_the_caller(scheduler: Scheduler) -> None:
    def failing() -> Steps[str]:
        yield Turn("a")
        raise KeyError("inside")

    assert scheduler.submit(asking("a", [], "x"), str.upper).result(5) == "X"
    with pytest.raises(KeyError, match="inside"):
        scheduler.submit(failing(), str.upper).result(5)
    with pytest.raises(TypeError):
        scheduler.submit(asking("a", [], "x"), lambda name: name + 1).result(5)  # type: ignore[operator]
    assert scheduler.submit(asking("a", [], "y"), str.upper).result(5) == "Y"


def test_a_parked_host_keeps_nobody_else_waiting(scheduler: Scheduler) -> None:
    scheduler.park("slow", 30.0)
    parked = [scheduler.submit(asking("slow", [], "x"), str.upper) for _ in range(20)]
    assert scheduler.submit(asking("fast", [], "y"), str.upper).result(5) == "Y"
    assert not any(future.done() for future in parked)


def test_a_kept_turn_lets_nobody_in_between(scheduler: Scheduler) -> None:
    log: list[str] = []
    later = time.monotonic() + 0.1
    first = scheduler.submit(asking("a", log, "first", Turn("a"), Turn("a", later, keep=True)), str)
    others = [scheduler.submit(asking("a", log, "other"), str) for _ in range(3)]
    for future in (first, *others):
        future.result(5)
    assert log == ["first", "first", "other", "other", "other"]


def test_pages_go_before_images(scheduler: Scheduler) -> None:
    log: list[str] = []
    gate = threading.Event()

    def blocking() -> Steps[str]:
        yield Turn("a")
        gate.wait(5)
        return "gate"

    futures = [scheduler.submit(blocking(), str)]
    futures += [scheduler.submit(asking("a", log, f"image {n}"), str) for n in range(2)]
    futures.append(scheduler.submit(asking("a", log, "page", Turn("a", urgent=True)), str))
    gate.set()
    for future in futures:
        future.result(5)
    assert log == ["page", "image 0", "image 1"]


def test_a_host_that_refuses_is_asked_at_half_the_pace_until_it_recovers() -> None:
    scheduler = Scheduler(workers=1, delay=1.0)
    host = scheduler._host("a")
    try:
        scheduler.refused("a")
        scheduler.refused("a")
        assert host.spacing == 4.0
        for _ in range(20):
            scheduler.refused("a")
        assert host.spacing == 60.0
        for _ in range(10 * 10):
            scheduler.served("a")
        assert host.spacing == 1.0
    finally:
        scheduler.close()


def test_who_waits_takes_no_turn_and_goes_on_when_it_is_known() -> None:
    scheduler = Scheduler(workers=4, delay=30.0)  # a turn that was taken for nothing would be seen
    known: list[str] = []

    def finding_out() -> Steps[str]:
        while not known:
            if not scheduler.claim("a"):
                yield Wait("a")
                continue
            yield Turn("a", time.monotonic() + 0.1, free=True)
            known.append("it")
            scheduler.release("a")
        return known[0]

    try:
        futures = [scheduler.submit(finding_out(), str) for _ in range(50)]
        assert [future.result(5) for future in futures] == ["it"] * 50
        assert scheduler.submit(asking("a", known, "the first"), str).result(5) == "the first"  # at once
        assert not scheduler.submit(asking("a", known, "the second"), str).done()
    finally:
        scheduler.close()


def test_nobody_waits_for_what_nobody_finds_out(scheduler: Scheduler) -> None:
    def late() -> Steps[str]:
        yield Wait("released before")
        return "on"

    assert scheduler.submit(late(), str).result(5) == "on"


def test_a_turn_of_another_host_is_not_kept(scheduler: Scheduler) -> None:
    log: list[str] = []
    away = asking("a", log, "there and back", Turn("a"), Turn("b"), Turn("a", keep=True))
    assert scheduler.submit(away, str).result(5) == "there and back"
    assert scheduler.submit(asking("b", log, "b is free"), str).result(5) == "b is free"
    assert scheduler._host("a").active == scheduler._host("b").active == 0
