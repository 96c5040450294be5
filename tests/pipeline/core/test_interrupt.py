"""Ctrl-C where no command has taken it over: in a script, say. On a terminal: tests/end_to_end/test_ctrl_c.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from curate.pipeline.core import interrupt
from curate.pipeline.core.errors import InterruptionError
from curate.pipeline.core.parallel import Engine, run


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_is_a_word_and_the_second_does_not_wait(capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="in the block"), interrupt.deferred("one moment") as asked:
        assert not asked()
        press()
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            press()
        raise KeyboardInterrupt("in the block")
    assert capfd.readouterr().err == "one moment\n"
    assert signal.getsignal(signal.SIGINT) is before
    assert not interrupt.asked()


def test_work_that_comes_to_its_end_is_interrupted_after_it() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), interrupt.deferred():
        press()
        done.append(1)
    assert done
    with interrupt.deferred() as asked:
        assert not asked()


def test_what_is_too_short_to_be_kept_says_that_it_begins_anew() -> None:
    with pytest.raises(InterruptionError, match="begins anew") as told, interrupt.beginning_anew():
        press()
    assert told.value.code == 130


def test_another_thread_is_left_alone() -> None:
    said: list[bool] = []

    def work() -> None:
        interrupt.take_over()
        with interrupt.deferred() as asked:
            said.append(asked())

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert said == [False]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_process_that_was_begun_shielded_never_sees_one(number: signal.Signals) -> None:
    """They may be sent to all processes of a command: by a terminal, `timeout`, a cluster's scheduler."""
    code = f"import os; os.kill(os.getpid(), {number:d}); print('lives')"
    with interrupt.shielded():
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.communicate()[0] == "lives\n"
    assert number not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_hangup_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        interrupt.take_over()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        interrupt.give_back()
        signal.signal(signal.SIGHUP, before)


SAVES = """
import os, signal, sys, threading
from curate.pipeline.core import interrupt
from curate.pipeline.core.errors import InterruptionError
interrupt.take_over()
try:
    with interrupt.deferred() as asked:
        print("begun", flush=True)
        while not asked():
            signal.sigtimedwait([], 0.01)
        for _ in range(50):
            signal.sigtimedwait([], 0.01)
            sys.stdout.write("a line of progress\\n")
            sys.stdout.flush()
        open("saved", "w").close()
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("numbers", [[signal.SIGINT], [signal.SIGHUP] * 2, [signal.SIGTERM, signal.SIGHUP]])
def test_what_nobody_reads_any_more_is_saved_all_the_same(numbers: list[signal.Signals], tmp_path: Path) -> None:
    """As after `| tee log`, which the same Ctrl-C ends, or on a terminal that was closed."""
    with subprocess.Popen([sys.executable, "-c", SAVES], stdout=subprocess.PIPE, cwd=tmp_path) as child:
        assert child.stdout is not None and child.stdout.readline() == b"begun\n"
        child.stdout.close()
        for number in numbers:
            child.send_signal(number)
    assert child.returncode == 130
    assert (tmp_path / "saved").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_batches_that_were_begun_are_yielded(workers: int) -> None:
    done = []
    with pytest.raises(KeyboardInterrupt):
        for result in run(echo, {}, range(1000), Engine(kind="process", workers=workers)):
            done.append(result)
            if result == 3:
                press()
    assert done == list(range(len(done)))
    assert 4 <= len(done) <= 4 + 2 * workers


def echo() -> object:
    return int
