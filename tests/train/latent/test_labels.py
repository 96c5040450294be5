"""Labels of generated pictures: measured on drawn people, taken from tables, compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from curate.pipeline.core.errors import InterruptionError, UsageError
from curate.pipeline.core.outputs import OutputPlan
from curate.pipeline.imaging import codec
from curate.train.latent import find_directions, labels, picture_set
from curate.train.latent.face_measures import FaceMeasures
from curate.train.latent.picture_set import PictureSet, picture_name
from tests.support.drawn_people import landscape, person

SEEDS = tuple(range(7))  # of these the last shows nobody


@pytest.fixture(scope="module")
def drawn() -> list[codec.RGB]:
    people = [replace(person(seed + 3), smile=seed % 2 == 0).draw() for seed in SEEDS[:-1]]
    return [*people, landscape(0)]


def a_set(folder: Path, pictures: list[codec.RGB]) -> PictureSet:
    """The pictures as `curate generate` leaves them."""
    found = PictureSet(folder, SEEDS, tuple(map(picture_name, SEEDS)), {"weights": ["a"], "w_dim": 4})
    with OutputPlan([]) as plan:
        picture_set.write(found, torch.zeros(len(SEEDS), 2, 4), plan)
    for path, picture in zip(found.files, pictures, strict=True):
        path.write_bytes(codec.encode_png(picture))
    return found


def blank(folder: Path) -> PictureSet:
    return a_set(folder, [np.zeros((8, 8, 3), np.uint8)] * len(SEEDS))


def test_smiles_are_told_on_drawn_people_and_nobody_has_none(tmp_path: Path, drawn: list[codec.RGB]) -> None:
    pictures = a_set(tmp_path, drawn)
    told = labels.run(pictures, ["smile"])
    columns = labels.read(pictures)
    assert columns["smile"].to_pylist() == [True, False, True, False, True, False, None]
    assert (told.pictures, told.faces, told.positive["smile"]) == (7, 6, 3)
    assert set(told.agreement) == {"smile and smile_cascade"}
    assert columns["yaw"].null_count == 1
    assert columns["brightness"].null_count == 0
    known, positive = labels.classes(pictures, "smile")
    assert known.tolist() == [True] * 6 + [False]
    assert positive.tolist() == [True, False] * 3 + [False]
    labels.run(pictures, ["smile"], threshold=9.0)
    with pytest.raises(UsageError, match="none of 6 labelled pictures are it"):
        labels.classes(pictures, "smile")


def test_what_was_measured_is_kept_after_ctrl_c(
    tmp_path: Path, drawn: list[codec.RGB], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures, calls, real = a_set(tmp_path, drawn), [0], FaceMeasures.__call__

    def interrupted(self: FaceMeasures, picture: codec.RGB) -> dict[str, float]:
        calls[0] += 1
        if calls[0] == 4:
            raise KeyboardInterrupt
        return real(self, picture)

    monkeypatch.setattr(FaceMeasures, "__call__", interrupted)
    with pytest.raises(InterruptionError, match="is kept"):
        labels.run(pictures, ["smile"])
    labels.run(pictures, ["smile"])
    assert calls[0] == 4 + 4  # three were kept, four were left
    labels.run(pictures, ["smile"])
    assert calls[0] == 8


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_a_table_of_labels(tmp_path: Path, ending: str) -> None:
    pictures, path = blank(tmp_path), tmp_path / f"mine.{ending}"
    rows = [("x/seed0002.png", True, "happy"), ("seed0000.png", False, "sad"), ("seed0005.png", False, "angry")]
    table = pa.table({"path": [r[0] for r in rows], "glad": [r[1] for r in rows], "mood": [r[2] for r in rows]})
    if ending == "parquet":
        pq.write_table(table, path)
    elif ending == "jsonl":
        path.write_text("".join(f'{{"path": "{p}", "glad": {str(g).lower()}, "mood": "{m}"}}\n' for p, g, m in rows))
    else:
        comma = "," if ending == "csv" else "\t"
        lines = [comma.join(("path", "glad", "mood")), *(comma.join(map(str, row)) for row in rows)]
        path.write_text("\n".join(lines))
    told = labels.run(pictures, [str(path)])
    assert told.positive == {"glad": 1}
    assert told.faces is None
    known, positive = labels.classes(pictures, "glad")
    assert np.flatnonzero(known).tolist() == [0, 2, 5]
    assert np.flatnonzero(positive).tolist() == [2]
    assert np.flatnonzero(labels.classes(pictures, "mood=angry")[1]).tolist() == [5]
    with pytest.raises(UsageError, match=r"words, in .*angry, happy, sad") as told_off:
        labels.classes(pictures, "mood")
    assert "--label mood=angry" in told_off.value.hint


def test_numbers_are_parted_at_their_thirds(tmp_path: Path) -> None:
    pictures = blank(tmp_path)
    (tmp_path / "age.csv").write_text("seed,age\n" + "".join(f"{seed},{10 * seed}\n" for seed in range(6)))
    labels.run(pictures, [str(tmp_path / "age.csv")])
    known, positive = labels.classes(pictures, "age")
    assert np.flatnonzero(known).tolist() == [0, 1, 4, 5]
    assert np.flatnonzero(positive).tolist() == [4, 5]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\n1,2\n", "no column says of which picture"),
        (f"{'a' * 4000},b\n1,2\n", r"row is: a+\.\.\.\n"),
        ("seed,b\n99,2\n", "says nothing of the 7 pictures"),
        ("seed\n1\n", "no column of labels"),
        ("", "cannot be read"),
        ("seed,b,b\n1,2,3\n", "cannot be read: column b: there twice"),
        ("seed,\udcff\n1,2\n", "cannot be read"),
    ],
)
def test_tables_that_do_not_fit(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "mine.csv").write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(UsageError, match=why):
        labels.run(blank(tmp_path), [str(tmp_path / "mine.csv")])


def test_what_is_not_finite_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("seed,beard\n1,inf\n2,1\n3,0\n")
    assert labels.run(blank(tmp_path), [str(tmp_path / "mine.csv")]).positive == {"beard": 1}


@pytest.mark.parametrize(
    ("seeds", "found", "why"),
    [
        ([{"a": 1}] * 7, [1.0] * 7, "no labels yet"),
        (list(SEEDS), [None] * 7, "none of 0 labelled pictures"),
        (list(SEEDS), pa.nulls(7, pa.string()), "--label smile: empty in"),
        (list(SEEDS), ["x" * 4000] * 7, r"words, in .*x\.\.\.\n"),
        (list(SEEDS), [-(2**63), 2**63 - 1, *range(5)], ""),
    ],
)
def test_labels_of_a_stranger_are_read_or_one_line(
    tmp_path: Path, seeds: list[object], found: list[object] | pa.Array, why: str
) -> None:
    pictures = blank(tmp_path)
    with OutputPlan([]) as plan:
        table = pa.table({"seed": pa.array(seeds), "smile": pa.array(found)})
        picture_set.write_table(tmp_path / picture_set.LABELS, table, pictures.settings, plan)
    if why:
        with pytest.raises(UsageError, match=why) as told:
            labels.classes(pictures, "smile")
        assert len(str(told.value)) < 1000 + len(str(tmp_path))
    else:
        assert labels.classes(pictures, "smile")[1].sum() > 0


def test_what_the_library_says_of_broken_labels_stands_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> pa.Table:
        raise OSError("no footer\n")

    pictures = blank(tmp_path)
    (tmp_path / picture_set.LABELS).write_bytes(b"PAR1")
    monkeypatch.setattr(picture_set.parquet_file, "read", broken)
    with pytest.raises(UsageError, match=r"broken: no footer\n  delete it and make it again"):
        labels.classes(pictures, "smile")


@pytest.mark.parametrize("found", [["x"] * 7, [{"a": 1}] * 7, [1e300] * 7])
def test_measures_that_are_none_are_as_if_nobody_had_measured(tmp_path: Path, found: list[object]) -> None:
    pictures = blank(tmp_path)
    with OutputPlan([]) as plan:
        picture_set.write(pictures, torch.randn(len(SEEDS), 2, 4), plan)
        table = pa.table({"seed": pa.array(SEEDS), "smile_measure": pa.array(found), "brightness": pa.array(found)})
        picture_set.write_table(tmp_path / picture_set.LABELS, table, pictures.settings, plan)
    pictures = replace(pictures, settings={**pictures.settings, "num_ws": 2})
    (made,) = find_directions.run(pictures, find_directions.Asked("pca", count=1), tmp_path / "out")
    assert made.about["correlations"] == {}
    with pytest.raises(UsageError, match="faces were found: no label"):
        labels.run(pictures, ["smile"])


def test_names_that_are_not_there(tmp_path: Path) -> None:
    pictures = blank(tmp_path)
    with pytest.raises(UsageError, match="no labels yet") as told:
        labels.classes(pictures, "smile")
    assert "curate label" in told.value.hint
    with pytest.raises(UsageError, match="neither smile nor a table"):
        labels.run(pictures, ["smlie"])
    with pytest.raises(UsageError, match="no such file"):
        labels.run(pictures, ["none.csv"])
    (tmp_path / "glad.csv").write_text("seed,glad\n1,1\n2,1\n")
    labels.run(pictures, [str(tmp_path / "glad.csv")])
    with pytest.raises(UsageError, match="did you mean 'glad'"):
        labels.classes(pictures, "gald")
    with pytest.raises(UsageError, match="all of 2"):
        labels.classes(pictures, "glad")


def test_agreement_and_the_threshold() -> None:
    first = np.array([1, 1, 0, 0, np.nan])
    assert labels.agreement(first, first) == {"share": 1.0, "kappa": 1.0}
    assert labels.agreement(first, np.array([1, 0, 1, 0, 1.0])) == pytest.approx({"share": 0.5, "kappa": 0.0})
    assert labels.otsu(np.array([1.0, 1.2, 0.9, 5.0, 5.1])) == pytest.approx(3.1)
