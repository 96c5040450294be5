"""The runs as DVC is given them: numbers and curves of every run, and a dvc.yaml that names none of them."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate.pipeline.stats import run_tables, runs
from curate.pipeline.stats import stage as report
from curate.pipeline.stats.config import Stats
from tests.support import ROOT

ANCHORS = {"<DVC_METRIC_DATA>", "<DVC_METRIC_TITLE>", "<DVC_METRIC_X>", "<DVC_METRIC_X_LABEL>", "<DVC_METRIC_Y>"}


def add_run(root: Path, name: str, steps: int = 4, metrics: str = '{"steps": 4, "G": {"gan": 0.5}}') -> Path:
    run = root / run_tables.RUNS / name
    run.mkdir(parents=True)
    rows = [
        "step\tG/gan\tD/d\tseen/accuracy\tG/lr",
        *(f"{n}\t{1 / n}\t{'' if n % 2 else 2.0}\t1\t0.1" for n in range(1, steps + 1)),
    ]
    (run / "scalars.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    (run / "scores.tsv").write_text("step\tval/kid\n2\t0.25\n4\tnan\n", "utf-8")
    (run / "metrics.json").write_text(metrics, "utf-8")
    return run


def read(root: Path, name: str) -> list[dict[str, str]]:
    with (root / report.FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def entries(section: str) -> list[Any]:
    found: list[Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))[section]
    return found


def files() -> dict[str, dict[str, Any]]:
    """The files and folders that dvc.yaml calls plots, with the settings of each."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries("plots"):
        ((name, settings),) = entry.items()
        found |= dict.fromkeys(settings["y"], settings) if isinstance(settings["y"], dict) else {name: settings}
    return found


def test_dvc_yaml_names_no_run() -> None:
    named = [*entries("metrics"), *files()]
    assert named
    for path in named:
        assert Path(path).parts[:2] == ("processed", "report"), path


@pytest.mark.parametrize("runs", [(), ("cyclegan", "my-own-model")])
def test_the_report_writes_what_dvc_yaml_names(tmp_path: Path, runs: tuple[str, ...]) -> None:
    for run in runs:
        add_run(tmp_path, run)
    report.run(Stats(), tmp_path)
    for path in (*entries("metrics"), *files()):
        assert (tmp_path / path).exists(), path
    for path, settings in files().items():
        with (tmp_path / path).open(encoding="utf-8") as file:
            columns = next(csv.reader(file))
        y = settings["y"][path] if isinstance(settings["y"], dict) else settings["y"]
        assert {settings["x"], y} <= set(columns)
    assert sorted(path.stem for path in (tmp_path / report.FOLDER / "metrics").iterdir()) == sorted(runs)


def test_the_template_fits_the_tables() -> None:
    text = (ROOT / ".dvc/plots/runs.json").read_text("utf-8")
    spec = json.loads(text)
    assert all(anchor in text for anchor in ANCHORS)
    assert spec["data"] == {"values": "<DVC_METRIC_DATA>"}
    shown = {spec["facet"]["field"], spec["spec"]["encoding"]["color"]["field"]}
    assert shown | {"step", "value"} == set(run_tables.COLUMNS)
    assert [s["template"] for name, s in files().items() if "funnel" not in name] == ["runs", "runs"]


def test_losses_and_scores_are_tidy(tmp_path: Path) -> None:
    add_run(tmp_path, "a")
    add_run(tmp_path, "b", steps=2)
    report.run(Stats(), tmp_path)
    losses = read(tmp_path, "losses.csv")
    assert [row["step"] for row in losses if (row["run"], row["scalar"]) == ("a", "D/d")] == ["2", "4"]
    assert {row["scalar"] for row in losses} == {"G/gan", "D/d"}  # neither a learning rate nor what is only seen
    assert read(tmp_path, "scores.csv") == [
        {"run": run, "scalar": "val/kid", "step": "2", "value": "0.25"} for run in ("a", "b")
    ]


def test_long_runs_are_thinned_evenly_and_keep_their_ends(tmp_path: Path) -> None:
    add_run(tmp_path, "long", steps=4000)
    report.run(Stats(), tmp_path)
    steps = [int(row["step"]) for row in read(tmp_path, "losses.csv") if row["scalar"] == "G/gan"]
    gaps = {b - a for a, b in itertools.pairwise(steps)}
    assert (len(steps), steps[0], steps[-1]) == (run_tables.POINTS, 1, 4000)
    assert max(gaps) - min(gaps) <= 1


def test_metrics_are_plain_numbers_of_runs_that_are_there(tmp_path: Path) -> None:
    run = add_run(tmp_path, "a", metrics='{"steps": 4, "name": "x", "G": {"gan": 0.5, "cycle": NaN}, "ok": true}')
    add_run(tmp_path, "broken", metrics="{")
    report.run(Stats(), tmp_path)
    folder = tmp_path / report.FOLDER / "metrics"
    assert [path.name for path in folder.iterdir()] == ["a.json"]
    assert json.loads((folder / "a.json").read_text("utf-8")) == {"steps": 4, "G": {"gan": 0.5}}
    (run / "metrics.json").unlink()
    report.run(Stats(), tmp_path)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("names", "newest"),
    [
        (["step-950000", "step-1050000", "latest", "history"], "step-1050000.png"),
        (["step-000009", "step-000010"], "step-000010.png"),
        (["latest"], "latest.png"),
        ([], None),
    ],
)
def test_the_newest_sample_is_found_by_its_step(tmp_path: Path, names: list[str], newest: str | None) -> None:
    for name in names:
        (tmp_path / f"{name}.png").touch()
    found = runs.newest_sample(tmp_path)
    assert (found.name if found else None) == newest
