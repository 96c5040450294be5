"""The command as a whole: what it says of itself, without torch, and on a terminal that lacks letters."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import curate
from curate import __main__ as command
from curate import app
from curate.pipeline.cli import commands, presets
from curate.pipeline.cli.console import Console
from tests.support.tables import small_world


def ran(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["curate", *words])
    with pytest.raises(SystemExit) as ended:
        command.main()
    return int(ended.value.code or 0)


def test_it_tells_its_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"curate-gan {curate.__version__}\n"


def test_ctrl_c_when_all_is_done_is_a_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pressed = iter([True])

    def last_statement(code: str) -> None:
        if next(pressed, False):
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "exec", last_statement, raising=False)
    assert ran(monkeypatch, "--version") == 130
    assert capsys.readouterr().err == command.INTERRUPTED


def test_help_has_each_command_in_one_panel_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert ran(monkeypatch, "--help") == 0
    panels = capsys.readouterr().out.partition("\nBegin:\n")[2].split("\n\n")
    assert len(panels) == len(app.PANELS)
    lines = [line for panel in panels for line in panel.splitlines() if line.startswith(" ")]
    commands_there = typer.main.get_group(app.app).commands
    assert sorted(line.split()[0] for line in lines) == sorted(commands_there)
    assert not [line for line in lines if line.endswith(".")]


def test_shells_can_complete_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in (("_CURATE_COMPLETE", "complete_bash"), ("COMP_WORDS", "curate dem"), ("COMP_CWORD", "1")):
        monkeypatch.setenv(name, value)
    assert ran(monkeypatch) == 0
    assert capsys.readouterr().out.split() == ["demo"]


def test_init_names_every_preset() -> None:
    for name in presets.names():
        assert name in commands.PRESETS.rstrip(".").replace(",", "").split()


@pytest.mark.parametrize("words", [["train", "cyclegan"], ["weights", "show", "x.pth"]])
def test_without_torch_a_training_command_says_what_brings_it(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("curate.app.app", without)
    assert ran(monkeypatch, *words) == 2
    told = capsys.readouterr().err
    assert 'pip install "curate-gan[train]"' in told and "make install" in told and "bug" not in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("scrape --source folder --input . --query hair", "folder: query has no effect on it"),
        ("scrape --source folder --input . --site shop.yaml", "folder: site has no effect on it"),
        ("scrape --source urls --input list.txt --every 2", "urls: every has no effect on it"),
        ("scrape --source openverse --query hair --input photos", "openverse: input has no effect on it"),
        ("scrape --source video --input film.mp4 --base-url http://x.example", "video: base_url has no effect on it"),
        ("scrape --dry-run --retry-failed", "--retry-failed: no effect with --dry-run"),
        ("scrape --dry-run --refresh", "--refresh: no effect with --dry-run"),
        ("crop --rotate 45", "--rotate: no effect with --align ffhq"),
        ("crop --align none --margin 0.5 --min-face 60", "--margin, --min-face: no effect with --align none"),
        ("export --to folders --out x --shard 5", "--shard: no effect with --to folders"),
        ("export --to webdataset --out x --link", "--link: no effect with --to webdataset"),
    ],
)
def test_an_option_without_effect_is_refused(
    words: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ran(monkeypatch, *words.split()) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "manifests").exists()


def test_a_missing_module_of_nobody_s_extra_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'nothing'", name="nothing")

    monkeypatch.setattr("curate.app.app", without)
    assert ran(monkeypatch, "stats") == 1


def test_ctrl_c_while_a_class_is_made_is_an_exit_code(tmp_path: Path) -> None:
    """Dataclasses are made by exec: Python itself would end by a signal then."""
    (tmp_path / "sitecustomize.py").write_text(
        "from curate.pipeline.core import interrupt\ninterrupt.take_over = lambda: exec('raise KeyboardInterrupt')\n"
    )
    env = {"PATH": "/usr/bin", "PYTHONPATH": ":".join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-m", "curate", "stats"], env=env, capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode().count("the same command goes on")) == (130, 1)


def test_the_data_half_works_where_torch_is_not(tmp_path: Path) -> None:
    """And on a terminal that has ASCII alone: names of domains are shown by their codes."""
    small_world(tmp_path)
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('torch', 'torchvision', 'safetensors')))\n"
        "from curate.__main__ import main\n"
        "for words in (['build'], ['stats'], ['build', '-v'], ['init', '--root', 'ロング'], ['stats', '--json']):\n"
        "    sys.argv = ['curate', *words]\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as ended:\n"
        "        assert not ended.code, (words, ended.code)\n"
    )
    env = {"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    said = done.stdout.decode("ascii")
    assert "\\u30ed\\u30f3\\u30b0" in said
    json.loads(said.splitlines()[-1])


def test_json_stays_json_where_letters_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "latin-1", errors="backslashreplace", write_through=True))
    Console(as_json=True).result({"title": "é ロング 😀"}, "")
    assert json.loads(raw.getvalue()) == {"title": "é ロング 😀"}


@pytest.mark.parametrize(("answer", "goes_on"), [("y\n", True), ("Yes\n", True), ("\n", False), ("no\n", False)])
def test_a_person_is_asked_before_what_cannot_be_undone(
    answer: str, goes_on: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = io.StringIO(answer)
    monkeypatch.setattr(sys, "stdin", terminal)
    assert Console().agreed("what goes") is True  # nobody is there to be asked
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    assert Console().agreed("what goes") is goes_on
    assert capsys.readouterr().err == "what goes\ngo on? [y/N] "
