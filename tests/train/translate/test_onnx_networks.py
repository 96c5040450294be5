"""Photos through generators in ONNX files: the same as through torch, where there is no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging import codec, synthetic
from curate.train.translate import onnx_networks
from curate.train.translate.member_sheet import parse_choice
from curate.train.translate.translator import Translator
from tests.support import ROOT, drawn_people, onnx_painter
from tests.support.command import curate

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

WITHOUT_TORCH = (
    "import sys; sys.modules['torch'] = sys.modules['torchvision'] = None; from curate.__main__ import main; main()"
)


def command(*words: object, code: int = 0) -> str:
    """Runs `curate translate WORDS` where torch can't be imported."""
    arguments = [sys.executable, "-c", WITHOUT_TORCH, "translate", *map(str, words)]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_whole_photo_is_translated_without_torch(tmp_path: Path) -> None:
    networks = onnx_painter.write(tmp_path / "a2b.onnx")
    photo = drawn_people.photo(1)
    (tmp_path / "anna.png").write_bytes(codec.encode_png(photo))
    command(tmp_path / "anna.png", "--onnx", networks, "-o", tmp_path / "out.png", "--gif")
    made = codec.decode((tmp_path / "out.png").read_bytes())
    notes = json.loads((tmp_path / "out.json").read_text())
    assert made.shape == photo.shape and (tmp_path / "out.gif").is_file()
    changed = np.flatnonzero((made != photo).any(axis=(1, 2)))
    x, y, width, height = notes["box"]
    assert changed[0] > 0 and changed[-1] < len(photo) - 1, "outside of the mask the photo's own values"
    middle = int(y + height / 2), int(x + width / 2)
    assert np.abs(made[middle].astype(int) - photo[middle][[1, 2, 0]]).max() < 12
    assert notes["step"] == 7 and len(notes["weights"][0]) == 64
    assert synthetic.SOURCE_TYPE.encode() in (tmp_path / "out.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--weights", "x.pth"], "--weights with --onnx"),
        (["--run", "mine"], "--run with --onnx"),
        (["--device", "cpu"], "--device with --onnx"),
        (["--direction", "b2a"], "--direction b2a: not one of"),
        (["--no-align", "--size", "photo"], "takes images of 64 px alone"),
    ],
)
def test_options_that_say_nothing_to_an_onnx_file_are_refused(tmp_path: Path, words: list[str], message: str) -> None:
    networks = onnx_painter.write(tmp_path / "a2b.onnx")
    done = curate("translate", "anna.png", "--onnx", networks, "-o", tmp_path / "out", *words, code=2)
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_as_weights_it_is_told_where_it_goes(tmp_path: Path) -> None:
    networks = onnx_painter.write(tmp_path / "a2b.onnx")
    done = curate("translate", "anna.png", "--weights", networks, "-o", tmp_path / "out", code=2)
    assert f"--onnx {networks}" in done.stderr


def test_a_file_of_one_size_says_so(tmp_path: Path) -> None:
    networks = onnx_networks.load(onnx_painter.write(tmp_path / "a2b.onnx"))
    assert networks.directions == ("a2b",) and networks.members == 0 and networks.system == "Painter"
    with pytest.raises(UsageError, match="takes images of 64 px alone"):
        Translator(networks, "a2b", size=128)
    assert not Translator(networks, "a2b", align=False).takes_whole


def test_styles_are_known_by_number(tmp_path: Path) -> None:
    networks = onnx_networks.load(onnx_painter.write(tmp_path / "a2b-member-0.onnx", styled=True))
    picture = np.full((64, 64, 3), 100, np.float32)
    first, third = (networks.painted(picture, "a2b", None, {"style": n}).picture for n in (0, 2))
    assert third[32, 32] - first[32, 32] == pytest.approx(0.2 * 127.5, abs=0.01)
    assert np.array_equal(third[0], first[0])
    assert parse_choice(Translator(networks, "a2b"), "all", 2, 1).styles == (1, 2)
    with pytest.raises(UsageError, match=r"style 3: .* knows 0 to 2"):
        networks.painted(picture, "a2b", None, {"style": 3})


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), (b"", "no ONNX file"), (b"\x08\x0ahello", "no ONNX file")]
)
def test_what_is_no_file_of_networks(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "x.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        onnx_networks.load(path)


def test_another_projects_file_is_refused_since_it_does_not_say_how_photos_are_cut(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of curate's") as told:
        onnx_networks.load(onnx_painter.write(tmp_path / "x.onnx", told=False))
    assert "--layout onnx" in told.value.hint
