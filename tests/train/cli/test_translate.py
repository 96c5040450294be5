"""`curate translate` as a person types it: which run, options without effect, what failed, Ctrl-C."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from curate.__main__ import main
from curate.pipeline.imaging import codec
from curate.train.trainer.run import run
from curate.train.translate import stage
from tests.support.training import dataset, drawn, tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with one run, under a name of its own."""
    root = tmp_path_factory.mktemp("root")
    dataset(root)
    run(tiny(run__steps=1, run__samples=0), root, root / "processed/runs/mine")
    return root


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photos" / "anna.png"
    path.parent.mkdir()
    path.write_bytes(codec.encode_png(drawn(0, 1)))
    return path


def call(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The exit code of `curate translate WORDS`."""
    monkeypatch.setattr(sys, "argv", ["curate", "translate", *map(str, words), "--device", "cpu"])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--weights", "x.pth", "--run", "mine"], "--weights with --run"),
        (["--weights", "x.pth", "--best", "kid"], "--best with --weights"),
        (["--system", "cyclegan"], "--system without --weights"),
        (["--split", "test"], "INPUT or --split"),
        (["--worn", "shirt.png"], "--worn without --article"),
        (["--all-faces", "--no-align"], "--all-faces with --no-align"),
        (["--article", "shirt.png", "--all-faces"], "--article: whole photos"),
        (["--article", "shirt.png", "--no-align"], "--article: whole photos"),
        (["--article", "{photo}"], "puts no articles on people"),
        (["--size", "photo"], "a face that is cut out has no size of a photo"),
        (["--size", "large"], "neither px nor 'photo'"),
        (["--size", "63"], "not a multiple of 4"),
        (["--layout", "both"], "--layout both: there are photo, crop, compare"),
        (["--layout", "crop", "--no-align"], "photos are taken whole"),
        (["--rgba", "--no-align"], "photos are taken whole"),
        (["--gif", "--layout", "compare"], "each shows before and after"),
        (["-o", "x.gif"], "not written as .gif"),
        (["--mark", "xmp"], "--mark xmp: there is c2pa"),
        (["--mark", "c2pa"], "by whom?"),
        (["--key", "key.pem"], "without --mark"),
        (["--direction", "a2c"], "--direction a2c"),
        (["-o", "x.tiff"], "not written as .tiff"),
        (["--members", "all"], "/mine has no members and no styles"),
        (["--members", "all", "--article", "{photo}"], "puts no articles on people"),
        (["--styles", "2"], "leave --styles out"),
        (["--style", "0"], "leave --style out"),
        (["--style", "seven"], "Invalid value for '--style'"),
        (["--style", "99999999999999999999"], "Invalid value for '--style'"),
        (["--styles", "0"], "Invalid value for '--styles'"),
    ],
)
def test_an_option_without_effect_is_a_usage_error_and_nothing_is_written(
    trained: Path,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(photo.parent)
    given = [word.format(photo=photo) for word in words]
    assert call(monkeypatch, photo, "--root", trained, *given) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in photo.parent.iterdir()] == [photo.name]


def test_the_only_run_is_found_and_of_several_one_is_asked_for(
    trained: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "processed/runs"
    assert call(monkeypatch, photo, "--root", tmp_path) == 2
    assert "no trained run is here" in capsys.readouterr().err
    for name in ("mine", "mine.1", ".trash"):
        shutil.copytree(trained / "processed/runs/mine", runs / name)
    shutil.rmtree(shutil.copytree(runs / "mine", runs / "begun") / "checkpoints")
    words = [photo, "--root", tmp_path, "--no-align", "-o", tmp_path / "out.png"]
    assert call(monkeypatch, *words) == 0
    assert capsys.readouterr().err.count("with processed/runs") == 0
    shutil.copytree(runs / "mine", runs / "other")
    assert call(monkeypatch, *words) == 2
    assert "2 runs are here: mine, other" in capsys.readouterr().err
    shutil.copytree(runs / "mine", runs / "cyclegan")
    assert call(monkeypatch, *words) == 0
    assert "with processed/runs/cyclegan; by --run there are" in capsys.readouterr().err


def test_a_folder_with_a_broken_photo_does_the_others_and_ends_with_2(
    trained: Path, photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = photo.parent, photo.parent / "made"
    words = [folder, "--root", trained, "--no-align", "-o", out]
    (folder / "torn.png").write_bytes(photo.read_bytes()[:90])
    assert call(monkeypatch, *words, "-q") == 2
    told = capsys.readouterr()
    assert not told.out
    assert "1 of 2 inputs was not translated" in told.err and "torn.png: decode_failed" in told.err
    assert (out / "anna.png").is_file()
    assert call(monkeypatch, *words, "--json") == 2
    assert [one["reason"] for one in json.loads(capsys.readouterr().out)] == ["ok", "decode_failed"]


def test_the_same_command_twice_gives_the_same_files(
    trained: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photo.parent)
    found = []
    for _ in range(3):
        assert call(monkeypatch, ".", "--root", trained, "--no-align", "--layout", "compare") == 0
        found.append({path: path.read_bytes() for path in Path("translated").iterdir()})
    assert found[0] == found[1] == found[2]
    assert {path.name for path in found[0] if path.name[0] != "."} == {"anna.png", "anna.json"}
    assert call(monkeypatch, ".", "--root", trained, "--no-align", "-o", ".") == 2, "anna.png is the photo"
    assert codec.decode(photo.read_bytes()).tolist() == drawn(0, 1).tolist()


def test_whole_photos_keep_their_size_in_the_kind_that_is_asked_for(
    trained: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo.write_bytes(codec.encode_png(drawn(0, 1, 90)[:61, :35]))
    assert call(monkeypatch, photo, "--root", trained, "--no-align", "-o", tmp_path / "me.jpg") == 0
    data = (tmp_path / "me.jpg").read_bytes()
    assert codec.sniff(data) is codec.Format.JPEG
    assert codec.decode(data).shape == (61, 35, 3)
    assert call(monkeypatch, photo, "--root", trained, "--no-align", "--size", "32", "-o", tmp_path / "me.webp") == 0
    assert codec.decode((tmp_path / "me.webp").read_bytes()).shape == (61, 35, 3)
    words = [photo, "--root", trained, "--no-align", "--size", "32", "--layout", "crop", "-o", tmp_path / "crop.png"]
    assert call(monkeypatch, *words) == 0
    assert codec.decode((tmp_path / "crop.png").read_bytes()).shape == (32, 32, 3)


def test_ctrl_c_says_that_the_same_command_goes_on(
    trained: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stage, "read_photo", pressed)
    assert call(monkeypatch, photo, "--root", trained, "-o", tmp_path / "out") == 130
    said = capsys.readouterr().err
    assert "0 pictures are written, of 1 inputs" in said and "the same command goes on" in said
