"""The progress of a long step on terminals of any width, and what Ctrl-C says."""

from __future__ import annotations

import fcntl
import io
import json
import logging
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

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


HOSTILE = "\x1b]0;pwned\x07\x1b[2J\x9b1mロング\u202egnp.exe\r\u2028\u200b\U000e0041\tok"
SHOWN = "\\x1b]0;pwned\\x07\\x1b[2J\\x9b1mロング\\u202egnp.exe\\r\\u2028\\u200b\\U000e0041\tok"
STEERING = set("\x1b\x07\x9b\u202e\r\u2028\u200b\U000e0041")


def test_names_of_strangers_do_not_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    voice = console.Console()
    voice.say(HOSTILE)
    voice.result({}, HOSTILE)
    voice.error(UsageError(HOSTILE, HOSTILE))
    voice.progress.note(HOSTILE)
    said = "".join(capsys.readouterr())
    assert not STEERING & set(said)
    assert said.count(SHOWN) == 5


def test_names_of_strangers_in_a_step_of_a_log_do_not_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with console.Console().progress.task(f"scrape {HOSTILE}\nforged", 2) as task:
        task.every = 0.0  # type: ignore[attr-defined]
        task.advance(1, at=f"{HOSTILE}\nforged")
    said = capsys.readouterr().err
    assert not STEERING & set(said)
    assert said.count("\\x1b]0;pwned") == 4
    assert said.count("\n") == 2


def test_names_of_strangers_on_a_bar_are_neither_codes_nor_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(console, "_stderr", lambda: RichConsole(file=screen, width=140, force_terminal=False))
    with console._Bar("[/b][red]\x1b[2J", 2) as bar:
        bar.advance(1, at="[/b][red]\x9b1m\u202e")
    said = screen.getvalue()
    assert "[/b][red]\\x1b[2J" in said
    assert "at=[/b][red]\\x9b1m\\u202e" in said


def test_json_is_exact_and_does_not_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"title": HOSTILE + "\x7f\ud800", "名": "長い髪"}
    console.Console(as_json=True).result(value, "")
    said = capsys.readouterr().out
    assert not (STEERING | set("\x7f\ud800")) & set(said)
    assert "長い髪" in said
    assert json.loads(said) == value


def test_what_libraries_and_our_own_bugs_say_does_not_steer_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: object) -> None:
        logging.StreamHandler().handle(logging.makeLogRecord({"msg": HOSTILE}))
        sys.stdout.write(HOSTILE)
        sys.stderr.writelines([HOSTILE])
        raise ValueError(HOSTILE)

    monkeypatch.setattr("curate.pipeline.cli.context.load", broken)
    monkeypatch.setattr(sys, "argv", ["curate", "dedup"])
    for name in ("stdout", "stderr"):  # the command puts its own in their place
        monkeypatch.setattr(sys, name, getattr(sys, name))
    with pytest.raises(SystemExit):
        command.main()
    said = "".join(capsys.readouterr())
    assert "a bug of ours" in said
    assert not STEERING & set(said)
    assert said.count(SHOWN) == 4


def test_on_a_terminal_only_the_bars_steer(tmp_path: Path) -> None:
    """A step within a step, with notes and a library's warning between, on a terminal of its own."""
    script = tmp_path / "steps.py"
    script.write_text(
        "import sys\n"
        "from curate.pipeline.cli.console import Console\n"
        "from curate.pipeline.core.terminal_text import guard_streams\n"
        "guard_streams()\n"
        "progress = Console().progress\n"
        f"hostile = {HOSTILE!r}\n"
        "with progress.task('outer' + hostile, 2) as outer:\n"
        "    outer.advance(1, at=hostile)\n"
        "    with progress.task('inner' + hostile, 2) as inner:\n"
        "        inner.advance(1, at=hostile)\n"
        "        progress.note('noted' + hostile)\n"
        "        sys.stderr.write('warned' + hostile + '\\n')\n"
        "    sys.stdout.write('said' + hostile + '\\n')\n",
        "utf-8",
    )
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
    with subprocess.Popen([sys.executable, script], stdin=slave, stdout=slave, stderr=slave) as run:
        os.close(slave)
        said = b"".join(iter(lambda: _chunk(master), b"")).decode()
    os.close(master)
    assert run.returncode == 0, said
    assert "\x1b[" in said  # the bars'
    assert "\x1b]" not in said
    assert not (STEERING - set("\x1b\r")) & set(said)
    for told in ("outer", "inner", "noted", "warned", "said"):
        assert f"{told}\\x1b]0;pwned\\x07" in said
    assert "\\x1b[?25" not in said  # a bar's own code, made visible


def _chunk(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # the other end is closed
        return b""
