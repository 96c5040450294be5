"""curate weights, and curate translate --weights, as a person types them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.__main__ import main
from curate.pipeline.imaging import codec
from curate.train.trainer.run import run
from tests.support.foreign_weights import SIDE, cyclegan, cyclegan_files, ugatit, ugatit_content
from tests.support.training import dataset, tiny


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """A function of a command's words: its exit code, and what it printed to stdout and stderr."""

    def called(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["curate", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main()
        return int(caught.value.code or 0), *capsys.readouterr()

    return called


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """The authors' file of six networks; its generators take 32 px alone."""
    path = tmp_path / "selfie2anime_params_0000100.pt"
    torch.save(ugatit_content(ugatit(light=False)), path)
    return path


def test_what_comes_in_translates_at_once_and_goes_out_again(full: Path, tmp_path: Path, call) -> None:
    code, out, _ = call("weights", "import", full, "-o", tmp_path / "mine.safetensors", "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["system"], told["side"], told["config"]["light"]) == ("ugatit", SIDE, False)
    photo = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    (tmp_path / "photo.png").write_bytes(codec.encode_png(photo))
    made = []
    for weights in (full, tmp_path / "mine.safetensors"):
        words = ["--weights", weights, "--system", "ugatit", "--direction", "b2a", "--no-align", "--device", "cpu"]
        assert call("translate", tmp_path / "photo.png", *words, "-o", tmp_path / "out.png")[0] == 0
        made.append(codec.decode((tmp_path / "out.png").read_bytes()))
    assert np.array_equal(made[0], made[1])
    assert made[0].shape == photo.shape
    code, out, _ = call("weights", "export", tmp_path / "mine.safetensors", "-o", tmp_path / "back")
    assert (code, out.strip()) == (0, f"wrote {tmp_path / 'back' / 'curate_params_0000100.pt'}")
    before, after = (torch.load(p, weights_only=True) for p in (full, tmp_path / "back" / "curate_params_0000100.pt"))
    assert all(torch.equal(value, after[name][key]) for name, state in before.items() for key, value in state.items())


def test_a_run_goes_out_and_its_files_translate_like_the_run(tmp_path: Path, call) -> None:
    dataset(tmp_path)
    run(tiny(run__steps=1, run__samples=0), tmp_path, tmp_path / "run")
    assert call("weights", "export", tmp_path / "run", "-o", tmp_path / "files")[0] == 0
    photo = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    (tmp_path / "photo.png").write_bytes(codec.encode_png(photo))
    made = []
    for source in (["--run", tmp_path / "run"], ["--weights", tmp_path / "files"]):
        words = [*source, "--no-align", "--device", "cpu", "-o", tmp_path / "out.png"]
        assert call("translate", tmp_path / "photo.png", *words)[0] == 0
        made.append(codec.decode((tmp_path / "out.png").read_bytes()))
    assert np.array_equal(made[0], made[1])


def test_the_next_command_is_named_where_there_is_one(tmp_path: Path, call) -> None:
    generator, judge = cyclegan_files(tmp_path, {name: cyclegan()[name] for name in ("net_G_A", "net_D_A")})
    for file, next_ in ((generator, True), (judge, False)):
        code, out, _ = call("weights", "import", file, "-o", tmp_path / f"{file.stem}.safetensors")
        assert (code, "next: curate translate" in out) == (0, next_)


def test_show_lists_names_and_shapes(tmp_path: Path, call) -> None:
    (path, *_) = cyclegan_files(tmp_path, cyclegan())
    code, out, _ = call("weights", "show", path)
    assert code == 0
    assert out.splitlines()[0].startswith(f"{path}: cyclegan, ")
    assert "  model.1.weight  float32 [4, 3, 7, 7]" in out.splitlines()
    assert json.loads(call("weights", "show", path, "--json")[1])[0]["system"] == "cyclegan"


def test_a_guess_is_told(tmp_path: Path, call) -> None:
    torch.save(cyclegan()["net_G_A"].state_dict(), tmp_path / "horse2zebra.pth")
    code, out, _ = call("weights", "import", tmp_path / "horse2zebra.pth", "-o", tmp_path / "mine")
    assert code == 0
    assert "taken as the generator a2b" in out
    assert (tmp_path / "mine.safetensors").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import", "{file}", "-o", "{out}", "--direction", "a2c"], "--direction a2c: there are a2b and b2a"),
        (["import", "{file}", "-o", "{out}", "--system", "ugatti"], "no system 'ugatti'; did you mean 'ugatit'?"),
        (["import", "{file}x", "-o", "{out}"], "No such file"),
        (["export", "{file}", "-o", "{out}", "--layout", "compakt"], "ugatit has no layout 'compakt'"),
        (["export", "{file}.json", "-o", "{out}"], "No such file"),
    ],
)
def test_mistakes_are_told_in_one_line(full: Path, tmp_path: Path, call, words: list[str], message: str) -> None:
    code, _, err = call("weights", *(word.format(file=full, out=tmp_path / "out") for word in words))
    assert code == 2
    assert message in err.splitlines()[0]
    assert not (tmp_path / "out").exists()
