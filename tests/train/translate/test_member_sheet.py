"""A council trains, its samples show every member, and a photo becomes a sheet of what they make of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate import load
from curate.pipeline.core.config import Params
from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging import codec
from curate.train.runs.config import read
from curate.train.runs.trained import load_run
from curate.train.trainer.run import run
from curate.train.translate import member_sheet, stage
from curate.train.translate.pictures import Output
from curate.train.translate.translator import Translator
from tests.support.training import dataset, drawn

SIDE, MEMBERS, SAMPLES = 32, 3, 2
MODEL = {"members": MEMBERS, "width": 4, "blocks": 1, "style": 4, "hidden": 4, "council_start": 0, "mask_gain": 1.0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one step, from short to long hair."""
    root = tmp_path_factory.mktemp("council")
    dataset(root)
    section = {"data": {"size": SIDE, "domains": {"a": "short", "b": "long"}}, "model": MODEL}
    flags = {"run.steps": 1, "run.tick": 1, "run.batch": 2, "run.samples": SAMPLES, "run.features": "standin"}
    config = read(Params({"train": {"council": section}}, None), "council", {**flags, "run.device": "cpu"})
    run(config, root, root / "run")
    return root / "run"


def photo(tmp_path: Path) -> Path:
    path = tmp_path / "anna.png"
    path.write_bytes(codec.encode_png(drawn(1, 7)))
    return path


def translator(trained: Path, *, align: bool = False, size: Any = SIDE) -> Translator:
    networks = load_run(trained, "cpu")
    return Translator(networks, networks.usual_direction, align=align, size=size)


def test_samples_show_what_each_member_makes(trained: Path) -> None:
    shown = codec.decode((trained / "samples" / "latest.png").read_bytes())
    pictures = 1 + 3 * MEMBERS  # the image; of each member two styles, and a mask
    heading = shown.shape[0] - SAMPLES * (SIDE + 4)
    assert 0 < heading < SIDE and shown.shape[1] == pictures * (SIDE + 4) + 8 * MEMBERS
    metrics = json.loads((trained / "metrics.json").read_text())
    assert {"distance", "mask_0", "saturated_2"} <= metrics["seen"].keys()
    assert any(name.endswith("_a2b") for name in metrics["val"])
    assert not any(name.endswith("_b2a") for name in metrics["val"])


def test_a_sheet_has_a_row_for_each_member_and_a_column_for_each_style(trained: Path, tmp_path: Path) -> None:
    whole = translator(trained)
    choice = member_sheet.parse_choice(whole, "all", 2, 5)
    assert choice == member_sheet.MemberChoice((0, 1, 2), (5, 6))
    (result,) = stage.run(whole, [photo(tmp_path)], tmp_path / "out", choice=choice)
    picture = codec.decode(Path(str(result.output)).read_bytes())
    cell = SIDE + member_sheet.HEAD + 2, SIDE + 4
    assert picture.shape[:2] == (MEMBERS * cell[0], 3 * cell[1])
    notes = json.loads((tmp_path / "out" / "anna.json").read_text())
    assert (notes["members"], notes["styles"]) == ([0, 1, 2], [5, 6])
    inside = [
        picture[r * cell[0] + member_sheet.HEAD :, c * cell[1] + 2 :][:SIDE, :SIDE] for r in range(3) for c in (1, 2)
    ]
    assert len({tile.tobytes() for tile in inside}) == 6
    (face,) = whole.chosen(1, 6)(codec.decode(photo(tmp_path).read_bytes()))
    assert face.made is not None
    wanted = face.made.picture
    assert np.abs(inside[3] - wanted).max() <= 0.501


def test_photos_that_are_taken_whole_have_a_sheet_too(trained: Path) -> None:
    whole = translator(trained, size=None)
    drawn_sheet = member_sheet.draw(whole, drawn(1, 7), member_sheet.MemberChoice((0, 2), (0,)))
    assert drawn_sheet is not None
    assert drawn_sheet[0].shape[0] == 2 * (48 + member_sheet.HEAD + 2)


def test_python_chooses_a_member_and_a_style(trained: Path) -> None:
    translate, pixels = load(trained), drawn(1, 7)
    made = [translate(pixels, align=False, member=m, style=s) for m, s in ((0, 0), (1, 0), (0, 1))]
    assert len({picture.tobytes() for picture in made}) == 3
    assert np.array_equal(made[0], translate(pixels, align=False))
    with pytest.raises(UsageError, match="member 3: there are 0 to 2"):
        translate(pixels, align=False, member=3)
    with pytest.raises(UsageError, match="style -1"):
        translate(pixels, align=False, style=-1)


@pytest.mark.parametrize("members", ["3", "one", "0,", "-1", "", "²", "1-2"])
def test_members_that_there_are_not_are_refused(trained: Path, members: str) -> None:
    with pytest.raises(UsageError, match="there are 0 to 2"):
        member_sheet.parse_choice(translator(trained), members, None, None)


def test_one_of_them_is_no_sheet_and_a_sheet_has_no_paint_of_its_own(trained: Path) -> None:
    one, none = member_sheet.choose(translator(trained), "2", None, 7, Output(rgba=True))
    assert (dict(one.choice), none) == ({"member": 2, "style": 7}, None)
    with pytest.raises(UsageError, match="--rgba: a sheet of members and styles has none"):
        member_sheet.choose(translator(trained), "all", None, None, Output(rgba=True))
