"""The progress of a long step on terminals of any width, and what Ctrl-C says."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console as RichConsole

from curate import __main__ as command
from curate.pipeline.cli import console
from curate.pipeline.core.errors import UsageError


@pytest.mark.parametrize("width", [60, 80, 140])
def test_count_and_time_left_come_first_and_fit(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(console, "_stderr", lambda: RichConsole(file=screen, width=width, force_terminal=False))
    with console._Bar("train selfie2anime", 1_000_000) as bar:
        bar.advance(123_456, left="3d04h", health="d_wins", G="1.23", D="0.456", speed="12.3", more="x" * 40)
    (line,) = [line for line in screen.getvalue().splitlines() if line.strip()]
    assert len(line) <= width
    assert line.strip().startswith("123456/1000000 ")
    assert "left=3d04h" in line


def test_ctrl_c_in_a_command_says_that_the_same_command_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("curate.pipeline.cli.context.load", interrupted)
    monkeypatch.setattr(sys, "argv", ["curate", "dedup"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_names_of_strangers_do_not_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = "\x1b]0;pwned\x07\x1b[2J\x9b1mロング\u202egnp.exe\r\tok\nnext"
    voice = console.Console()
    voice.say(name)
    voice.result({}, name)
    voice.error(UsageError(name, name))
    voice.progress.note(name)
    said = "".join(capsys.readouterr())
    assert not set("\x1b\x07\x9b\u202e\r") & set(said)
    assert said.count("\\x1b]0;pwned\\x07\\x1b[2J\\x9b1mロング\\u202egnp.exe\\r\tok\nnext") == 5
