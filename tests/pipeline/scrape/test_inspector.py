"""Decoding in another process: the same verdicts, and a death that costs one image."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from curate.pipeline.core import helper_process
from curate.pipeline.core.helper_process import HelperLateError, HelperProcess
from curate.pipeline.scrape import inspector
from curate.pipeline.scrape.config import Scrape
from curate.pipeline.scrape.inspector import Inspector
from curate.pipeline.scrape.outcome import examine
from tests.support.http_server import photo

LIMITS = Scrape(min_side=10)


def test_verdicts_are_the_same_in_either_process() -> None:
    kinds = [photo(1), photo(2)[:-500], photo(3, "PNG"), photo(4, "WEBP")[:-400], b"<html>", b"", photo(5, "AVIF")]
    with Inspector(LIMITS) as apart:
        assert [apart.examine(data).reason for data in kinds] == [examine(data, LIMITS).reason for data in kinds]


def test_jpegs_need_no_other_process() -> None:
    with Inspector(LIMITS) as apart:
        assert apart.examine(photo(1)).reason == "ok"
        assert apart._helper.process is None


def test_a_decoder_that_dies_costs_one_image() -> None:
    with Inspector(LIMITS) as apart:
        assert apart.examine(photo(1, "PNG")).reason == "ok"
        assert apart._helper.process is not None
        os.kill(apart._helper.process.pid, signal.SIGSTOP)
        threading.Timer(0.2, apart._helper.process.kill).start()
        dead = apart.examine(photo(2, "PNG"))
        assert (dead.reason, dead.detail) == ("decode_failed", "its decoder died")
        assert apart.examine(photo(2, "PNG")).reason == "ok"


def test_a_word_to_all_processes_of_a_command_costs_no_image() -> None:
    """It would be refused for good, as one that kills its decoder."""
    with Inspector(LIMITS) as apart:
        assert apart.examine(photo(1, "PNG")).reason == "ok"
        assert apart._helper.process is not None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            apart._helper.process.send_signal(number)
            assert apart.examine(photo(2, "PNG")).reason == "ok"


def test_a_decoder_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    with Inspector(LIMITS) as apart:
        assert apart.examine(photo(1, "PNG")).reason == "ok"
        assert apart._helper.process is not None
        os.kill(apart._helper.process.pid, signal.SIGSTOP)
        monkeypatch.setattr(inspector, "LONGEST", 0.2)
        late = apart.examine(photo(2, "PNG"))
        assert (late.reason, late.detail) == ("decode_failed", "its decoder took too long")


def test_time_in_which_a_command_was_stopped_costs_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-Z and `fg` all the time that select had is over."""
    real, stopped = helper_process.select.select, iter([([], [], [])])
    monkeypatch.setattr(helper_process.select, "select", lambda *given: next(stopped, None) or real(*given))
    with Inspector(LIMITS) as apart:
        assert apart.examine(photo(1, "PNG")).reason == "ok"
    assert next(stopped, None) is None


SPINS = """
import sys
from curate.pipeline.core import helper_process
from curate.pipeline.imaging.deadline import deadline
def begin(greeting):
    def answer(data):
        with deadline(0.2):
            while data == b"spin":
                pass
        return data
    return answer
helper_process.serve(begin)
"""


def test_a_picture_that_costs_too_much_ends_its_decoder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spins.py").write_text(SPINS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    helper = HelperProcess("spins")
    assert helper.ask(b"fine", 60.0) == b"fine"
    with pytest.raises(HelperLateError, match="of the processor"):
        helper.ask(b"spin", 60.0)
    assert helper.ask(b"fine", 60.0) == b"fine"
    helper.end()


def test_the_process_ends_with_the_run() -> None:
    with Inspector(LIMITS) as apart:
        apart.examine(photo(1, "PNG"))
        process = apart._helper.process
    assert process is not None and process.poll() is not None
