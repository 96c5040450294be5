"""What to type next: only what the project has, and what its settings say."""

from __future__ import annotations

from pathlib import Path

from curate.pipeline.cli import next_steps
from curate.pipeline.core.config import as_dict
from curate.pipeline.dedup.config import Dedup
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.stats import funnel
from curate.pipeline.tables import manifest
from tests.support.tables import dedup_row, image_row, png


def images(root: Path, *rows: dict[str, object]) -> None:
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), root)


def test_faces_alone_need_no_pairs(tmp_path: Path) -> None:
    images(tmp_path, image_row(tmp_path, png(0), "long", 0))
    assert list(funnel.funnel(tmp_path).not_yet) == ["crops", "dedup", "dataset"]


def test_products_alone_need_only_pairs(tmp_path: Path) -> None:
    images(tmp_path, image_row(tmp_path, png(0), "shirts", 0, role="article", group_id="g"))
    assert list(funnel.funnel(tmp_path).not_yet) == ["pairs"]


def test_a_table_made_with_other_settings_is_named_with_its_keys(tmp_path: Path) -> None:
    section = as_dict(Dedup(radius=3))
    rows = [dedup_row({"crop_id": "ab" * 16, "domain": "long"})]
    manifest.write(manifest.DEDUP, manifest.from_rows(manifest.DEDUP, rows), tmp_path, {"section": section})
    assert list(next_steps.changed_settings(tmp_path)) == []  # nothing says otherwise
    (tmp_path / "params.yaml").write_text("dedup:\n  radius: 7\n")
    found, commands = next(next_steps.changed_settings(tmp_path))
    assert found == "dedup made with other settings than params.yaml has: dedup.radius"
    assert commands == "curate dedup"
    (tmp_path / "params.yaml").write_text("dedup:\n  radius: 3\n")
    assert list(next_steps.changed_settings(tmp_path)) == []
    (tmp_path / "params.yaml").write_text("dedup:\n  radius: 3\npairs:\n  radius: 7\n")
    manifest.write(manifest.PAIRS, manifest.empty(manifest.PAIRS), tmp_path, {"section": as_dict(Pairs())})
    assert list(next_steps.changed_settings(tmp_path)) == []  # a project of faces has no pairs to make anew


def test_the_steps_after_init_begin_where_one_stands(tmp_path: Path) -> None:
    assert f"  cd {tmp_path}" in next_steps.after_init(tmp_path)
    (tmp_path / ".dvc").mkdir()
    assert not [line for line in next_steps.after_init(tmp_path) if "dvc init" in line]
