"""The training commands as a person types them: results, errors, exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from curate.__main__ import main
from tests.support import ROOT
from tests.support.training import TINY, dataset

RUN = {"steps": 4, "tick": 2, "sample_every": 2, "checkpoint_every": 2, "samples": 1, "device": "cpu"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a dataset and a params.yaml."""
    dataset(tmp_path)
    params = {"train": {"cyclegan": {**TINY, "run": RUN}}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, root: Path, *arguments: str) -> int:
    """The exit code of `curate ARGUMENTS --root ROOT`."""
    monkeypatch.setattr(sys, "argv", ["curate", *arguments, "--root", str(root)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_a_run_then_the_same_again_then_more(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, root, "train", "cyclegan") == 0
    assert "4 steps, 4 of them now" in capsys.readouterr().out
    assert call(monkeypatch, root, "train", "cyclegan") == 0
    assert "finished before, all 4 steps" in capsys.readouterr().out
    assert call(monkeypatch, root, "train", "cyclegan", "--steps", "6", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["steps"], result["trained"]) == (6, 2)


def test_a_dry_run_counts_and_trains_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [
        "--dry-run",
        "--set",
        "model.width=64",
        "--set",
        "model.discriminator_width=64",
        "--set",
        "model.discriminator_layers=3",
    ]
    assert call(monkeypatch, root, "train", "cyclegan", *flags, "--set", "model.blocks=9") == 0
    shown = capsys.readouterr().out
    assert "11,378,179 parameters" in shown
    assert "2,764,737 parameters" in shown
    assert "6 images of 'long'" in shown
    assert not (root / "processed/runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cyclgan"], "no recipe 'cyclgan'; did you mean 'cyclegan'"),
        (["cyclegan", "--set", "model.widht=3"], "no such key; did you mean 'width'"),
        (["cyclegan", "--a", "lon", "--b", "short"], "no domain 'lon'; did you mean 'long'"),
        (["cyclegan", "--a", "long"], "name both domains"),
        (["cyclegan", "--batch", "100"], "100"),
        (["cyclegan", "--run", "processed/crops"], "not a run folder"),
        (["cyclegan", "--set", "model.lr=1.0e+9"], "the same command with --set model.lr=5e+08"),
        (["cyclegan", "--steps", "3", "--epochs", "2"], "--steps and --epochs: one of them has no effect"),
    ],
)
def test_mistakes_are_one_clear_line_and_exit_2(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert call(monkeypatch, root, "train", *arguments) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


def test_photos_are_translated_and_a_failed_one_is_an_exit_code(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, root, "train", "cyclegan") == 0
    assert call(monkeypatch, root, "translate", "--split", "test", "-o", str(root / "out")) == 2  # drawn: no faces
    assert "no_face" in capsys.readouterr().out
    assert call(monkeypatch, root, "translate", str(root / "none.jpg"), "-o", str(root / "out")) == 2
    assert "none.jpg: unreadable (No such file or directory)" in capsys.readouterr().out
    assert call(monkeypatch, root, "translate") == 2
    assert "INPUT or --split" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_saves_and_exits_130(root: Path) -> None:
    command = [sys.executable, "-m", "curate", "train", "cyclegan", "--steps", "100000", "--root", str(root)]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    scalars = root / "processed/runs/cyclegan/scalars.jsonl"
    while run.poll() is None and not (scalars.is_file() and scalars.read_text()):
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, shown = run.communicate()
    assert run.returncode == 130, shown
    assert "stopping after this step" in shown
    assert "the same command goes on" in shown
    assert list((root / "processed/runs/cyclegan/checkpoints").glob("*.safetensors"))
