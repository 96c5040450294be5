"""What the report says of runs: judged side by side, their curves, health and samples; losses folded away."""

from __future__ import annotations

import json
import math
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from PIL import Image

from curate.pipeline.stats import stage as report
from curate.pipeline.stats.charts import curves
from curate.pipeline.stats.config import Stats
from curate.pipeline.stats.run_tables import direction


def run(root: Path, name: str, *, kid: list[float], health: str = "nothing unusual") -> Path:
    """A run of CycleGAN that measured its KID every 100 steps."""
    folder = root / "processed/runs" / name
    (folder / "samples").mkdir(parents=True)
    Image.new("RGB", (300, 100), "red").save(folder / "samples" / "step-000100.png")
    (folder / "config.json").write_text(
        json.dumps({"recipe": "cyclegan", "data": {"domains": {"a": "long", "b": "short"}}}), "utf-8"
    )
    (folder / "health.txt").write_text(f"step 100\n{health}\n", "utf-8")
    steps = range(100, 100 * len(kid) + 1, 100)
    scalars = ["step\tG/gan_a2b\tD/d_a\tG/lr", *(f"{step}\t1.0\t0.5\t0.1" for step in (*steps, 9999))]
    (folder / "scalars.tsv").write_text("\n".join(scalars) + "\n", "utf-8")
    head = "step\tval/kid_standin_a2b\tval/kid_std_standin_a2b\tval/structure_a2b"
    scores = [head, *(f"{step}\t{value}\t0.01\t0.9" for step, value in zip(steps, kid, strict=True))]
    (folder / "scores.tsv").write_text("\n".join(scores) + "\n", "utf-8")
    return folder


def section(root: Path) -> Tag:
    page = report.run(Stats(), root)
    found = BeautifulSoup(page.read_text("utf-8"), "lxml").select_one("#runs")
    assert found is not None
    return found


def test_runs_stand_side_by_side_with_what_they_are_judged_by(tmp_path: Path) -> None:
    run(tmp_path, "first", kid=[0.5, 0.25])
    ill = run(tmp_path, "second", kid=[0.5, 0.4, 0.3], health="D wins: its loss is near 0")
    best = {"best": {"kid_standin": {"step": 200, "value": 0.25}}}
    (ill / "metrics.json").write_text(json.dumps(best), "utf-8")
    rows = section(tmp_path).select("tr")
    assert [cell.get_text() for cell in rows[0].select("th")] == [
        "Run",
        "Model",
        "Steps",
        "kid_standin_a2b",
        "Best",
        "Health",
    ]
    told = [[cell.get_text() for cell in row.select("td")] for row in rows[1:]]
    assert told[0] == ["first", "cyclegan", "9,999", "0.25 ± 0.01", "–", "nothing unusual"]
    assert told[1][3:5] == ["0.3 ± 0.01", "kid_standin 0.25 after 200 steps"]
    assert [row.select_one(".ill") is not None for row in rows[1:]] == [False, True]


def test_one_metric_of_several_runs_is_one_chart_and_losses_are_folded(tmp_path: Path) -> None:
    run(tmp_path, "first", kid=[0.5, 0.25])
    run(tmp_path, "second", kid=[0.5, 0.4, 0.3])
    found = section(tmp_path)
    both = found.select_one(".card .curves-row .curve")
    assert both is not None
    assert [line.get_text() for line in both.select(".legend span")] == ["first", "second"]
    assert [len(str(line["points"]).split()) for line in both.select("polyline")] == [2, 3]
    for card in found.select(".run"):
        folded = card.select("details:not(.fold) .curve > p:first-child")
        assert [heading.get_text() for heading in folded] == ["G", "D"], "a learning rate is no loss"
        shown = card.select("details.fold .curve")
        assert [chart.get_text(" ", strip=True).split()[0] for chart in shown] == ["kid_standin", "structure"]
        assert [line.get_text() for line in shown[0].select(".legend span")] == ["long to short"]
        assert "Health: nothing unusual" in card.get_text()


def test_a_direction_keeps_its_name_where_its_run_says_no_domains(tmp_path: Path) -> None:
    for text in ('{"data": {"domains": ["a"]}}', '{"data": 3}', '{"data": {"domains": {"a": "long"}}}', "nothing"):
        (tmp_path / "config.json").write_text(text, "utf-8")
        assert direction(tmp_path, "a2b") == "a2b"


def test_lines_of_other_lengths_share_one_scale() -> None:
    svg = BeautifulSoup(str(curves({"a": ([0, 100], [1.0, 0.0]), "b": ([0, 50], [0.5, 0.5])}, "n")), "lxml")
    a, b = ([tuple(map(float, p.split(","))) for p in str(line["points"]).split()] for line in svg.select("polyline"))
    assert b[1][0] == (a[0][0] + a[1][0]) / 2
    assert abs(b[0][1] - (a[0][1] + a[1][1]) / 2) < 1


def test_what_was_measured_once_is_a_dot() -> None:
    svg = BeautifulSoup(str(curves({"a": ([100], [1.0])}, "n")), "lxml")
    assert len(svg.select("circle")) == 1 and not svg.select("polyline")
    assert str(curves({"a": ([100], [None])}, "n")) == ""


def test_files_of_a_run_that_are_broken_leave_their_part_out(tmp_path: Path) -> None:
    folder = run(tmp_path, "first", kid=[0.5])
    best = '{"best": {"kid": 3, "fid": {"step": {}, "value": 1}, "change": {"step": 1, "value": {}}}}'
    for name, text in (("config.json", "["), ("metrics.json", best), ("scores.tsv", "nonsense")):
        (folder / name).write_text(text, "utf-8")
    (folder / "health.txt").write_bytes(b"\xff\xfe\n\xff")
    cells = [cell.get_text() for cell in section(tmp_path).select("td")]
    assert cells == ["first", "–", "9,999", "–", "–"]


def test_what_was_measured_once_is_a_number_and_no_chart(tmp_path: Path) -> None:
    run(tmp_path, "first", kid=[0.5])
    run(tmp_path, "second", kid=[0.25])
    found = section(tmp_path)
    both, *_ = found.select(".curve")
    assert [line.get_text(" ", strip=True) for line in both.select(".number")] == [
        "first 0.5 after 100 steps",
        "second 0.25 after 100 steps",
    ]
    (kid, structure) = found.select(".run")[0].select("details.fold .curve")
    assert kid.select_one(".number").get_text(" ", strip=True) == "long to short 0.5 after 100 steps"  # type: ignore[union-attr]
    assert not found.select(".curves circle, .run details.fold svg"), structure


def evaluation(root: Path, name: str, scores: dict[str, object], label: str = "long to short") -> None:
    path = root / "processed/evaluated" / name / "evaluation.json"
    path.parent.mkdir(parents=True)
    document = {"net": "lite0", "ways": {"a2b": {"label": label, "scores": scores}}}
    path.write_text(json.dumps(document), "utf-8")


def test_what_evaluate_measured_stands_side_by_side_with_what_nobody_translated(tmp_path: Path) -> None:
    run(tmp_path, "first", kid=[0.5])
    evaluation(
        tmp_path, "first", {"kid": {"value": 0.5, "spread": 0.02, "reference": 1.5}, "cycle_l1": {"value": 0.01}}
    )
    evaluation(tmp_path, "second", {"kid": {"value": 0.25, "spread": 0.0, "reference": 1.5}})
    evaluation(tmp_path, "third", {"kid": {"value": 3}}, label="short to long")
    evaluation(tmp_path, "broken", {"kid": "nonsense", "fid": None, "cycle_l1": {"value": math.nan}})
    evaluation(tmp_path, "endless", {"kid": {"value": 10**400}, "cycle_l1": {"value": math.inf}})
    tables = section(tmp_path).select(".evaluated details")
    assert [table.get_text(" ", strip=True).split(" Metric")[0] for table in tables] == [
        "Evaluated: long to short by lite0",
        "Evaluated: short to long by lite0",
    ]
    rows = [[cell.get_text() for cell in row.select("th, td")] for row in tables[0].select("tr")]
    assert rows == [
        ["Metric", "first", "second", "Untranslated"],
        ["kid", "0.5 ± 0.02", "0.25", "1.5"],
        ["cycle_l1", "0.01", "–", "–"],
    ]
