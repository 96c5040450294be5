"""What a run writes about itself, and that a run which was killed writes it again, the same."""

from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from curate.pipeline.core.errors import CurateError
from curate.train.trainer.logger import ScalarLogger


def rows(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_after_the_last_checkpoint_are_written_anew(tmp_path: Path) -> None:
    with ScalarLogger(tmp_path, 0) as log:
        for step in (2, 4, 6):
            log.write(step, {"G/x": float(step)})
    path = tmp_path / "scalars.jsonl"
    path.write_text(path.read_text() + '{"step": 8, "G/')  # torn
    with ScalarLogger(tmp_path, 4) as log:
        assert [row["step"] for row in rows(path)] == [2, 4]
        log.write(6, {"G/x": 6.0})
    assert rows(path) == [{"step": step, "G/x": float(step)} for step in (2, 4, 6)]


def test_the_table_has_a_column_for_each_scalar_also_for_those_that_come_late(tmp_path: Path) -> None:
    with ScalarLogger(tmp_path, 0) as log:
        log.write(1, {"G/x": 1.0})
        log.write(2, {"G/x": 2.0, "G/lazy": 0.5})
        log.table()
    with (tmp_path / "scalars.tsv").open() as file:
        assert list(csv.DictReader(file, delimiter="\t")) == [
            {"step": "1", "G/x": "1.0", "G/lazy": ""},
            {"step": "2", "G/x": "2.0", "G/lazy": "0.5"},
        ]


def test_dvc_plots_reads_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dvc = Path(sys.executable).with_name("dvc")
    if not dvc.exists():
        pytest.skip("dvc is not installed")
    with ScalarLogger(tmp_path, 0) as log:
        log.write(2, {"G/cycle_a": 1.5})
        log.write(4, {"G/cycle_a": 0.5})
        log.table()
    (tmp_path / "dvc.yaml").write_text("plots:\n  - losses: {x: step, y: {scalars.tsv: [G/cycle_a]}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    subprocess.run([dvc, "init", "--no-scm", "-q"], check=True, capture_output=True)
    shown = subprocess.run([dvc, "plots", "show", "--json"], check=True, capture_output=True, text=True).stdout
    points = json.loads(shown)["data"]["losses"][0]["content"]["data"]["values"]
    assert [(point["step"], point["G/cycle_a"]) for point in points] == [("2", "1.5"), ("4", "0.5")]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with ScalarLogger(tmp_path, 0) as log:
        log.path.unlink()
        log.path.mkdir()
        with pytest.raises(CurateError, match=r"scalars\.jsonl: cannot write"):
            log.write(2, {"G/x": 1.0})


def test_tensorboard_reads_the_same_numbers(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the package tensorboard is optional")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with ScalarLogger(tmp_path, 0) as log:
        for step in (2, 4, 6):
            log.write(step, {"G/x": float(step)})
    with ScalarLogger(tmp_path, 2) as log:
        log.write(4, {"G/x": 40.0})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("G/x")] == [(2, 2.0), (4, 40.0)]


def test_a_full_disk_is_one_line_of_tensorboard_s_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record_writer = pytest.importorskip("tensorboard.summary.writer.record_writer", reason="tensorboard is optional")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    told = pytest.raises(CurateError, match="tensorboard: cannot write: No space left")
    with told, ScalarLogger(tmp_path, 0) as log:
        monkeypatch.setattr(record_writer.RecordWriter, "write", refuse)
        log.write(2, {"G/x": 1.0})
    assert not capsys.readouterr().err, "no thread of it that tells of the same in its own way"


def test_tables_are_extended_line_by_line_and_made_anew_for_a_new_column(tmp_path: Path) -> None:
    with ScalarLogger(tmp_path, 0) as log:
        log.write(2, {"G/x": 1.0})
        log.write(4, {"G/x": 2.0, "val/kid": 0.5})
        log.table()
        path = tmp_path / "scalars.tsv"
        path.write_text(path.read_text().replace("1.0", "one"))  # whether it is written again
        log.write(6, {"G/x": 3.0})
        log.table()
        assert path.read_text() == "step\tG/x\n2\tone\n4\t2.0\n6\t3.0\n"
        log.write(8, {"G/x": 4.0, "D/y": 5.0})
        log.table()
        assert path.read_text() == "step\tG/x\tD/y\n2\t1.0\t\n4\t2.0\t\n6\t3.0\t\n8\t4.0\t5.0\n"
        assert (tmp_path / "scores.tsv").read_text() == "step\tval/kid\n4\t0.5\n"
        assert [row["step"] for row in log.measured] == [4]


GARBAGE = [
    "[1]",
    "null",
    "7",
    "{}",
    "{",
    "\x00",
    "\x85",
    '{"step": "x"}',
    '{"step": null}',
    '{"step": -1}',
    '{"step": true}',
]
GARBAGE += ['{"step": 1, "G/x": "y"}', '{"step": 1, "G/x": [1]}', '{"step": 1, "G/x": ' + "[" * 3000 + "]" * 3000 + "}"]


@pytest.mark.parametrize("line", GARBAGE)
def test_a_line_that_tells_of_no_step_costs_itself_alone(tmp_path: Path, line: str) -> None:
    good = '{"step": 1, "G/x": 1.0}\n'
    (tmp_path / "scalars.jsonl").write_bytes(good.encode() + line.encode("latin-1") + b"\n" + good.encode())
    with ScalarLogger(tmp_path, 4) as log:
        log.write(6, {"G/x": 6.0})
        log.table()
    assert [row["step"] for row in rows(tmp_path / "scalars.jsonl")] == [1, 1, 6]
