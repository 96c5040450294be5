"""A root belongs to one project: no other one's data get in, and one that is set aside comes back whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from curate.pipeline.cli import presets, project
from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.locks import exclusive_lock
from curate.pipeline.tables import decisions, manifest
from tests.support import ROOT


def used(root: Path, preset: str = "demo") -> Path:
    """A root of `preset` that holds a picture, a crop, a table and a decision."""
    presets.write(preset, root)
    for name in ("raw/images/ab/abc.jpg", "processed/crops/cd.png", "raw/.hosts/known"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{preset}: {name}")
    meta = {"section": {"demo": {"seed": 7} if preset == "demo" else None}}
    manifest.write(manifest.IMAGES, manifest.empty(manifest.IMAGES), root, meta)
    (root / decisions.FILE).write_text("{}\n")
    return root


def files(root: Path) -> dict[str, bytes]:
    skip = {project.STAGES, ".dvcignore", "dvc.lock"}
    found = (path for path in root.rglob("*") if path.is_file() and project.CODE not in path.parts)
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in found if p.name not in skip}


@pytest.mark.parametrize("force", [False, True])
def test_another_preset_is_refused_where_data_are(tmp_path: Path, force: bool) -> None:
    before = files(used(tmp_path))
    with pytest.raises(UsageError, match=r"another project's data \(demo\): manifests/images.parquet") as told:
        presets.write("hair", tmp_path, force=force)
    assert "curate init hair --root NEW" in told.value.hint and "--aside" in told.value.hint
    assert files(tmp_path) == before


@pytest.mark.parametrize("left", ["manifests/dataset.parquet", "raw/images/a.png", "processed/runs/x/config.json"])
def test_one_file_of_data_is_enough(tmp_path: Path, left: str) -> None:
    presets.write("smile", tmp_path)
    (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / left).write_text("x")
    with pytest.raises(UsageError, match=left):
        presets.write("icon", tmp_path)


def test_data_without_params_are_somebody_s(tmp_path: Path) -> None:
    (tmp_path / "raw/images").mkdir(parents=True)
    (tmp_path / "raw/images/mine.jpg").write_text("x")
    with pytest.raises(UsageError, match="another project's data"):
        presets.write("hair", tmp_path)
    assert not (tmp_path / "params.yaml").exists()


def test_what_is_empty_or_the_repository_s_is_no_data(tmp_path: Path) -> None:
    for name in ("raw/.gitkeep", "processed/runs/.gitignore", "manifests/review.jsonl", "raw/.lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("/images\n" if name.endswith("ignore") else "")
    assert project.holds_data(tmp_path) == ""
    presets.write("hair", tmp_path)


def test_the_same_preset_goes_on_and_edited_params_are_kept(tmp_path: Path) -> None:
    root = used(tmp_path, "hair")
    presets.write("hair", root)
    params = root / "params.yaml"
    params.write_text(mine := params.read_text("utf-8").replace("min_side: 300", "min_side: 400"), "utf-8")
    with pytest.raises(UsageError, match="not as any preset has it"):
        presets.write("hair", root)
    presets.write("hair", root, force=True)
    assert (root / "params.yaml.1").read_text("utf-8") == mine
    assert params.read_text("utf-8") == presets.text("hair")


def test_drawn_pictures_are_refused_even_where_the_params_say_otherwise(tmp_path: Path) -> None:
    root = used(tmp_path, "demo")
    (root / "params.yaml").write_text(presets.text("hair"), "utf-8")
    with pytest.raises(UsageError, match=r"\(demo\)"):
        presets.write("hair", root)


def test_params_that_a_preset_wrote_give_way(tmp_path: Path) -> None:
    """As in a fresh clone, whose params.yaml is the demo's."""
    presets.write("demo", tmp_path)
    presets.write("hair", tmp_path)
    assert (tmp_path / "params.yaml").read_text("utf-8") == presets.text("hair")
    assert not list(tmp_path.glob("params.yaml.*"))


def test_a_project_set_aside_is_whole_and_comes_back(tmp_path: Path) -> None:
    before = files(used(tmp_path))
    for name in ("raw/.gitkeep", "processed/runs/.gitignore"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("kept")
    (tmp_path / "dvc.lock").write_text("lock")
    aside = project.set_aside(tmp_path, "demo")
    assert aside == tmp_path / "aside/demo"
    assert before.items() <= files(aside).items()
    assert (tmp_path / "raw/.gitkeep").read_text() == "kept" and (aside / "dvc.lock").is_file()
    assert not project.holds_data(tmp_path)
    presets.write("hair", tmp_path)
    used(tmp_path, "hair")
    second = project.bring_back(tmp_path, aside, "hair")
    assert second == tmp_path / "aside/hair" and not aside.exists()
    assert {name: text for name, text in files(tmp_path).items() if name in before} == before
    assert (second / "raw/images/ab/abc.jpg").read_text() == "hair: raw/images/ab/abc.jpg"
    assert project.bring_back(tmp_path, second, "demo") == aside


@pytest.mark.parametrize(
    ("lock", "told"),
    [
        ("raw/.lock", "a scrape is at work"),
        ("manifests/.crops.lock", "what makes crops is at work"),
        ("processed/runs/.hair.lock", "the training of hair is at work"),
    ],
)
def test_nothing_is_set_aside_while_a_command_is_at_work(tmp_path: Path, lock: str, told: str) -> None:
    root = used(tmp_path)
    with exclusive_lock(root / lock, lambda _: CurateError("taken")), pytest.raises(UsageError, match=told):
        project.set_aside(root, "demo")
    assert (root / "raw/images/ab/abc.jpg").is_file() and not (root / "aside").exists()


def test_a_folder_without_a_project_is_not_brought_back(tmp_path: Path) -> None:
    root = used(tmp_path)
    (root / "other").mkdir()
    with pytest.raises(UsageError, match="no project that was set aside"):
        project.bring_back(root, root / "other", "demo")
    assert project.holds_data(root)


def test_dvc_finds_the_same_stages_in_every_root(tmp_path: Path) -> None:
    presets.write("hair", tmp_path)
    own, here = ((yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))) for root in (ROOT, tmp_path))
    assert own["stages"].keys() == here["stages"].keys()
    for name, stage in here["stages"].items():
        mine, theirs = stage.get("do", stage), own["stages"][name].get("do", own["stages"][name])
        code = [dep for dep in theirs["deps"] if dep.startswith(("pipeline/", "train/"))]
        assert [dep for dep in mine["deps"] if dep.startswith(".code/")] == [f".code/{dep}" for dep in code]
        assert all((tmp_path / dep).is_dir() for dep in mine["deps"] if dep.startswith(".code/") and "$" not in dep)
        assert {**mine, "deps": 0} == {**theirs, "deps": 0}


def test_the_clone_keeps_its_own_dvc_yaml() -> None:
    assert project.is_repository(ROOT)
    assert project.write_stages(ROOT, force=True) == []
    assert not (ROOT / project.CODE).exists()
