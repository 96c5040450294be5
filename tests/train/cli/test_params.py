"""`curate params show`: the values that a command works with, and who said so."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from curate.__main__ import main


@pytest.fixture
def root(tmp_path: Path) -> Path:
    params = {
        "crop": {"size": 128},
        "train": {"cyclegan": {"data": {"size": 64}, "run": {"batch": 2}, "model": {"preset": "hair", "ema": 0.5}}},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path


def show(monkeypatch: pytest.MonkeyPatch, root: Path, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["curate", "params", "show", *arguments, "--root", str(root)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def shown_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], root: Path, *arguments: str
) -> dict[str, tuple[object, str]]:
    assert show(monkeypatch, root, *arguments, "--json") == 0
    return {key: (row["value"], row["from"]) for key, row in json.loads(capsys.readouterr().out).items()}


def test_each_value_says_where_it_comes_from(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = shown_values(
        monkeypatch, capsys, root, "train.cyclegan", "--set", "run.steps=10", "--set", "model.cycle_weight=3"
    )
    file = str(root / "params.yaml")
    assert found["train.cyclegan.run.steps"] == (10, "command line")
    assert found["train.cyclegan.run.batch"] == (2, file)
    assert found["train.cyclegan.run.seed"] == (0, "default")
    assert found["train.cyclegan.model.preset"] == ("hair", file)
    assert found["train.cyclegan.model.discriminator"] == ("dual", "follows from preset: hair")
    assert found["train.cyclegan.model.discriminator_norm"] == ("spectral", "follows from preset: hair")
    assert found["train.cyclegan.model.ema"] == (0.5, file)
    assert found["train.cyclegan.model.cycle_weight"] == (3.0, "command line")
    assert found["train.cyclegan.model.cycle_weight_b"] == (None, "default")
    assert found["train.cyclegan.model.size"] == (64, "follows from train.cyclegan.data.size")
    recipes = shown_values(monkeypatch, capsys, root, "train.cagan")
    assert recipes["train.cagan.run.batch"] == (16, "cagan's default")


def test_sections_parts_and_keys_can_be_asked_for(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown_values(monkeypatch, capsys, root, "crop")["crop.size"] == (128, str(root / "params.yaml"))
    assert shown_values(monkeypatch, capsys, root, "crop", "--set", "size=96")["crop.size"] == (96, "command line")
    part = shown_values(monkeypatch, capsys, root, "train.cyclegan.run")
    assert all(key.startswith("train.cyclegan.run.") for key in part)
    assert list(shown_values(monkeypatch, capsys, root, "train.cyclegan.run.batch")) == ["train.cyclegan.run.batch"]
    everything = shown_values(monkeypatch, capsys, root)
    assert {"engine.kind", "crop.size", "train.cyclegan.model.lr", "train.ugatit.run.batch"} <= everything.keys()
    assert show(monkeypatch, root, "train.cyclegan") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "model.discriminator" in line)
    assert line.split(maxsplit=2) == ["train.cyclegan.model.discriminator", '"dual"', "follows from preset: hair"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["crpo"], "no section 'crpo'; did you mean 'crop'"),
        (["train.cyclegan.model.widht"], "no key 'train.cyclegan.model.widht'; did you mean"),
        (["--set", "size=3"], "for which section"),
        (["crop", "--set", "size=tiny"], "crop (from the command line).size: 'tiny'"),
    ],
)
def test_mistakes_are_named(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert show(monkeypatch, root, *arguments) == 2
    assert message in capsys.readouterr().err


def test_without_a_params_yaml_all_is_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {origin for _, origin in shown_values(monkeypatch, capsys, tmp_path, "crop").values()} == {"default"}
